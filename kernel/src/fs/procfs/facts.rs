//! What mm and fs themselves have to say in `/proc`.

use alloc::string::String;
use core::fmt::{self, Write};
use core::ops::Range;

use super::mounts;
use super::registry::{ProcessFacts, Refused, What, register};
use super::settings;
use super::sys;
use super::{locks, memory};
use crate::fs::reclaim;
use crate::locks::stats;
use crate::mm::{audit, fsck, reclaim as mm_reclaim};
use crate::percpu::counters;
use crate::smp::{self, stop};

/// Adds the files that need no layer above.
pub fn init() {
    mm_reclaim::register(reclaim::drop_clean);
    register("lodger", What::Text(|out| audit::write_counters(out)));
    register(
        "lodger_cpus",
        What::Text(|out| counters::write_each(out, smp::presence::known().len())),
    );
    register("lodger_locks", What::Text(|out| stats::write(out)));
    register("lodger_fsck", What::Text(check_memory));
    memory::init();
    register("uptime", What::Text(uptime));
    register("maps", What::ProcessText(maps));
    register("smaps", What::ProcessText(smaps));
    register("smaps_rollup", What::ProcessText(smaps_rollup));
    register("pagemap", What::ProcessBytes(pagemap));
    register("mm", What::ProcessText(mm));
    register("cmdline", What::ProcessText(command_line));
    register("comm", What::ProcessSetting(comm, set_comm));
    settings::init();
    mounts::init();
    locks::init();
    sys::init();
}

/// One line for each finding, and a last one with what was compared.
fn check_memory(out: &mut dyn Write) -> fmt::Result {
    let mut written = Ok(());
    let mut tell =
        |what: fmt::Arguments<'_>| written = written.and_then(|()| writeln!(out, "{what}"));
    let report = stop::alone(|| fsck::run(&mut tell));
    written?;
    writeln!(out, "{} findings; {report}", report.findings)
}

fn uptime(out: &mut dyn Write) -> fmt::Result {
    let hundredths = crate::time::now_ns() / 10_000_000;
    writeln!(out, "{}.{:02} 0.00", hundredths / 100, hundredths % 100)
}

fn maps(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    process.mm().map_or(Ok(()), |mm| mm.describe_maps(out))
}

fn smaps(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    process.mm().map_or(Ok(()), |mm| mm.describe_pages(out))
}

fn smaps_rollup(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    process.mm().map_or(Ok(()), |mm| mm.describe_all_pages(out))
}

/// A word for each page, the word's place in the file being the page's number.
fn pagemap(process: &dyn ProcessFacts, at: u64, out: &mut [u8]) -> Result<usize, Refused> {
    let Some(mm) = process.mm() else {
        return Ok(0);
    };
    let mut words = [0; 64];
    let wanted = (out.len() / 8).min(words.len());
    let len = mm.page_words(at / 8, &mut words[..wanted]);
    for (bytes, word) in out.chunks_exact_mut(8).zip(&words[..len]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Ok(len * 8)
}

fn mm(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let Some(mm) = process.mm() else {
        return Ok(());
    };
    let (id, root) = (mm.id().as_u64(), mm.root().start().as_u64());
    // The reference used for looking is not counted.
    let (users, count) = (mm.users() - 1, mm.count());
    writeln!(out, "mm {id} root {root:#x} users {users} count {count}")
}

fn comm(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", process.name())
}

fn set_comm(process: &dyn ProcessFacts, text: &str) -> Result<(), Refused> {
    process.set_name(text);
    Ok(())
}

/// Reads the arguments where the program keeps them.
fn command_line(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    write_memory(process, process.arguments(), out)
}

/// Writes text that a program keeps in its memory; it may have changed or unmapped it.
pub fn write_memory(
    process: &dyn ProcessFacts,
    range: Range<u64>,
    out: &mut dyn Write,
) -> fmt::Result {
    let Some(mm) = process.mm() else {
        return Ok(());
    };
    let mut piece = [0; 128];
    let mut at = range.start;
    while at < range.end {
        let piece = &mut piece[..(range.end - at).min(128) as usize];
        if mm.read_remote(at, piece).is_err() {
            break;
        }
        out.write_str(&String::from_utf8_lossy(piece))?;
        at += piece.len() as u64;
    }
    Ok(())
}
