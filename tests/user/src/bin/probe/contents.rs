//! Bytes of files in memory: written, read, cut off, punched out.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

use user::fsys::{self, Scratch, both, fails, io};
use user::lodger::{self, Counters};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "contents",
    about: "files in memory: bytes, sizes, holes, room",
    cases: &[
        ("write_and_read_back", write_and_read_back),
        ("append", append),
        ("open_flags", open_flags),
        ("holes_and_sizes", holes_and_sizes),
        ("positions_of_data", positions_of_data),
        ("punched_holes", punched_holes),
        ("sizes_at_the_edge", sizes_at_the_edge),
        ("unlinked_files_live_on", unlinked_files_live_on),
        ("nameless_files", nameless_files),
        ("vectors", vectors),
        ("programs_can_be_written", programs_can_be_written),
        ("full_file_system", full_file_system),
        ("nothing_is_left_behind", nothing_is_left_behind),
    ],
};

fn write_and_read_back() -> Verdict {
    let dir = Scratch::new()?;
    let mut file = both(&dir.path("a"))?;
    let bytes: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
    io("write", file.write_all(&bytes))?;
    io("rewind", file.rewind())?;
    let mut back = Vec::new();
    io("read", file.read_to_end(&mut back))?;
    holds("what was written comes back", back == bytes)?;
    io("write in the middle", file.write_all_at(b"middle", 4090))?;
    let mut piece = [0; 10];
    io("read there", file.read_exact_at(&mut piece, 4088))?;
    let want = [&bytes[4088..4090], b"middle", &bytes[4096..4098]].concat();
    same("across two pages", piece.to_vec(), want)?;
    let size = io("stat", file.metadata())?.len();
    same("the size", size, 20_000)
}

fn append() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("log");
    let mut options = OpenOptions::new();
    let mut first = io("open", options.append(true).create(true).open(&path))?;
    let mut second = io("open", OpenOptions::new().append(true).open(&path))?;
    io("write", first.write_all(b"one "))?;
    io("write", second.write_all(b"two "))?;
    io("write", first.write_all(b"three"))?;
    same(
        "the file",
        io("read", fs::read(&path))?,
        b"one two three".to_vec(),
    )?;
    same(
        "the first one's position",
        io("tell", first.stream_position())?,
        13,
    )?;
    same("the second one's", io("tell", second.stream_position())?, 8)
}

fn open_flags() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("a");
    let missing = fsys::open(&path, libc::O_RDONLY, 0);
    refused("missing", missing, libc::ENOENT)?;
    let exclusive = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    let fd = must("exclusive", fsys::open(&path, exclusive, 0o640))?;
    refused("again", fsys::open(&path, exclusive, 0o640), libc::EEXIST)?;
    must("write", sys::write(fd, b"abc".as_ptr() as u64, 3))?;
    refused(
        "read",
        sys::read(fd, sys::at(&mut [0_u8; 4]), 4),
        libc::EBADF,
    )?;
    let reader = must("to read", fsys::open(&path, libc::O_RDONLY, 0))?;
    let refusal = sys::write(reader, b"abc".as_ptr() as u64, 3);
    refused("write", refusal, libc::EBADF)?;
    must(
        "emptied",
        fsys::open(&path, libc::O_WRONLY | libc::O_TRUNC, 0),
    )?;
    same("nothing", io("stat", fs::metadata(&path))?.len(), 0)?;
    let of = |name: &str, flags| fsys::open(&dir.path(name), flags, 0o600);
    refused("a slash", of("b/", libc::O_CREAT), libc::EISDIR)?;
    refused("below a file", of("a/b", libc::O_CREAT), libc::ENOTDIR)?;
    refused("below nothing", of("no/b", libc::O_CREAT), libc::ENOENT)?;
    refused("a directory to write", of("", libc::O_WRONLY), libc::EISDIR)?;
    refused("a directory to make", of(".", libc::O_CREAT), libc::EISDIR)?;
    refused(
        "a file as directory",
        of("a", libc::O_DIRECTORY),
        libc::ENOTDIR,
    )?;
    let contradiction = of("c", libc::O_DIRECTORY | libc::O_CREAT);
    refused("both", contradiction, libc::EINVAL)
}

fn holes_and_sizes() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("a"))?;
    io("write far away", file.write_all_at(b"end", 1 << 30))?;
    let facts = io("stat", file.metadata())?;
    same("the size", facts.len(), (1 << 30) + 3)?;
    same("one page", facts.blocks(), 8)?;
    let mut piece = [1; 8];
    io("read the hole", file.read_exact_at(&mut piece, 12345))?;
    same("zeros", piece, [0; 8])?;
    io("shrink", file.set_len(2))?;
    same("no page", io("stat", file.metadata())?.blocks(), 0)?;
    io("grow", file.set_len(5000))?;
    same(
        "zeros again",
        io("read", fs::read(dir.path("a")))?,
        vec![0; 5000],
    )?;
    io("fill", file.write_all_at(&[7; 5000], 0))?;
    io("cut in a page", file.set_len(100))?;
    io("grow", file.set_len(300))?;
    let want = [[7; 100].as_slice(), &[0; 200]].concat();
    same(
        "the tail is gone",
        io("read", fs::read(dir.path("a")))?,
        want,
    )
}

fn positions_of_data() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("a"))?;
    let at = |offset, whence| fsys::seek(&file, offset, whence);
    refused("data in an empty file", at(0, libc::SEEK_DATA), libc::ENXIO)?;
    io("write", file.write_all_at(&[1], 3 * 4096))?;
    io("grow", file.set_len(10 * 4096))?;
    same("the data", must("data", at(5, libc::SEEK_DATA))?, 3 * 4096)?;
    same(
        "inside it",
        must("data", at(3 * 4096 + 7, libc::SEEK_DATA))?,
        3 * 4096 + 7,
    )?;
    refused("no more data", at(4 * 4096, libc::SEEK_DATA), libc::ENXIO)?;
    same("a hole here", must("hole", at(5, libc::SEEK_HOLE))?, 5)?;
    same(
        "a hole behind",
        must("hole", at(3 * 4096, libc::SEEK_HOLE))?,
        4 * 4096,
    )?;
    refused("at the end", at(10 * 4096, libc::SEEK_HOLE), libc::ENXIO)?;
    refused("before the start", at(-1, libc::SEEK_SET), libc::EINVAL)
}

fn punched_holes() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("a"))?;
    io("fill", file.write_all_at(&[7; 5 * 4096], 0))?;
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    must("punch", fsys::fallocate(&file, punch, 4000, 8192))?;
    let bytes = io("read", fs::read(dir.path("a")))?;
    let holes = (0..bytes.len()).filter(|at| bytes[*at] == 0);
    holds("exactly the hole is zero", holes.eq(4000..12192))?;
    same(
        "four pages left",
        io("stat", file.metadata())?.blocks(),
        4 * 8,
    )?;
    must("reserve", fsys::fallocate(&file, 0, 0, 6 * 4096))?;
    let facts = io("stat", file.metadata())?;
    same(
        "longer, and without holes",
        (facts.len(), facts.blocks()),
        (6 * 4096, 48),
    )?;
    must(
        "keep",
        fsys::fallocate(&file, libc::FALLOC_FL_KEEP_SIZE, 0, 8 * 4096),
    )?;
    same("not longer", io("stat", file.metadata())?.len(), 6 * 4096)?;
    refused("nothing", fsys::fallocate(&file, 0, 0, 0), libc::EINVAL)?;
    // The host's disk may be large, and would be full meanwhile.
    if lodger::here() {
        refused(
            "more than there is",
            fsys::fallocate(&file, 0, 0, 1 << 42),
            libc::ENOSPC,
        )?;
        same("none of it", io("stat", file.metadata())?.blocks(), 64)?;
    }
    let bare = fsys::fallocate(&file, libc::FALLOC_FL_PUNCH_HOLE, 0, 1);
    refused("a hole at the end", bare, libc::EOPNOTSUPP)
}

fn sizes_at_the_edge() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("a"))?;
    refused("negative", fsys::ftruncate(&file, 1 << 63), libc::EINVAL)?;
    must("the longest", fsys::ftruncate(&file, i64::MAX as u64))?;
    let beyond = file.write_at(b"x", i64::MAX as u64);
    fails("beyond all positions", beyond, libc::EINVAL)?;
    let mut appender = io("open", OpenOptions::new().append(true).open(dir.path("a")))?;
    fails("at its end", appender.write(b"x"), libc::EFBIG)?;
    let end = must("the end", fsys::seek(&file, 0, libc::SEEK_END))?;
    same("its end", end, i64::MAX as u64)?;
    refused(
        "past the end",
        fsys::seek(&file, 1, libc::SEEK_CUR),
        libc::EINVAL,
    )?;
    must("empty again", fsys::ftruncate(&file, 0))?;
    let reader = io("reader", File::open(dir.path("a")))?;
    refused("a reader", fsys::ftruncate(&reader, 0), libc::EINVAL)?;
    refused("a directory", fsys::truncate(dir.root(), 0), libc::EISDIR)?;
    refused("nothing", fsys::truncate(&dir.path("no"), 0), libc::ENOENT)
}

fn unlinked_files_live_on() -> Verdict {
    let dir = Scratch::new()?;
    let mut file = both(&dir.path("a"))?;
    io("write", file.write_all(b"still here"))?;
    io("remove", fs::remove_file(dir.path("a")))?;
    same("no name", io("stat", file.metadata())?.nlink(), 0)?;
    io("rewind", file.seek(SeekFrom::Start(6)))?;
    let mut back = String::new();
    io("read", file.read_to_string(&mut back))?;
    same("its bytes", back.as_str(), "here")?;
    let shown = io(
        "link",
        fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())),
    )?;
    let want = format!("{} (deleted)", dir.path("a").display());
    same("its name", shown.display().to_string(), want)
}

fn nameless_files() -> Verdict {
    let dir = Scratch::new()?;
    let fd = must(
        "open",
        fsys::open(dir.root(), libc::O_TMPFILE | libc::O_RDWR, 0o600),
    )?;
    must("write", sys::write(fd, b"abc".as_ptr() as u64, 3))?;
    let own = format!("/proc/self/fd/{fd}");
    same("reopened", io("read", fs::read(&own))?, b"abc".to_vec())?;
    let reader = fsys::open(dir.root(), libc::O_TMPFILE | libc::O_RDONLY, 0o600);
    refused("only to read", reader, libc::EINVAL)?;
    same("no name", io("list", fs::read_dir(dir.root()))?.count(), 0)
}

fn vectors() -> Verdict {
    let dir = Scratch::new()?;
    let mut file = both(&dir.path("a"))?;
    let parts = [
        std::io::IoSlice::new(b"one "),
        std::io::IoSlice::new(b"two"),
    ];
    same("writev", io("writev", file.write_vectored(&parts))?, 7)?;
    let half = vec![5_u8; 4096];
    let bad = sys::write(file.as_raw_fd(), 0x1000, 4096);
    refused("from nowhere", bad, libc::EFAULT)?;
    same("nothing was added", io("stat", file.metadata())?.len(), 7)?;
    io("more", file.write_all(&half))?;
    let at = |offset: u64| file.read_at(&mut [0; 8], offset);
    same("at the end", io("pread", at(4103))?, 0)?;
    let fd = file.as_raw_fd() as u64;
    let negative = sys::call(libc::SYS_pwrite64, [fd, half.as_ptr() as u64, 1, u64::MAX]);
    refused("a negative offset", negative, libc::EINVAL)
}

fn programs_can_be_written() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("copy");
    let own = io("own path", std::env::current_exe())?;
    io("copy", fs::copy(own, &path))?;
    let output = io(
        "run",
        std::process::Command::new(&path).args(["null"]).status(),
    )?;
    same("its code", output.code(), Some(0))?;
    io(
        "a script",
        fs::write(dir.path("s"), format!("#!{} null\n", path.display())),
    )?;
    let denied = std::process::Command::new(dir.path("s")).status();
    fails("not executable", denied, libc::EACCES)?;
    io(
        "chmod",
        fs::set_permissions(dir.path("s"), fs::Permissions::from_mode(0o755)),
    )?;
    let output = io("run", std::process::Command::new(dir.path("s")).status())?;
    same("the script's", output.code(), Some(0))
}

/// Only where the file system is small, and the test's own.
fn full_file_system() -> Verdict {
    if !lodger::here() {
        return Ok(());
    }
    let dir = Scratch::new()?;
    let mut counters = Counters::new();
    counters.take();
    let before = counters.get("frames_page_cache");
    let mut file = both(&dir.path("big"))?;
    let piece = vec![1_u8; 1 << 20];
    let full = loop {
        if let Err(error) = file.write_all(&piece) {
            break error.raw_os_error();
        }
    };
    same("it is full", full, Some(libc::ENOSPC))?;
    fails(
        "for others too",
        fs::write(dir.path("b"), "x"),
        libc::ENOSPC,
    )?;
    let [_, _, free, ..] = must("statfs", fsys::statfs(dir.root()))?;
    same("no page is left", free, 0)?;
    drop(file);
    io("remove", fs::remove_file(dir.path("big")))?;
    io("room again", fs::write(dir.path("b"), "x"))?;
    io("remove", fs::remove_file(dir.path("b")))?;
    counters.take();
    same(
        "all pages came back",
        counters.get("frames_page_cache"),
        before,
    )
}

fn nothing_is_left_behind() -> Verdict {
    let dir = Scratch::new()?;
    let mut counters = Counters::new();
    let work = || {
        let file = both(&dir.path("a"))?;
        io("write", file.write_all_at(&[1; 9000], 1 << 20))?;
        io("cut", file.set_len(5000))?;
        io("link", fs::hard_link(dir.path("a"), dir.path("b")))?;
        io("mkdir", fs::create_dir_all(dir.path("d/e/f")))?;
        io("move", fs::rename(dir.path("a"), dir.path("d/e/g")))?;
        io("remove", fs::remove_dir_all(dir.path("d")))?;
        io("remove", fs::remove_file(dir.path("b")))
    };
    let room = || must("statfs", fsys::statfs(dir.root()));
    // The first time brings in pages of the program itself.
    work()?;
    counters.take();
    let before = (
        counters.get("frames_page_cache"),
        lodger::here().then(room).transpose()?,
    );
    for _ in 0..50 {
        work()?;
    }
    counters.take();
    let after = (
        counters.get("frames_page_cache"),
        lodger::here().then(room).transpose()?,
    );
    same("pages, room and files", after, before)
}
