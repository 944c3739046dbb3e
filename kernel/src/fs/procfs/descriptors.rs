//! `/proc/PID/fdinfo/N`: what is known of a descriptor and its open file.

use core::fmt::{self, Write};

use abi::file::OpenFlags;

use crate::fs::OpenFile;

/// Writes the position, the flags in octal, the mount (0 for what was not found by a path) and the inode, then what is told of
/// this kind of file alone.
pub fn write(file: &OpenFile, closes_on_exec: bool, out: &mut dyn Write) -> fmt::Result {
    let mut flags = file.flags();
    flags.set(OpenFlags::CLOEXEC, closes_on_exec);
    let position = file.position();
    let mount = file.location().map_or(0, |location| location.mount.id);
    writeln!(out, "pos:\t{position}\nflags:\t0{:o}", flags.bits())?;
    let ino = file.file().metadata().ino;
    writeln!(out, "mnt_id:\t{mount}\nino:\t{ino}")?;
    file.file().describe(out)
}
