//! Mounts: what is seen where, what they forbid, how paths cross them.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use user::fsys::{self, Scratch, both, io};
use user::map;
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;

use super::permits::as_user;

pub(crate) const TOPIC: Topic = Topic {
    name: "mounts",
    about: "mounts, and paths across them",
    cases: &[
        ("seen_and_gone", seen_and_gone),
        ("bad_requests", bad_requests),
        ("in_use", in_use),
        ("binding", binding),
        ("read_only", read_only),
        ("forbidding", forbidding),
        ("limited", limited),
        ("shown", shown),
    ],
};

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default()
}

fn mount(source: &Path, target: &Path, kind: &str, flags: u64, options: &str) -> sys::Result {
    let (source, target) = (text(source), text(target));
    let (kind, options) = (text(Path::new(kind)), text(Path::new(options)));
    let args = [
        source.as_ptr() as u64,
        target.as_ptr() as u64,
        kind.as_ptr() as u64,
        flags,
        options.as_ptr() as u64,
    ];
    sys::call(libc::SYS_mount, args)
}

fn umount(target: &Path, flags: i32) -> sys::Result {
    let target = text(target);
    sys::call(libc::SYS_umount2, [target.as_ptr() as u64, flags as u64])
}

fn remount(target: &Path, flags: u64) -> sys::Result {
    mount(Path::new("none"), target, "", libc::MS_REMOUNT | flags, "")
}

/// A directory with a file system of its own mounted on `m` in it, in a table of mounts of its own where there
/// can be several.
struct Mounted(Scratch);

impl Mounted {
    fn new(flags: u64, options: &str) -> Result<Self, String> {
        // Only the host's Linux has several tables.
        let _ = sys::call(libc::SYS_unshare, [libc::CLONE_NEWNS as u64]);
        let private = libc::MS_REC | libc::MS_PRIVATE;
        let _ = mount(Path::new("none"), Path::new("/"), "", private, "");
        let dir = Scratch::new()?;
        io("a place", fs::create_dir(dir.path("m")))?;
        must(
            "mount",
            mount(Path::new("name"), &dir.path("m"), "tmpfs", flags, options),
        )?;
        Ok(Self(dir))
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        while umount(&self.at("m"), libc::MNT_DETACH).is_ok() {}
    }
}

fn seen_and_gone() -> Verdict {
    let dir = Mounted::new(0, "")?;
    let at = |name: &str| dir.at(name);
    io("a file", fs::write(at("m/f"), "x"))?;
    let dev = |name: &str| io("stat", fs::metadata(at(name))).map(|facts| facts.dev());
    holds("another device", dev("m")? != dev(".")?)?;
    same("the same below", dev("m/f")?, dev("m")?)?;
    same("and back", dev("m/..")?, dev(".")?)?;
    same(
        "link across",
        fsys::link(&at("m/f"), &at("f"), 0),
        Err(sys::Errno(libc::EXDEV)),
    )?;
    refused(
        "move across",
        fsys::rename(&at("m/f"), &at("f"), 0),
        libc::EXDEV,
    )?;
    refused(
        "remove",
        fsys::unlink(&at("m"), libc::AT_REMOVEDIR),
        libc::EBUSY,
    )?;
    refused("move", fsys::rename(&at("m"), &at("n"), 0), libc::EBUSY)?;
    must(
        "a second on top",
        mount(Path::new("x"), &at("m"), "tmpfs", 0, ""),
    )?;
    fsys::fails("hides the first", fs::metadata(at("m/f")), libc::ENOENT)?;
    must("away", umount(&at("m"), 0))?;
    io("there again", fs::metadata(at("m/f")))?;
    must("away", umount(&at("m"), 0))?;
    fsys::fails("gone", fs::metadata(at("m/f")), libc::ENOENT)?;
    refused("none is left", umount(&at("m"), 0), libc::EINVAL)
}

fn bad_requests() -> Verdict {
    let dir = Mounted::new(0, "")?;
    let at = |name: &str| dir.at(name);
    let name = Path::new("x");
    io("a file", fs::write(at("m/f"), "x"))?;
    io("a directory", fs::create_dir(at("m/d")))?;
    refused(
        "a kind",
        mount(name, &at("m/d"), "nonsense", 0, ""),
        libc::ENODEV,
    )?;
    refused(
        "a place",
        mount(name, &at("m/no"), "tmpfs", 0, ""),
        libc::ENOENT,
    )?;
    refused(
        "a file",
        mount(name, &at("m/f"), "tmpfs", 0, ""),
        libc::ENOTDIR,
    )?;
    refused(
        "an option",
        mount(name, &at("m/d"), "tmpfs", 0, "nonsense=1"),
        libc::EINVAL,
    )?;
    refused(
        "a size",
        mount(name, &at("m/d"), "tmpfs", 0, "size=x"),
        libc::EINVAL,
    )?;
    refused("not mounted", umount(&at("m/d"), 0), libc::EINVAL)?;
    refused("no such", umount(&at("m/no"), 0), libc::ENOENT)?;
    refused("flags", umount(&at("m"), 0x100), libc::EINVAL)?;
    refused("remount of nothing", remount(&at("m/d"), 0), libc::EINVAL)?;
    refused(
        "bind nothing",
        mount(&at("no"), &at("m/d"), "", libc::MS_BIND, ""),
        libc::ENOENT,
    )?;
    refused(
        "bind a file there",
        mount(&at("m/f"), &at("m/d"), "", libc::MS_BIND, ""),
        libc::ENOTDIR,
    )?;
    refused(
        "move what is none",
        mount(&at("m/d"), &at("."), "", libc::MS_MOVE, ""),
        libc::EINVAL,
    )?;
    as_user("a user", 1000, 1000, &[], || {
        refused(
            "mounts nothing",
            mount(name, &at("m/d"), "tmpfs", 0, ""),
            libc::EPERM,
        )?;
        refused("unmounts nothing", umount(&at("m"), 0), libc::EPERM)?;
        refused(
            "goes to no other root",
            sys::call(libc::SYS_chroot, [c"/".as_ptr() as u64]),
            libc::EPERM,
        )
    })
}

fn in_use() -> Verdict {
    let dir = Mounted::new(0, "")?;
    let at = |name: &str| dir.at(name);
    let file = both(&at("m/f"))?;
    refused("a file is open", umount(&at("m"), 0), libc::EBUSY)?;
    must("a page", fsys::ftruncate(&file, 4096))?;
    let map = fsys::mapped(&file, 1, map::RW, libc::MAP_SHARED)?;
    drop(file);
    refused("a file is mapped", umount(&at("m"), 0), libc::EBUSY)?;
    must("unmap", sys::munmap(map.start, map.bytes()))?;
    io("a place", fs::create_dir(at("m/d")))?;
    let inner = mount(Path::new("x"), &at("m/d"), "tmpfs", 0, "");
    must("another in it", inner)?;
    refused("one is there", umount(&at("m"), 0), libc::EBUSY)?;
    must("away", umount(&at("m/d"), 0))?;
    io("work there", std::env::set_current_dir(at("m/d")))?;
    refused("somebody works there", umount(&at("m"), 0), libc::EBUSY)?;
    must(
        "take it away nevertheless",
        umount(&at("m"), libc::MNT_DETACH),
    )?;
    io("the place is still there", fs::write("file", "x"))?;
    fsys::fails("but not in the tree", fs::metadata(at("m/d")), libc::ENOENT)?;
    io("home", std::env::set_current_dir("/"))
}

fn binding() -> Verdict {
    let dir = Mounted::new(0, "")?;
    let at = |name: &str| dir.at(name);
    io("a directory", fs::create_dir_all(at("m/a/sub")))?;
    io("another", fs::create_dir(at("m/b")))?;
    io("a file", fs::write(at("m/a/f"), "x"))?;
    must("bind", mount(&at("m/a"), &at("m/b"), "", libc::MS_BIND, ""))?;
    io("seen", fs::read(at("m/b/f")))?;
    io("made there", fs::write(at("m/b/g"), "y"))?;
    io("is here", fs::read(at("m/a/g")))?;
    let ino = |name: &str| io("stat", fs::metadata(at(name))).map(|facts| facts.ino());
    same("one directory", ino("m/a")?, ino("m/b")?)?;
    same("with another parent", ino("m/b/sub/../..")?, ino("m")?)?;
    refused(
        "no link between them",
        fsys::link(&at("m/a/f"), &at("m/b/h"), 0),
        libc::EXDEV,
    )?;
    refused(
        "no move",
        fsys::rename(&at("m/a/f"), &at("m/b/h"), 0),
        libc::EXDEV,
    )?;
    io("a file", fs::write(at("m/one"), "1"))?;
    io("and one", fs::write(at("m/two"), "2"))?;
    must(
        "bind a file",
        mount(&at("m/one"), &at("m/two"), "", libc::MS_BIND, ""),
    )?;
    same("is seen", io("read", fs::read(at("m/two")))?, b"1".to_vec())?;
    refused("stays", fsys::unlink(&at("m/two"), 0), libc::EBUSY)?;
    must("away", umount(&at("m/two"), 0))?;
    same("is back", io("read", fs::read(at("m/two")))?, b"2".to_vec())?;
    io("a place", fs::create_dir(at("m/c")))?;
    must("move", mount(&at("m/b"), &at("m/c"), "", libc::MS_MOVE, ""))?;
    io("is there", fs::read(at("m/c/f")))?;
    fsys::fails("not here", fs::read(at("m/b/f")), libc::ENOENT)?;
    let into = at("m/c/sub");
    refused(
        "into itself",
        mount(&at("m/c"), &into, "", libc::MS_MOVE, ""),
        libc::ELOOP,
    )?;
    must("away", umount(&at("m/c"), 0)).map(drop)
}

fn read_only() -> Verdict {
    let dir = Mounted::new(0, "")?;
    let at = |name: &str| dir.at(name);
    let no = libc::EROFS;
    let file = both(&at("m/f"))?;
    refused(
        "while it is written",
        remount(&at("m"), libc::MS_RDONLY),
        libc::EBUSY,
    )?;
    drop(file);
    must("read only", remount(&at("m"), libc::MS_RDONLY))?;
    refused("mkdir", fsys::mkdir(&at("m/d"), 0o700), no)?;
    refused(
        "mkdir of what is there",
        fsys::mkdir(&at("m/f"), 0o700),
        libc::EEXIST,
    )?;
    refused("unlink", fsys::unlink(&at("m/f"), 0), no)?;
    refused("rename", fsys::rename(&at("m/f"), &at("m/g"), 0), no)?;
    refused("open", fsys::open(&at("m/f"), libc::O_WRONLY, 0), no)?;
    refused(
        "make",
        fsys::open(&at("m/g"), libc::O_CREAT | libc::O_WRONLY, 0o600),
        no,
    )?;
    must(
        "open what is there",
        fsys::open(&at("m/f"), libc::O_CREAT | libc::O_RDONLY, 0o600),
    )?;
    let path = text(&at("m/f"));
    let path = path.as_ptr() as u64;
    refused("cut", sys::call(libc::SYS_truncate, [path, 0]), no)?;
    refused("chmod", sys::call(libc::SYS_chmod, [path, 0o600]), no)?;
    refused("chown", sys::call(libc::SYS_chown, [path, 0, 0]), no)?;
    refused("touch", sys::call(libc::SYS_utime, [path, 0]), no)?;
    refused(
        "access",
        sys::call(libc::SYS_access, [path, libc::W_OK as u64]),
        no,
    )?;
    must("write again", remount(&at("m"), 0))?;
    io("written", fs::write(at("m/f"), "y"))?;
    io("a place", fs::create_dir(at("m/b")))?;
    must("bind", mount(&at("m"), &at("m/b"), "", libc::MS_BIND, ""))?;
    must(
        "that alone",
        remount(&at("m/b"), libc::MS_BIND | libc::MS_RDONLY),
    )?;
    refused("there not", fsys::open(&at("m/b/f"), libc::O_WRONLY, 0), no)?;
    io("here", fs::write(at("m/f"), "z"))?;
    must("away", umount(&at("m/b"), 0)).map(drop)
}

fn forbidding() -> Verdict {
    let dir = Mounted::new(libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_NOSUID, "")?;
    let at = |name: &str| dir.at(name);
    must(
        "a device",
        fsys::mknod(&at("m/null"), libc::S_IFCHR | 0o666, 0x103),
    )?;
    refused(
        "is not opened",
        fsys::open(&at("m/null"), libc::O_RDONLY, 0),
        libc::EACCES,
    )?;
    io("a program", fs::copy("/proc/self/exe", at("m/p")))?;
    let run = || Command::new(at("m/p")).arg("nonsense").output();
    fsys::fails("is not run", run(), libc::EACCES)?;
    let path = text(&at("m/p"));
    let may = sys::call(libc::SYS_access, [path.as_ptr() as u64, libc::X_OK as u64]);
    refused("and said so", may, libc::EACCES)?;
    let fd = must("open", fsys::open(&at("m/p"), libc::O_RDONLY, 0))?;
    let map = |prot| sys::mmap(0, 4096, prot, libc::MAP_PRIVATE, fd as i32, 0);
    let exec = libc::PROT_READ | libc::PROT_EXEC;
    refused("nor mapped for that", map(exec), libc::EPERM)?;
    let page = must("mapped to be read", map(libc::PROT_READ))?;
    let change = sys::call(libc::SYS_mprotect, [page, 4096, exec as u64]);
    refused("and stays so", change, libc::EACCES)?;
    must("allowed", remount(&at("m"), 0))?;
    must("opened", fsys::open(&at("m/null"), libc::O_RDONLY, 0))?;
    io("run", run()).map(drop)
}

fn limited() -> Verdict {
    let dir = Mounted::new(0, "size=64k,nr_inodes=4,mode=700,uid=5,gid=6")?;
    let at = |name: &str| dir.at(name);
    let facts = io("stat", fs::metadata(at("m")))?;
    same(
        "as asked",
        (facts.mode() & 0o7777, facts.uid(), facts.gid()),
        (0o700, 5, 6),
    )?;
    let full = fs::write(at("m/f"), vec![1; 100 << 10]);
    fsys::fails("too much", full, libc::ENOSPC)?;
    same(
        "what fits",
        io("stat", fs::metadata(at("m/f")))?.len(),
        64 << 10,
    )?;
    io("away", fs::remove_file(at("m/f")))?;
    io("fits", fs::write(at("m/f"), vec![1; 60 << 10]))?;
    io("two", fs::write(at("m/g"), ""))?;
    io("three", fs::write(at("m/h"), ""))?;
    fsys::fails("too many", fs::write(at("m/i"), ""), libc::ENOSPC)
}

fn shown() -> Verdict {
    let dir = Mounted::new(libc::MS_NOSUID | libc::MS_NOATIME, "")?;
    let path = dir.at("m");
    let path = path.to_string_lossy();
    let mounts = io("mounts", fs::read_to_string("/proc/mounts"))?;
    let line = mounts
        .lines()
        .find(|line| line.split(' ').nth(1) == Some(&*path));
    let words: Vec<_> = line.unwrap_or("").split(' ').collect();
    same(
        "its source and kind",
        (words.first(), words.get(2)),
        (Some(&"name"), Some(&"tmpfs")),
    )?;
    let options = words.get(3).unwrap_or(&"");
    holds("its options", options.starts_with("rw,nosuid,noatime"))?;
    let info = io("mountinfo", fs::read_to_string("/proc/self/mountinfo"))?;
    let line = info
        .lines()
        .find(|line| line.split(' ').nth(4) == Some(&*path));
    let words: Vec<_> = line.unwrap_or("").split(' ').collect();
    let dev = io("stat", fs::metadata(&*path))?.dev();
    let dev = format!("{}:{}", libc::major(dev), libc::minor(dev));
    same(
        "device and root",
        (words.get(2), words.get(3)),
        (Some(&&*dev), Some(&"/")),
    )?;
    let parents = info
        .lines()
        .filter(|line| line.split(' ').next() == words.get(1).copied());
    same("its parent is there", parents.count(), 1)
}
