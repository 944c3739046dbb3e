//! `/proc/sys/kernel` and `/proc/sys/fs`: the kernel's names and bounds.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::machine::{RELEASE, SYSNAME, VERSION};
use super::tree::PID_MAX;
use crate::fs::procfs::parse_number;
use crate::fs::procfs::registry::{MakeText, Refused, Set, What, register};
use crate::fs::{dev, pipe};

/// The lowest that `pipe-max-size` can be: a page.
const PIPE_MIN: u32 = 4096;

/// Adds the settings.
pub(super) fn init() {
    let settings: [(&str, MakeText, Set); 14] = [
        ("kernel/ostype", |out| writeln!(out, "{SYSNAME}"), fixed),
        ("kernel/osrelease", |out| writeln!(out, "{RELEASE}"), fixed),
        ("kernel/version", |out| writeln!(out, "{VERSION}"), fixed),
        ("kernel/pid_max", |out| writeln!(out, "{PID_MAX}"), fixed),
        ("kernel/ngroups_max", |out| writeln!(out, "65536"), fixed),
        (
            "kernel/cap_last_cap",
            |out| writeln!(out, "{}", cred::caps::LAST_CAP),
            fixed,
        ),
        ("kernel/random/uuid", uuid, fixed),
        (
            "kernel/random/entropy_avail",
            |out| writeln!(out, "256"),
            fixed,
        ),
        ("kernel/random/poolsize", |out| writeln!(out, "256"), fixed),
        ("fs/file-max", |out| writeln!(out, "{}", i64::MAX), fixed),
        ("fs/nr_open", |out| writeln!(out, "1048576"), fixed),
        ("fs/pipe-max-size", pipe_max_size, set_pipe_max_size),
        ("fs/protected_hardlinks", |out| writeln!(out, "0"), fixed),
        ("fs/protected_symlinks", |out| writeln!(out, "0"), fixed),
    ];
    for (name, make, set) in settings {
        register(name, What::Setting(make, set));
    }
}

/// What is built in cannot be set.
fn fixed(_: &str) -> Result<(), Refused> {
    Err(Refused::Invalid)
}

fn uuid(out: &mut dyn Write) -> fmt::Result {
    let mut bytes: [u8; 16] = dev::random_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    for (index, byte) in bytes.iter().enumerate() {
        let dash = if matches!(index, 4 | 6 | 8 | 10) {
            "-"
        } else {
            ""
        };
        write!(out, "{dash}{byte:02x}")?;
    }
    writeln!(out)
}

fn pipe_max_size(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", pipe::MAX_SIZE.load(Relaxed))
}

fn set_pipe_max_size(text: &str) -> Result<(), Refused> {
    let size = parse_number(text)? as u32;
    if size < PIPE_MIN {
        return Err(Refused::Invalid);
    }
    let max: &AtomicU32 = &pipe::MAX_SIZE;
    max.store(
        size.checked_next_power_of_two().ok_or(Refused::Invalid)?,
        Relaxed,
    );
    Ok(())
}
