//! `/proc/sys/vm`: what a program may say about how memory is given out.

use core::fmt::{self, Write};

use addr::MMAP_MIN_ADDR;
use vma::Overcommit;

use super::registry::{MakeText, Refused, Set, What, register};
use crate::fs::reclaim;
use crate::mm::{commit, mmap};

/// Adds the settings of memory.
pub fn init() {
    let settings: [(&str, MakeText, Set); 5] = [
        ("vm/drop_caches", nothing_dropped, drop_caches),
        ("vm/max_map_count", max_map_count, set_max_map_count),
        ("vm/mmap_min_addr", mmap_min_addr, keep_mmap_min_addr),
        (
            "vm/overcommit_memory",
            overcommit_memory,
            set_overcommit_memory,
        ),
        (
            "vm/overcommit_ratio",
            overcommit_ratio,
            set_overcommit_ratio,
        ),
    ];
    for (name, make, set) in settings {
        register(name, What::Setting(make, set));
    }
}

/// Reads a number in decimal, up to the largest that a C program's `int` can be.
pub fn parse_number(text: &str) -> Result<u64, Refused> {
    let number: i32 = text.parse().map_err(|_| Refused::Invalid)?;
    u64::try_from(number).map_err(|_| Refused::Invalid)
}

fn nothing_dropped(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "0")
}

/// Drops the clean pages that nobody has mapped (1), or other caches, of which there are none (2).
fn drop_caches(text: &str) -> Result<(), Refused> {
    match parse_number(text)? {
        1 | 3 => {
            reclaim::drop_clean(u64::MAX);
            Ok(())
        }
        2 | 4 => Ok(()),
        _ => Err(Refused::Invalid),
    }
}

fn max_map_count(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", mmap::max_map_count())
}

fn set_max_map_count(text: &str) -> Result<(), Refused> {
    mmap::set_max_map_count(parse_number(text)? as u32);
    Ok(())
}

fn mmap_min_addr(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{MMAP_MIN_ADDR}")
}

/// The lowest address is built in: only what it is already can be set.
fn keep_mmap_min_addr(text: &str) -> Result<(), Refused> {
    match parse_number(text)? {
        MMAP_MIN_ADDR => Ok(()),
        _ => Err(Refused::Invalid),
    }
}

fn overcommit_memory(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", commit::mode() as u64)
}

fn set_overcommit_memory(text: &str) -> Result<(), Refused> {
    commit::set_mode(Overcommit::new(parse_number(text)?).ok_or(Refused::Invalid)?);
    Ok(())
}

fn overcommit_ratio(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", commit::ratio())
}

fn set_overcommit_ratio(text: &str) -> Result<(), Refused> {
    commit::set_ratio(parse_number(text)?);
    Ok(())
}
