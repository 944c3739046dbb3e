//! Files that are mapped while they are written and removed, by one process and by several (HF-6, HF-7, HF-12).

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use user::child;
use user::fsys::{self, Scratch, both, byte, filled, io, mapped};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, code, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "shared_files",
    about: "files written and removed while they are mapped",
    cases: &[
        ("stores_are_read", stores_are_read),
        ("writes_are_seen", writes_are_seen),
        ("private_copies_stay_private", private_copies_stay_private),
        (
            "rights_come_from_the_descriptor",
            rights_come_from_the_descriptor,
        ),
        ("removed_while_mapped", removed_while_mapped),
        ("two_processes_one_file", two_processes_one_file),
        ("children_share_or_copy", children_share_or_copy),
        ("memory_files", memory_files),
        ("written_from_its_own_mapping", written_from_its_own_mapping),
    ],
};

const SHARED: i32 = libc::MAP_SHARED;
const PRIVATE: i32 = libc::MAP_PRIVATE;

fn stores_are_read() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 3, 10)?;
    let map = mapped(&file, 3, map::RW, SHARED)?;
    mem::poke(map.page(1) + 5, 77);
    same("by its descriptor", byte(&file, PAGE + 5)?, 77)?;
    let other = io("open", File::open(dir.path("file")))?;
    same("by another", byte(&other, PAGE + 5)?, 77)?;
    let again = mapped(&file, 3, map::R, SHARED)?;
    same("by another mapping", mem::peek(again.start + PAGE + 5), 77)?;
    must(
        "msync",
        sys::call(
            libc::SYS_msync,
            [map.start, map.bytes(), libc::MS_SYNC as u64],
        ),
    )?;
    must("munmap", sys::munmap(map.start, map.bytes()))?;
    same("when it is gone", byte(&file, PAGE + 5)?, 77)
}

fn writes_are_seen() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 3, 10)?;
    let map = mapped(&file, 3, map::R, SHARED)?;
    let untouched = mapped(&file, 3, map::RW, PRIVATE)?;
    holds("as it was", map.holds(10))?;
    io("write", file.write_all_at(&[99; 10], PAGE - 5))?;
    same("the end of the first page", mem::peek(map.page(1) - 1), 99)?;
    same("the start of the second", mem::peek(map.page(1)), 99)?;
    same(
        "where nothing was touched before",
        mem::peek(untouched.page(1)),
        99,
    )
}

fn private_copies_stay_private() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 2, 10)?;
    let own = mapped(&file, 2, map::RW, PRIVATE)?;
    let shared = mapped(&file, 2, map::RW, SHARED)?;
    same("looked at", mem::peek(own.start), 10)?;
    mem::poke(shared.start, 50);
    same("follows until it is written to", mem::peek(own.start), 50)?;
    mem::poke(own.start + 1, 60);
    mem::poke(shared.start, 51);
    same("then it does not", mem::peek(own.start), 50)?;
    same("nor does the file", byte(&file, 1)?, 10)?;
    mem::poke(own.page(1), 61);
    same("not looked at before", byte(&file, PAGE)?, 11)
}

fn rights_come_from_the_descriptor() -> Verdict {
    let dir = Scratch::new()?;
    drop(filled(&dir, 1, 10)?);
    let with = |file: &File, prot, flags| Map::with(1, prot, flags, file.as_raw_fd());
    let reader = io("reader", File::open(dir.path("file")))?;
    refused("shared", with(&reader, map::RW, SHARED), libc::EACCES)?;
    let map = must("to read", with(&reader, map::R, SHARED))?;
    refused("later", map.protect(map::RW), libc::EACCES)?;
    let own = must("a copy", with(&reader, map::RW, PRIVATE))?;
    mem::poke(own.start, 1);
    let writer = io(
        "writer",
        OpenOptions::new().write(true).open(dir.path("file")),
    )?;
    refused("a writer", with(&writer, map::R, SHARED), libc::EACCES)?;
    refused("even so", with(&writer, map::RW, PRIVATE), libc::EACCES)?;
    let both = both(&dir.path("file"))?;
    let map = must("both", with(&both, map::R, SHARED))?;
    must("later", map.protect(map::RW))?;
    mem::poke(map.start, 2);
    same("is the file", byte(&reader, 0)?, 2)
}

fn removed_while_mapped() -> Verdict {
    let dir = Scratch::new()?;
    let map = {
        let file = filled(&dir, 2, 10)?;
        mapped(&file, 2, map::RW, SHARED)?
    };
    io("remove", fs::remove_file(dir.path("file")))?;
    holds("its bytes", map.holds(10))?;
    mem::poke(map.start, 1);
    let maps = io("maps", fs::read_to_string("/proc/self/maps"))?;
    let start = format!("{:x}-", map.start);
    let line = maps.lines().find(|line| line.starts_with(&start));
    let want = format!("{} (deleted)", dir.path("file").display());
    holds(
        "its name in maps",
        line.is_some_and(|line| line.ends_with(&want)),
    )?;
    let again = filled(&dir, 1, 50)?;
    same("a new file of that name", byte(&again, 0)?, 50)?;
    same("is another", mem::peek(map.start), 1)
}

/// Two processes that share nothing but a name count together, each on every second number.
fn two_processes_one_file() -> Verdict {
    const ROUNDS: u8 = 50;
    let dir = Scratch::new()?;
    drop(filled(&dir, 1, 0)?);
    let path = dir.path("file");
    let play = |first: u8| -> Verdict {
        let map = mapped(&both(&path)?, 1, map::RW, SHARED)?;
        for round in (first..ROUNDS).step_by(2) {
            while mem::peek(map.start) != round {
                let _ = sys::call(libc::SYS_sched_yield, []);
            }
            mem::poke(map.start, round + 1);
        }
        Ok(())
    };
    let child = must("fork", child::start(|| code(play(1))))?;
    play(0)?;
    same(
        "the other",
        must("wait", child::wait(child))?,
        child::Ended::Exited(0),
    )?;
    same("the count", io("read", fs::read(&path))?[0], ROUNDS)
}

fn children_share_or_copy() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 2, 10)?;
    let shared = mapped(&file, 2, map::RW, SHARED)?;
    let own = mapped(&file, 2, map::RW, PRIVATE)?;
    mem::poke(own.start, 60);
    lives("a child", || {
        mem::poke(shared.start, 70);
        mem::poke(own.start, 71);
        mem::poke(own.page(1), 72);
        0
    })?;
    same("what is shared", mem::peek(shared.start), 70)?;
    same("what is not", mem::peek(own.start), 60)?;
    same("nor was touched", mem::peek(own.page(1)), 11)?;
    same("nor is the file's", byte(&file, PAGE)?, 11)
}

fn memory_files() -> Verdict {
    let fd = must("memfd_create", fsys::memfd("thing", libc::MFD_CLOEXEC))?;
    let shown = io("readlink", fs::read_link(format!("/proc/self/fd/{fd}")))?;
    same(
        "its name",
        shown.display().to_string().as_str(),
        "/memfd:thing (deleted)",
    )?;
    let closes = must(
        "fcntl",
        sys::call(libc::SYS_fcntl, [fd as u64, libc::F_GETFD as u64]),
    )?;
    same("closed by exec", closes, libc::FD_CLOEXEC as u64)?;
    must(
        "size",
        sys::call(libc::SYS_ftruncate, [fd as u64, 3 * PAGE]),
    )?;
    let map = must("mmap", Map::with(3, map::RW, SHARED, fd))?;
    lives("a child", || {
        let Ok(other) = Map::with(3, map::RW, SHARED, fd) else {
            return 1;
        };
        other.fill(5);
        0
    })?;
    holds("what the child wrote", map.holds(5))?;
    let again = both(format!("/proc/self/fd/{fd}").as_ref())?;
    same("by another descriptor", byte(&again, 2 * PAGE)?, 7)?;
    let long = |len: usize| fsys::memfd(&"n".repeat(len), 0);
    must("a long name", long(249))?;
    refused("too long", long(250), libc::EINVAL)?;
    refused("unknown flags", fsys::memfd("x", 0x100), libc::EINVAL)
}

fn written_from_its_own_mapping() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 4, 10)?;
    let map = mapped(&file, 4, map::RW, SHARED)?;
    let fd = file.as_raw_fd() as u64;
    let write = |from, at| sys::call(libc::SYS_pwrite64, [fd, from, PAGE, at]);
    same("write", must("write", write(map.page(1), 0))?, PAGE)?;
    same("is there", mem::peek(map.start), 11)?;
    let fresh = mapped(&file, 4, map::RW, SHARED)?;
    same(
        "a page onto itself",
        must("write", write(fresh.page(2), 2 * PAGE))?,
        PAGE,
    )?;
    same("is what it was", mem::peek(map.page(2)), 12)?;
    let read = sys::call(libc::SYS_pread64, [fd, fresh.page(3), PAGE, PAGE]);
    same("read", must("read", read)?, PAGE)?;
    same("changes the file", byte(&file, 3 * PAGE)?, 11)
}
