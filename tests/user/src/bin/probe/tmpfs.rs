//! Names of files in memory: made, moved, listed and removed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use user::fsys::{self, Scratch, both, fails, io};
use user::probe::{Topic, Verdict, holds, must, refused, same};

pub(crate) const TOPIC: Topic = Topic {
    name: "tmpfs",
    about: "files in memory: names, links, directories, owners",
    cases: &[
        ("directories", directories),
        ("removing", removing),
        ("links", links),
        ("symbolic_links", symbolic_links),
        ("renaming", renaming),
        ("renaming_directories", renaming_directories),
        ("exchanging", exchanging),
        ("removed_working_directory", removed_working_directory),
        ("listing_while_it_changes", listing_while_it_changes),
        ("long_names", long_names),
        ("owners_and_times", owners_and_times),
        ("other_file_systems", other_file_systems),
        ("nodes", nodes),
    ],
};

fn directories() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    must("mkdir", fsys::mkdir(&at("a"), 0o755))?;
    must("with a slash", fsys::mkdir(&at("a/b/"), 0o700))?;
    refused("again", fsys::mkdir(&at("a"), 0o755), libc::EEXIST)?;
    refused("the dot", fsys::mkdir(&at("a/."), 0o755), libc::EEXIST)?;
    refused(
        "below nothing",
        fsys::mkdir(&at("no/b"), 0o755),
        libc::ENOENT,
    )?;
    io("a file", fs::write(at("f"), "x"))?;
    refused(
        "below a file",
        fsys::mkdir(&at("f/b"), 0o755),
        libc::ENOTDIR,
    )?;
    let links = |name| io("stat", fs::metadata(at(name))).map(|facts| facts.nlink());
    same("two names and a child", links("a")?, 3)?;
    same(
        "permissions",
        io("stat", fs::metadata(at("a/b")))?.mode(),
        0o40700,
    )?;
    let gone = |name, flags| fsys::unlink(&at(name), flags);
    refused("not empty", gone("a", libc::AT_REMOVEDIR), libc::ENOTEMPTY)?;
    refused("no directory", gone("f", libc::AT_REMOVEDIR), libc::ENOTDIR)?;
    refused("the dot", gone("a/.", libc::AT_REMOVEDIR), libc::EINVAL)?;
    refused(
        "the dots",
        gone("a/b/..", libc::AT_REMOVEDIR),
        libc::ENOTEMPTY,
    )?;
    refused("missing", gone("no", libc::AT_REMOVEDIR), libc::ENOENT)?;
    must("rmdir", gone("a/b/", libc::AT_REMOVEDIR))?;
    same("the child is gone", links("a")?, 2)?;
    must("rmdir", gone("a", libc::AT_REMOVEDIR))?;
    fails("and the directory", fs::metadata(at("a")), libc::ENOENT)
}

fn removing() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    io("a directory", fs::create_dir(at("d")))?;
    io("a file", fs::write(at("f"), "x"))?;
    refused("a directory", fsys::unlink(&at("d"), 0), libc::EISDIR)?;
    refused(
        "a file with a slash",
        fsys::unlink(&at("f/"), 0),
        libc::ENOTDIR,
    )?;
    refused("missing", fsys::unlink(&at("no"), 0), libc::ENOENT)?;
    refused("an odd flag", fsys::unlink(&at("f"), 1), libc::EINVAL)?;
    must("the file", fsys::unlink(&at("f"), 0))?;
    refused("twice", fsys::unlink(&at("f"), 0), libc::ENOENT)
}

fn links() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    io("a file", fs::write(at("a"), "one"))?;
    must("link", fsys::link(&at("a"), &at("b"), 0))?;
    let facts = |name: &str| io("stat", fs::metadata(at(name)));
    same("one file", facts("a")?.ino(), facts("b")?.ino())?;
    same("two names", facts("a")?.nlink(), 2)?;
    io("write through one", fs::write(at("b"), "two"))?;
    same(
        "read through the other",
        io("read", fs::read(at("a")))?,
        b"two".to_vec(),
    )?;
    refused("taken", fsys::link(&at("a"), &at("b"), 0), libc::EEXIST)?;
    refused("missing", fsys::link(&at("no"), &at("c"), 0), libc::ENOENT)?;
    refused(
        "a directory",
        fsys::link(dir.root(), &at("c"), 0),
        libc::EPERM,
    )?;
    refused("a slash", fsys::link(&at("a"), &at("c/"), 0), libc::ENOENT)?;
    io("remove one", fs::remove_file(at("a")))?;
    same("one name left", facts("b")?.nlink(), 1)
}

fn symbolic_links() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    io("a link to nothing", symlink("target", at("l")))?;
    fails("leads nowhere", fs::metadata(at("l")), libc::ENOENT)?;
    let facts = io("lstat", fs::symlink_metadata(at("l")))?;
    same("its size", facts.len(), 6)?;
    same(
        "what it says",
        io("readlink", fs::read_link(at("l")))?,
        "target".into(),
    )?;
    io("write through it", fs::write(at("l"), "x"))?;
    same(
        "makes its target",
        io("read", fs::read(at("target")))?,
        b"x".to_vec(),
    )?;
    let exclusive = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    refused(
        "exclusive",
        fsys::open(&at("l"), exclusive, 0o600),
        libc::EEXIST,
    )?;
    let kept = fsys::open(&at("l"), libc::O_NOFOLLOW, 0);
    refused("not followed", kept, libc::ELOOP)?;
    fails("taken", symlink("x", at("l")), libc::EEXIST)?;
    fails("empty", symlink("", at("m")), libc::ENOENT)?;
    io("itself", symlink("loop", at("loop")))?;
    fails("leads nowhere", fs::metadata(at("loop")), libc::ELOOP)?;
    io("removed", fs::remove_file(at("l")))?;
    holds("not its target", at("target").exists())
}

fn renaming() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    io("a", fs::write(at("a"), "a"))?;
    io("b", fs::write(at("b"), "b"))?;
    let moved = |old: &str, new: &str, flags| fsys::rename(&at(old), &at(new), flags);
    refused(
        "taken",
        moved("a", "b", libc::RENAME_NOREPLACE),
        libc::EEXIST,
    )?;
    must("replaced", moved("a", "b", 0))?;
    same("b is a", io("read", fs::read(at("b")))?, b"a".to_vec())?;
    refused("a is gone", moved("a", "c", 0), libc::ENOENT)?;
    must("onto itself", moved("b", "b", 0))?;
    must("another name of it", fsys::link(&at("b"), &at("c"), 0))?;
    must("onto another name", moved("b", "c", 0))?;
    holds("both stay", at("b").exists() && at("c").exists())?;
    refused("a slash", moved("b", "d/", 0), libc::ENOTDIR)?;
    refused("the dot", moved(".", "d", 0), libc::EBUSY)?;
    refused("to the dots", moved("b", "..", 0), libc::EBUSY)?;
    io("a directory", fs::create_dir(at("dir")))?;
    refused("onto a directory", moved("b", "dir", 0), libc::EISDIR)?;
    refused(
        "a directory onto a file",
        moved("dir", "b", 0),
        libc::ENOTDIR,
    )?;
    must("into a directory", moved("b", "dir/b", 0))?;
    same(
        "it is there",
        io("read", fs::read(at("dir/b")))?,
        b"a".to_vec(),
    )
}

fn renaming_directories() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    let moved = |old: &str, new: &str| fsys::rename(&at(old), &at(new), 0);
    io("directories", fs::create_dir_all(at("a/b/c")))?;
    io("another", fs::create_dir_all(at("full/x")))?;
    io("an empty one", fs::create_dir(at("empty")))?;
    refused("into itself", moved("a", "a/b/c/d"), libc::EINVAL)?;
    refused("its own child", moved("a", "a/b"), libc::EINVAL)?;
    refused("onto its parent", moved("a/b/c", "a"), libc::ENOTEMPTY)?;
    refused("onto a full one", moved("a", "full"), libc::ENOTEMPTY)?;
    must("onto an empty one", moved("a", "empty"))?;
    holds(
        "all of it moved",
        at("empty/b/c").is_dir() && !at("a").exists(),
    )?;
    must("up", moved("empty/b/c", "c"))?;
    let links = |name| io("stat", fs::metadata(at(name))).map(|facts| facts.nlink());
    same("its old parent lost a link", links("empty/b")?, 2)?;
    let up = io("up", fs::canonicalize(at("c/..")))?;
    same("its parent is the new one", up, dir.root().to_path_buf())
}

fn exchanging() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    io("a file", fs::write(at("file"), "x"))?;
    io("directories", fs::create_dir_all(at("d/sub")))?;
    let swap = |old: &str, new: &str| fsys::rename(&at(old), &at(new), libc::RENAME_EXCHANGE);
    refused("missing", swap("file", "no"), libc::ENOENT)?;
    refused("with its child", swap("d", "d/sub"), libc::EINVAL)?;
    refused("with its parent", swap("d/sub", "d"), libc::EINVAL)?;
    must("a file and a directory", swap("file", "d/sub"))?;
    holds(
        "changed places",
        at("file").is_dir() && at("d/sub").is_file(),
    )?;
    let links = |name| io("stat", fs::metadata(at(name))).map(|facts| facts.nlink());
    same("links", (links("d")?, links("")?), (2, 4))?;
    let both = libc::RENAME_EXCHANGE | libc::RENAME_NOREPLACE;
    refused(
        "both",
        fsys::rename(&at("file"), &at("d"), both),
        libc::EINVAL,
    )
}

fn removed_working_directory() -> Verdict {
    let dir = Scratch::new()?;
    io("mkdir", fs::create_dir_all(dir.path("a/b")))?;
    io("cd", std::env::set_current_dir(dir.path("a/b")))?;
    io("rmdir", fs::remove_dir(dir.path("a/b")))?;
    io("rmdir", fs::remove_dir(dir.path("a")))?;
    fails("nothing is made here", fs::write("x", "x"), libc::ENOENT)?;
    fails("nor below", fs::create_dir("y"), libc::ENOENT)?;
    fails("no path", std::env::current_dir(), libc::ENOENT)?;
    let names = io("list", fs::read_dir("."))?.count();
    same("an empty listing", names, 0)?;
    let up = io("up", fs::metadata(".."))?.nlink();
    same("the parent is gone as well", up, 0)
}

fn listing_while_it_changes() -> Verdict {
    let dir = Scratch::new()?;
    let name = |number: u32| format!("file-{number:04}");
    for number in 0..400 {
        io("make", fs::write(dir.path(&name(number)), ""))?;
    }
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for (step, entry) in (0..).zip(io("list", fs::read_dir(dir.root()))?) {
        let entry = io("entry", entry)?;
        *seen
            .entry(entry.file_name().to_string_lossy().into_owned())
            .or_default() += 1;
        if step < 200 {
            let _ = fs::remove_file(dir.path(&name(2 * step + 1)));
        }
    }
    let stays = (0..400)
        .step_by(2)
        .all(|number| seen.get(&name(number)) == Some(&1));
    holds("what stays is listed once", stays)?;
    holds("nothing twice", seen.values().all(|times| *times == 1))?;
    same(
        "half is left",
        io("list", fs::read_dir(dir.root()))?.count(),
        200,
    )
}

fn long_names() -> Verdict {
    let dir = Scratch::new()?;
    let longest = "n".repeat(255);
    io("255 bytes", fs::write(dir.path(&longest), "x"))?;
    let listed = io("list", fs::read_dir(dir.root()))?.count();
    same("is listed", listed, 1)?;
    let longer = "n".repeat(256);
    fails(
        "256 to make",
        fs::write(dir.path(&longer), "x"),
        libc::ENAMETOOLONG,
    )?;
    fails(
        "to make a directory",
        fs::create_dir(dir.path(&longer)),
        libc::ENAMETOOLONG,
    )?;
    let moved = fs::rename(dir.path(&longest), dir.path(&longer));
    fails("to move", moved, libc::ENAMETOOLONG)?;
    let path = "x/".repeat(2050);
    fails(
        "a long path",
        fs::metadata(dir.path(&path)),
        libc::ENAMETOOLONG,
    )
}

fn owners_and_times() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("a");
    io("write", fs::write(&path, "x"))?;
    io(
        "chmod",
        fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)),
    )?;
    same("mode", io("stat", fs::metadata(&path))?.mode(), 0o104_751)?;
    let file = both(&path)?;
    let when = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000, 5_000);
    let times = fs::FileTimes::new().set_modified(when).set_accessed(when);
    io("utimens", file.set_times(times))?;
    let facts = io("stat", fs::metadata(&path))?;
    same(
        "mtime",
        (facts.mtime(), facts.mtime_nsec()),
        (1_000_000, 5_000),
    )?;
    same(
        "atime",
        (facts.atime(), facts.atime_nsec()),
        (1_000_000, 5_000),
    )?;
    io("write", file.write_all_at(b"y", 0))?;
    let facts = io("stat", fs::metadata(&path))?;
    holds("a write is news", facts.mtime() > 1_000_000)?;
    holds("and a change", facts.ctime() >= facts.mtime())
}

fn other_file_systems() -> Verdict {
    let dir = Scratch::new()?;
    io("a file", fs::write(dir.path("a"), "x"))?;
    let away = Path::new("/proc/a");
    refused("rename", fsys::rename(&dir.path("a"), away, 0), libc::EXDEV)?;
    fails("make", fs::write("/proc/new", "x"), libc::ENOENT)?;
    fails(
        "make a directory",
        fs::create_dir("/proc/new"),
        libc::ENOENT,
    )?;
    fails("remove", fs::remove_file("/proc/uptime"), libc::EPERM)?;
    let [kind, blocks, free, files, files_free] = must("statfs", fsys::statfs(dir.root()))?;
    same("a file system in memory", kind, 0x0102_1994)?;
    holds("room", blocks > free && free > 0 && files > files_free)?;
    let [kind, ..] = must("statfs", fsys::statfs(Path::new("/proc")))?;
    same("the kernel's facts", kind, 0x9fa0)
}

fn nodes() -> Verdict {
    let dir = Scratch::new()?;
    let at = |name: &str| dir.path(name);
    must("a file", fsys::mknod(&at("f"), libc::S_IFREG | 0o600, 0))?;
    same(
        "is one",
        io("stat", fs::metadata(at("f")))?.mode(),
        0o100_600,
    )?;
    refused(
        "again",
        fsys::mknod(&at("f"), libc::S_IFREG, 0),
        libc::EEXIST,
    )?;
    refused(
        "a directory",
        fsys::mknod(&at("d"), libc::S_IFDIR, 0),
        libc::EPERM,
    )?;
    refused(
        "nonsense",
        fsys::mknod(&at("d"), libc::S_IFLNK, 0),
        libc::EINVAL,
    )?;
    let mut full = io("full", OpenOptions::new().write(true).open("/dev/full"))?;
    fails("no room", full.write(b"x"), libc::ENOSPC)
}
