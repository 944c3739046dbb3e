//! The file tree the kernel starts with, as a cpio archive in the newc format.
//!
//! Its first entry is `cmdline`, the kernel command line: the bootloader has none to pass on. Then
//! come `init`, the folders, `bin/NAME` for each program, and the files of `tests/user/files` as
//! `etc/…`. Names have no leading slash. Inode numbers count up and times are zero, so that equal
//! trees give equal archives.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc;

use crate::programs::Program;

const FOLDER: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;
const FOLDERS: [&str; 5] = ["bin", "dev", "etc", "proc", "tmp"];

/// One file or folder of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path inside, without a leading slash.
    pub name: String,
    /// The type and permission bits, as in `stat`.
    pub mode: u32,
    /// A file's bytes; empty for a folder.
    pub data: Vec<u8>,
}

impl Entry {
    /// Makes a regular file that may be executed.
    pub fn executable(name: &str, data: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            mode: EXECUTABLE,
            data,
        }
    }

    /// Makes a regular file.
    pub fn file(name: &str, data: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            mode: FILE,
            data,
        }
    }

    /// Makes a symbolic link.
    pub fn link(name: &str, target: &str) -> Self {
        Self {
            name: name.into(),
            mode: LINK,
            data: target.into(),
        }
    }

    /// Makes a folder.
    pub fn folder(name: &str) -> Self {
        Self {
            name: name.into(),
            mode: FOLDER,
            data: Vec::new(),
        }
    }
}

/// Lists the entries of the ordinary tree, in the archive's order.
pub fn entries(cmdline: &[u8], programs: &[Program], etc: &Path) -> Result<Vec<Entry>> {
    let mut entries = vec![Entry::file("cmdline", cmdline.to_vec())];
    let (init, others): (Vec<_>, Vec<_>) =
        programs.iter().partition(|program| program.name == "init");
    for program in init {
        entries.push(Entry::executable("init", read(&program.path)?));
    }
    entries.extend(FOLDERS.map(Entry::folder));
    for program in others {
        entries.push(Entry::executable(
            &format!("bin/{}", program.name),
            read(&program.path)?,
        ));
    }
    if etc.exists() {
        add_folder(&mut entries, etc, "etc")?;
    }
    Ok(entries)
}

/// Writes the entries one after the other and closes the archive.
pub fn archive(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        let size = u32::try_from(entry.data.len())
            .with_context(|| format!("{} is too large for newc", entry.name))?;
        let mut writer = newc::Builder::new(&entry.name)
            .ino(number)
            .nlink(if entry.mode == FOLDER { 2 } else { 1 })
            .mode(entry.mode)
            .write(&mut bytes, size);
        std::io::Write::write_all(&mut writer, &entry.data)?;
        writer.finish()?;
    }
    newc::trailer(&mut bytes)?;
    Ok(bytes)
}

/// Adds what lies below `folder` as `prefix/…`, in the order of names.
fn add_folder(entries: &mut Vec<Entry>, folder: &Path, prefix: &str) -> Result<()> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let name = format!(
            "{prefix}/{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        if path.is_dir() {
            entries.push(Entry::folder(&name));
            add_folder(entries, &path, &name)?;
        } else {
            entries.push(Entry::file(&name, read(&path)?));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an archive back with the crate's reader: (name, mode, data) of each entry.
    fn read_back(mut bytes: &[u8]) -> Vec<Entry> {
        let mut found = Vec::new();
        loop {
            let mut reader = newc::Reader::new(bytes).unwrap();
            let header = reader.entry().clone();
            if header.is_trailer() {
                return found;
            }
            let mut data = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut data).unwrap();
            bytes = reader.finish().unwrap();
            found.push(Entry {
                name: header.name().into(),
                mode: header.mode(),
                data,
            });
        }
    }

    fn program(name: &str) -> Program {
        Program {
            name: name.into(),
            path: std::env::current_exe().unwrap(),
        }
    }

    #[test]
    fn the_command_line_comes_first_and_init_second() {
        let programs = [program("cat"), program("init"), program("zero")];
        let entries = entries(b"loglevel=4", &programs, Path::new("/nowhere")).unwrap();
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "cmdline", "init", "bin", "dev", "etc", "proc", "tmp", "bin/cat", "bin/zero"
            ]
        );
        assert_eq!(entries[0].data, b"loglevel=4");
    }

    #[test]
    fn no_name_begins_with_a_slash_and_programs_may_be_executed() {
        let entries =
            entries(b"", &[program("init"), program("a")], Path::new("/nowhere")).unwrap();
        assert!(entries.iter().all(|entry| !entry.name.starts_with('/')));
        let modes: Vec<u32> = entries
            .iter()
            .filter(|e| e.data.len() > 1)
            .map(|e| e.mode)
            .collect();
        assert_eq!(modes, [EXECUTABLE, EXECUTABLE]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let entries = [
            Entry::file("cmdline", b"x".to_vec()),
            Entry::folder("bin"),
            Entry::executable("bin/a", vec![7; 4099]),
        ];
        assert_eq!(read_back(&archive(&entries).unwrap()), entries);
    }

    #[test]
    fn equal_trees_give_equal_archives() {
        let make =
            || archive(&entries(b"", &[program("init")], Path::new("/nowhere")).unwrap()).unwrap();
        assert_eq!(make(), make());
    }
}
