//! What rights do to files and their users: set-id bits, times, real ids, programs that run and are written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use user::fsys::{self, io};
use user::probe::{Topic, Verdict, must, refused, same};
use user::sys;

use super::permits::{USER, access, as_user, chmod, file, on, tree};

pub(crate) const TOPIC: Topic = Topic {
    name: "rights",
    about: "set-id bits, times, real ids, running programs",
    cases: &[
        ("set_ids", set_ids),
        ("times", times),
        ("real_ids", real_ids),
        ("running_and_writing", running_and_writing),
    ],
};

fn set_ids() -> Verdict {
    let dir = tree()?;
    let at = |name: &str| dir.path(name);
    let mode = |name: &str| io("stat", fs::metadata(at(name))).map(|facts| facts.mode() & 0o7777);
    file(&at("p"), 0o6777, USER, USER)?;
    io("root writes", fs::write(at("p"), "y"))?;
    same("and all stays", mode("p")?, 0o6777)?;
    as_user("another", 2000, 2000, &[], || {
        let mut options = fs::OpenOptions::new();
        let file = io("open", options.append(true).open(at("p")))?;
        same("opening changes nothing", mode("p")?, 0o6777)?;
        io("write", std::io::Write::write_all(&mut &file, b"z"))?;
        same("writing does", mode("p")?, 0o777)
    })?;
    must("again", chmod(&at("p"), 0o6777))?;
    as_user("another", 2000, 2000, &[], || {
        io(
            "cut",
            fs::OpenOptions::new()
                .write(true)
                .open(at("p"))
                .and_then(|file| file.set_len(0)),
        )?;
        same("cutting as well", mode("p")?, 0o777)
    })?;
    must("again", chmod(&at("p"), 0o6777))?;
    io("a new owner", chown(at("p"), Some(2000), None))?;
    same("root's chown takes them", mode("p")?, 0o777)?;
    must("a lock's bit", chmod(&at("p"), 0o2644))?;
    io("a new owner", chown(at("p"), Some(USER), None))?;
    same("is no program's", mode("p")?, 0o2644)
}

fn times() -> Verdict {
    let dir = tree()?;
    let at = |name: &str| dir.path(name);
    file(&at("closed"), 0o644, 2000, 2000)?;
    file(&at("open"), 0o666, 2000, 2000)?;
    let set = |name: &str, times: Option<[i64; 4]>| {
        let times = times.as_ref().map_or(0, |times| times.as_ptr() as u64);
        on(libc::SYS_utimensat, &at(name), [times, 0, 0])
    };
    let now = libc::UTIME_NOW;
    let omit = libc::UTIME_OMIT;
    as_user("a user", USER, USER, &[], || {
        refused("now", set("closed", None), libc::EACCES)?;
        must("now", set("open", None))?;
        must("both now", set("open", Some([0, now, 0, now])))?;
        refused("a time", set("open", Some([1, 2, 3, 4])), libc::EPERM)?;
        refused("one now", set("open", Some([0, now, 0, omit])), libc::EPERM)?;
        must("none", set("open", Some([0, omit, 0, omit])))?;
        let flags = libc::O_RDONLY | libc::O_NOATIME;
        refused("no trace", fsys::open(&at("open"), flags, 0), libc::EPERM)
    })?;
    must("root's", set("open", Some([1, 2, 3, 4])))?;
    let facts = io("stat", fs::metadata(at("open")))?;
    same("atime", (facts.atime(), facts.atime_nsec()), (1, 2))?;
    same("mtime", (facts.mtime(), facts.mtime_nsec()), (3, 4))
}

fn real_ids() -> Verdict {
    let dir = tree()?;
    let path = dir.path("f");
    file(&path, 0o600, 0, 0)?;
    let as_real = || on(libc::SYS_faccessat, &path, [libc::R_OK as u64, 0, 0]);
    must(
        "real user",
        sys::call(libc::SYS_setresuid, [USER.into(), u64::MAX, u64::MAX]),
    )?;
    same("effective ids may", access(&path, libc::R_OK), Ok(0))?;
    refused("real ones not", as_real(), libc::EACCES)
}

fn running_and_writing() -> Verdict {
    let dir = tree()?;
    let path = dir.path("program");
    io("a copy", fs::copy("/proc/self/exe", &path))?;
    io(
        "a program",
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)),
    )?;
    let run = || {
        let mut command = std::process::Command::new(&path);
        command
            .args(["nonsense"])
            .stdout(std::process::Stdio::null())
            .status()
    };
    let writer = io("open", fs::OpenOptions::new().write(true).open(&path))?;
    fsys::fails("while it is written", run(), libc::ETXTBSY)?;
    drop(writer);
    let reader = io("open", fs::File::open(&path))?;
    io("while it is read", run())?;
    drop(reader);
    let own = Path::new("/proc/self/exe");
    refused(
        "one's own program",
        fsys::open(own, libc::O_WRONLY, 0),
        libc::ETXTBSY,
    )?;
    let cut = sys::call(libc::SYS_truncate, [c"/proc/self/exe".as_ptr() as u64, 0]);
    refused("cut", cut, libc::ETXTBSY)
}
