//! `/proc/PID/mounts`, `mountinfo` and `mountstats`; `/proc/filesystems`.

use core::fmt::{self, Write};

use super::registry::{ProcessFacts, What, register};
use crate::fs::mount::Location;
use crate::fs::mounting::{seen_from, words};

/// Adds the files.
pub(super) fn init() {
    register("mounts", What::ProcessText(mounts));
    register("mountinfo", What::ProcessText(mount_info));
    register("mountstats", What::ProcessText(mount_stats));
    register("filesystems", What::Text(file_systems));
}

fn mounts(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    for (mount, path) in seen_from(&process.root()) {
        let (options, _) = words(&mount);
        write_escaped(mount.source.as_bytes(), out)?;
        out.write_char(' ')?;
        write_escaped(&path, out)?;
        writeln!(out, " {} {options} 0 0", mount.fs.name)?;
    }
    Ok(())
}

fn mount_info(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    for (mount, path) in seen_from(&process.root()) {
        let parent = mount.attached().map_or(mount.id, |at| at.mount.id);
        let dev = mount.fs.dev;
        write!(out, "{} {parent} {}:{} ", mount.id, dev >> 8, dev & 0xff)?;
        write_escaped(&path_in_file_system(&mount.root()), out)?;
        out.write_char(' ')?;
        write_escaped(&path, out)?;
        let (options, of_fs) = words(&mount);
        write!(out, " {options} - {} ", mount.fs.name)?;
        write_escaped(mount.source.as_bytes(), out)?;
        writeln!(out, " {of_fs}")?;
    }
    Ok(())
}

fn mount_stats(process: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    for (mount, path) in seen_from(&process.root()) {
        out.write_str("device ")?;
        write_escaped(mount.source.as_bytes(), out)?;
        out.write_str(" mounted on ")?;
        write_escaped(&path, out)?;
        writeln!(out, " with fstype {}", mount.fs.name)?;
    }
    Ok(())
}

/// The path of a mount's root in its file system.
fn path_in_file_system(root: &Location) -> alloc::vec::Vec<u8> {
    root.inode.path_in_file_system()
}

fn file_systems(out: &mut dyn Write) -> fmt::Result {
    for name in ["sysfs", "tmpfs", "proc", "devtmpfs", "devpts", "ramfs"] {
        writeln!(out, "nodev\t{name}")?;
    }
    Ok(())
}

/// Writes a name so that no space, line's end or backslash of it is taken for more than a letter.
fn write_escaped(name: &[u8], out: &mut dyn Write) -> fmt::Result {
    for piece in name.utf8_chunks() {
        for letter in piece.valid().chars() {
            match letter {
                ' ' | '\t' | '\n' | '\\' | '#' => write!(out, "\\{:03o}", letter as u32)?,
                _ => out.write_char(letter)?,
            }
        }
        for byte in piece.invalid() {
            write!(out, "\\{byte:03o}")?;
        }
    }
    Ok(())
}
