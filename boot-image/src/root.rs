//! The ordinary root: busybox with its links, the steward that starts it, and a few files in `/etc`.
//!
//! Busybox is the host's, never the project's: `./x` installs it where it can. Without one there is no shell; a command of the
//! reader's own still runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::Built;
use crate::initramfs::Entry;
use crate::static_elf;

/// Where busybox may be.
const PLACES: [&str; 4] = [
    "/bin/busybox",
    "/usr/bin/busybox",
    "/sbin/busybox.static",
    "/bin/busybox.static",
];

const FOLDERS: [&str; 9] = [
    "dev", "proc", "sys", "tmp", "root", "home", "var", "run", "mnt",
];

const FILES: [(&str, &str); 8] = [
    ("etc/hostname", "lodger\n"),
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    (
        "etc/shadow",
        "root::19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n",
    ),
    ("etc/shells", "/bin/sh\n"),
    ("etc/hosts", "127.0.0.1 localhost lodger\n"),
    (
        "etc/motd",
        "Lodger: kernel threads lodge in borrowed address spaces. This is busybox; `busybox` lists its programs.\n\
         Watch: cat /proc/self/maps, cat /proc/lodger_stat, top. `tour` shows what this kernel is about.\n\
         `exit` switches the machine off; Ctrl-] ends it from outside.\n",
    ),
    (
        "etc/profile",
        "export PS1='\\u@\\h:\\w\\$ '\nexport PATH=/bin:/sbin:/usr/bin:/usr/sbin\n[ -r /etc/motd ] && cat /etc/motd\n",
    ),
];

/// Finds a busybox that can run inside: a static one.
pub fn busybox() -> Option<PathBuf> {
    PLACES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists() && static_elf::check(path).is_ok())
}

/// Lists what is in the root. With a command it is run instead of the shell.
pub fn entries(built: &Built, command: &[String]) -> Result<Vec<Entry>> {
    let mut entries = vec![Entry::file("cmdline", Vec::new())];
    entries.push(Entry::executable("init", program(built, "steward")?));
    entries.extend(FOLDERS.map(Entry::folder));
    for (name, text) in FILES {
        entries.push(Entry::file(name, text.into()));
    }
    if !command.is_empty() {
        let mut words = Vec::new();
        for word in command {
            words.extend(word.bytes());
            words.push(0);
        }
        entries.push(Entry::file("etc/command", words));
    }
    if let Some(busybox) = busybox() {
        let links = links(&busybox)?;
        entries.push(Entry::executable("bin/busybox", read(&busybox)?));
        entries.extend(links.iter().map(|name| Entry::link(name, "/bin/busybox")));
    }
    if command.is_empty() {
        entries.push(Entry::executable("bin/tour", program(built, "init")?));
        entries.push(Entry::executable("bin/hello-c", program(built, "hello-c")?));
    }
    Ok(entries)
}

/// Asks busybox under which paths it is to be found.
fn links(busybox: &Path) -> Result<Vec<String>> {
    let output = Command::new(busybox)
        .arg("--list-full")
        .output()
        .context("asking busybox what it can do")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter(|name| *name != "bin/busybox");
    Ok(names.map(str::to_owned).collect())
}

fn program(built: &Built, name: &str) -> Result<Vec<u8>> {
    let known = built.programs.iter().find(|program| program.name == name);
    read(
        &known
            .with_context(|| format!("there is no program {name}"))?
            .path,
    )
}

/// Adds what `--add HOSTPATH[:GUESTPATH]` asks for; it takes the place of what has the same name.
pub fn add(entries: &mut Vec<Entry>, wish: &str) -> Result<()> {
    let (from, to) = match wish.split_once(':') {
        Some((from, to)) => (Path::new(from), to),
        None => (Path::new(wish), "/"),
    };
    let own = from.file_name().map(|name| name.to_string_lossy());
    let to = match to.ends_with('/') {
        true => format!("{to}{}", own.context("what is added has no name")?),
        false => to.to_owned(),
    };
    let to = to.trim_matches('/');
    if to.is_empty() || to.split('/').any(|name| name == ".." || name == ".") {
        bail!("--add {wish}: the path inside is no plain path");
    }
    add_tree(entries, from, to)
}

fn add_tree(entries: &mut Vec<Entry>, from: &Path, to: &str) -> Result<()> {
    let facts =
        fs::symlink_metadata(from).with_context(|| format!("cannot read {}", from.display()))?;
    let added = if facts.is_dir() {
        Entry::folder(to)
    } else if facts.is_symlink() {
        Entry::link(to, &fs::read_link(from)?.to_string_lossy())
    } else {
        let mode = 0o100_000 | facts.permissions().mode() & 0o7777;
        Entry {
            mode,
            ..Entry::file(to, read(from)?)
        }
    };
    entries.retain(|entry| entry.name != to || facts.is_dir());
    entries.push(added);
    if facts.is_dir() {
        let mut names = fs::read_dir(from)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            add_tree(
                entries,
                &from.join(&name),
                &format!("{to}/{}", name.to_string_lossy()),
            )?;
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
    use crate::scratch::Scratch;

    #[test]
    fn what_is_added_goes_where_it_is_told_with_all_below_it() {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.path().join("folder");
        fs::create_dir_all(folder.join("inner")).unwrap();
        fs::write(folder.join("inner/file"), b"text").unwrap();
        std::os::unix::fs::symlink("inner/file", folder.join("link")).unwrap();
        let mut entries = vec![Entry::file("there/link", Vec::new())];
        add(&mut entries, &format!("{}:/there", folder.display())).unwrap();
        let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(
            names,
            ["there", "there/inner", "there/inner/file", "there/link"]
        );
        assert_eq!(entries[2].data, b"text");
        assert_eq!(
            (entries[3].mode, entries[3].data.as_slice()),
            (0o120_777, &b"inner/file"[..])
        );
    }

    #[test]
    fn a_path_inside_that_leads_out_is_refused() {
        let mut entries = Vec::new();
        assert!(add(&mut entries, "/etc/hostname:/../x").is_err());
        assert!(add(&mut entries, "/no/such/file").is_err());
        add(&mut entries, "/etc/passwd:/srv/").unwrap();
        assert_eq!(entries[0].name, "srv/passwd");
    }
}
