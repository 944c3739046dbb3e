//! Who may do what with files: permissions at every step of a path, names, sticky directories, owners.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;

use user::fsys::{self, Scratch, io};
use user::probe::{Topic, Verdict, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "permits",
    about: "who may do what with files",
    cases: &[
        ("every_class", every_class),
        ("paths", paths),
        ("names", names),
        ("sticky", sticky),
        ("owners", owners),
    ],
};

pub(crate) const USER: u32 = 1000;
const GROUP: u32 = 100;

pub(crate) const HERE: u64 = libc::AT_FDCWD as u64;

fn at(path: &Path) -> std::ffi::CString {
    std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}

pub(crate) fn on(number: i64, path: &Path, rest: [u64; 3]) -> sys::Result {
    let path = at(path);
    let [first, second, third] = rest;
    sys::call(number, [HERE, path.as_ptr() as u64, first, second, third])
}

pub(crate) fn access(path: &Path, mode: i32) -> sys::Result {
    on(
        libc::SYS_faccessat2,
        path,
        [mode as u64, libc::AT_EACCESS as u64, 0],
    )
}

pub(crate) fn chmod(path: &Path, mode: u32) -> sys::Result {
    on(libc::SYS_fchmodat, path, [mode.into(), 0, 0])
}

fn owner(path: &Path, uid: u32, gid: u32) -> sys::Result {
    on(libc::SYS_fchownat, path, [uid.into(), gid.into(), 0])
}

/// Becomes a user, for good.
fn become_user(uid: u32, gid: u32, groups: &[u32]) -> Verdict {
    let list = groups.as_ptr() as u64;
    must(
        "setgroups",
        sys::call(libc::SYS_setgroups, [groups.len() as u64, list]),
    )?;
    must(
        "setresgid",
        sys::call(libc::SYS_setresgid, [u64::from(gid); 3]),
    )?;
    must(
        "setresuid",
        sys::call(libc::SYS_setresuid, [u64::from(uid); 3]),
    )?;
    Ok(())
}

/// Does `work` as a user, in a child.
pub(crate) fn as_user(
    what: &str,
    uid: u32,
    gid: u32,
    groups: &[u32],
    work: impl FnOnce() -> Verdict,
) -> Verdict {
    lives(what, || {
        user::probe::code(become_user(uid, gid, groups).and_then(|()| work()))
    })
}

/// A directory that everybody may search, with a file of the user's.
pub(crate) fn tree() -> Result<Scratch, String> {
    let dir = Scratch::new()?;
    must("open the directory", chmod(dir.root(), 0o755))?;
    Ok(dir)
}

pub(crate) fn file(path: &Path, mode: u32, uid: u32, gid: u32) -> Verdict {
    io("a file", fs::write(path, "x"))?;
    io("its owner", chown(path, Some(uid), Some(gid)))?;
    must("its permissions", chmod(path, mode)).map(drop)
}

fn every_class() -> Verdict {
    let dir = tree()?;
    let path = dir.path("f");
    io("a file", fs::write(&path, "x"))?;
    io("its owner", chown(&path, Some(USER), Some(GROUP)))?;
    // Who asks, and by how much the bits are shifted for them.
    let people: [(u32, u32, &[u32], u32); 4] = [
        (USER, 1, &[], 6),
        (2000, GROUP, &[], 3),
        (2000, 1, &[7, GROUP], 3),
        (2000, 1, &[GROUP + 1], 0),
    ];
    for mode in [0o000, 0o400, 0o070, 0o707, 0o750, 0o123, 0o654] {
        must("chmod", chmod(&path, mode))?;
        for (uid, gid, groups, shift) in people {
            as_user("a class", uid, gid, groups, || {
                for wanted in 0..8 {
                    let allowed = mode >> shift & wanted == wanted;
                    let got = access(&path, wanted as i32);
                    let want = if allowed {
                        Ok(0)
                    } else {
                        Err(sys::Errno(libc::EACCES))
                    };
                    same(&format!("{mode:o} {uid} {gid} {wanted}"), got, want)?;
                }
                Ok(())
            })?;
        }
        // Root executes what somebody may.
        let want = if mode & 0o111 != 0 {
            Ok(0)
        } else {
            Err(sys::Errno(libc::EACCES))
        };
        same("root executes", access(&path, libc::X_OK), want)?;
        same("root writes", access(&path, libc::R_OK | libc::W_OK), Ok(0))?;
    }
    Ok(())
}

fn paths() -> Verdict {
    let dir = tree()?;
    let at = |name: &str| dir.path(name);
    io("a closed directory", fs::create_dir(at("closed")))?;
    io("something in it", fs::create_dir(at("closed/in")))?;
    io("a file there", fs::write(at("closed/in/f"), "x"))?;
    io("a link into it", symlink("closed/in/f", at("link")))?;
    must("close it", chmod(&at("closed"), 0o644))?;
    as_user("a user", USER, USER, &[], || {
        let open = |name: &str, flags| fsys::open(&at(name), flags, 0o600);
        must(
            "to list it",
            open("closed", libc::O_RDONLY | libc::O_DIRECTORY),
        )?;
        for name in [
            "closed/in",
            "closed/in/f",
            "closed/no",
            "closed/.",
            "closed/..",
            "link",
        ] {
            refused(name, open(name, libc::O_RDONLY), libc::EACCES)?;
            refused(name, open(name, libc::O_PATH), libc::EACCES)?;
        }
        let long = format!("closed/{}", "x".repeat(300));
        refused("a long name", open(&long, libc::O_RDONLY), libc::EACCES)?;
        refused(
            "a new file",
            open("new", libc::O_CREAT | libc::O_WRONLY),
            libc::EACCES,
        )?;
        refused(
            "a nameless one",
            open(".", libc::O_TMPFILE | libc::O_RDWR),
            libc::EACCES,
        )?;
        refused(
            "to write a directory",
            open(".", libc::O_WRONLY),
            libc::EISDIR,
        )
    })
}

fn names() -> Verdict {
    let dir = tree()?;
    let at = |name: &str| dir.path(name);
    io("a directory", fs::create_dir(at("d")))?;
    io("a file in it", fs::write(at("d/f"), "x"))?;
    io("a directory in it", fs::create_dir(at("d/sub")))?;
    io("one's own", fs::create_dir(at("own")))?;
    io("its owner", chown(at("own"), Some(USER), Some(USER)))?;
    as_user("a user", USER, USER, &[], || {
        let no = libc::EACCES;
        refused("mkdir", fsys::mkdir(&at("d/new"), 0o700), no)?;
        refused(
            "mkdir of what is there",
            fsys::mkdir(&at("d/sub"), 0o700),
            libc::EEXIST,
        )?;
        refused("mknod", fsys::mknod(&at("d/new"), libc::S_IFREG, 0), no)?;
        refused(
            "a device",
            fsys::mknod(&at("own/dev"), libc::S_IFCHR, 0x103),
            libc::EPERM,
        )?;
        must(
            "a FIFO",
            fsys::mknod(&at("own/fifo"), libc::S_IFIFO | 0o600, 0),
        )?;
        refused("link", fsys::link(&at("own/fifo"), &at("d/g"), 0), no)?;
        refused("unlink", fsys::unlink(&at("d/f"), 0), no)?;
        refused("unlink a directory", fsys::unlink(&at("d/sub"), 0), no)?;
        refused("unlink nothing", fsys::unlink(&at("d/no"), 0), libc::ENOENT)?;
        refused("rmdir", fsys::unlink(&at("d/sub"), libc::AT_REMOVEDIR), no)?;
        refused(
            "rmdir a file",
            fsys::unlink(&at("d/f"), libc::AT_REMOVEDIR),
            no,
        )?;
        refused("rename away", fsys::rename(&at("d/f"), &at("own/f"), 0), no)?;
        refused(
            "rename there",
            fsys::rename(&at("own/fifo"), &at("d/fifo"), 0),
            no,
        )?;
        refused(
            "rename over it",
            fsys::rename(&at("own/fifo"), &at("d/sub"), 0),
            no,
        )?;
        refused(
            "rename nothing",
            fsys::rename(&at("d/no"), &at("own/f"), 0),
            libc::ENOENT,
        )?;
        refused(
            "not to replace",
            fsys::rename(&at("own/fifo"), &at("d/f"), libc::RENAME_NOREPLACE),
            libc::EEXIST,
        )?;
        must(
            "rename at home",
            fsys::rename(&at("own/fifo"), &at("own/f"), 0),
        )?;
        let made = io("a file", fs::metadata(at("own/f")))?;
        same("its owner", (made.uid(), made.gid()), (USER, USER))
    })?;
    // A directory in another place has another `..`: that is a change of it.
    io("a directory of root's", fs::create_dir(at("own/roots")))?;
    io("another place", fs::create_dir(at("own/place")))?;
    io("its owner", chown(at("own/place"), Some(USER), Some(USER)))?;
    as_user("a user", USER, USER, &[], || {
        refused(
            "moved",
            fsys::rename(&at("own/roots"), &at("own/place/r"), 0),
            libc::EACCES,
        )?;
        must("renamed", fsys::rename(&at("own/roots"), &at("own/r"), 0)).map(drop)
    })
}

fn sticky() -> Verdict {
    let dir = tree()?;
    let at = |name: &str| dir.path(name);
    io("a directory for all", fs::create_dir(at("tmp")))?;
    must("sticky", chmod(&at("tmp"), 0o1777))?;
    file(&at("tmp/mine"), 0o644, USER, USER)?;
    file(&at("tmp/other"), 0o666, 2000, 2000)?;
    as_user("a user", USER, USER, &[], || {
        refused("another's", fsys::unlink(&at("tmp/other"), 0), libc::EPERM)?;
        refused(
            "moved",
            fsys::rename(&at("tmp/other"), &at("tmp/x"), 0),
            libc::EPERM,
        )?;
        refused(
            "replaced",
            fsys::rename(&at("tmp/mine"), &at("tmp/other"), 0),
            libc::EPERM,
        )?;
        must("one's own", fsys::unlink(&at("tmp/mine"), 0)).map(drop)
    })?;
    io("the directory's owner", chown(at("tmp"), Some(USER), None))?;
    as_user("the owner", USER, USER, &[], || {
        must("removes all", fsys::unlink(&at("tmp/other"), 0)).map(drop)
    })
}

fn owners() -> Verdict {
    let dir = tree()?;
    let at = |name: &str| dir.path(name);
    file(&at("mine"), 0o6755, USER, USER)?;
    file(&at("other"), 0o666, 2000, 2000)?;
    const KEEP: u32 = u32::MAX;
    as_user("a user", USER, USER, &[GROUP], || {
        refused("another's mode", chmod(&at("other"), 0o777), libc::EPERM)?;
        refused("giving away", owner(&at("mine"), 2000, KEEP), libc::EPERM)?;
        refused("to a group", owner(&at("mine"), KEEP, 2000), libc::EPERM)?;
        refused("taking", owner(&at("other"), USER, KEEP), libc::EPERM)?;
        must("to oneself", owner(&at("mine"), USER, KEEP))?;
        let mode = || io("stat", fs::metadata(at("mine"))).map(|facts| facts.mode() & 0o7777);
        same("the bits have gone", mode()?, 0o755)?;
        must("an own group", owner(&at("mine"), KEEP, GROUP))?;
        must("set-group-id", chmod(&at("mine"), 0o2755))?;
        same("stays", mode()?, 0o2755)
    })?;
    io(
        "a group that is not the user's",
        chown(at("mine"), Some(USER), Some(2000)),
    )?;
    as_user("a user", USER, USER, &[GROUP], || {
        must("set-group-id", chmod(&at("mine"), 0o6755))?;
        let facts = io("stat", fs::metadata(at("mine")))?;
        same("is left out", facts.mode() & 0o7777, 0o4755)
    })?;
    io("a directory of a group", fs::create_dir(at("g")))?;
    io("its group", chown(at("g"), Some(USER), Some(GROUP)))?;
    must("set-group-id", chmod(&at("g"), 0o2775))?;
    as_user("a user", USER, USER, &[], || {
        must("a directory", fsys::mkdir(&at("g/d"), 0o700))?;
        let facts = io("stat", fs::metadata(at("g/d")))?;
        same(
            "inherits",
            (facts.gid(), facts.mode() & 0o7000),
            (GROUP, 0o2000),
        )?;
        let made = must(
            "a program",
            fsys::open(&at("g/p"), libc::O_CREAT | libc::O_RDWR, 0o2755),
        )?;
        let facts = io("stat", fs::metadata(at("g/p")))?;
        same("of the group", facts.gid(), GROUP)?;
        same("that does not run as it", facts.mode() & 0o2000, 0)?;
        must("close", sys::call(libc::SYS_close, [made as u64])).map(drop)
    })
}
