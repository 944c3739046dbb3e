//! Files that are mapped while they are cut off, made longer and punched (HF-11, HF-13).

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use user::child;
use user::crash;
use user::fsys::{self, Scratch, both, byte, filled, io, mapped};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, must, refused, same};
use user::signals;
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "cut_files",
    about: "files cut off and punched while they are mapped",
    cases: &[
        ("beyond_the_end", beyond_the_end),
        ("cut_while_mapped", cut_while_mapped),
        ("copies_are_cut_as_well", copies_are_cut_as_well),
        ("cut_in_another_process", cut_in_another_process),
        ("tail_is_zeroed", tail_is_zeroed),
        ("punched_while_mapped", punched_while_mapped),
        ("pages_removed_by_advice", pages_removed_by_advice),
        ("stores_fill_holes", stores_fill_holes),
        ("cut_and_touched_at_once", cut_and_touched_at_once),
        ("punched_and_touched_at_once", punched_and_touched_at_once),
    ],
};

const SHARED: i32 = libc::MAP_SHARED;
const PRIVATE: i32 = libc::MAP_PRIVATE;

fn bus(what: &str, addr: u64) -> Verdict {
    dies(what, libc::SIGBUS, || crash::read(addr))?;
    dies(what, libc::SIGBUS, || crash::write(addr))
}

fn beyond_the_end() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 1, 10)?;
    io("half a page", file.write_all_at(&[20; 100], PAGE))?;
    for flags in [SHARED, PRIVATE] {
        let map = mapped(&file, 4, map::RW, flags)?;
        same("the last byte", mem::peek(map.page(1) + 99), 20)?;
        same("behind it", mem::peek(map.page(1) + 100), 0)?;
        same("to the page's end", mem::peek(map.page(2) - 1), 0)?;
        bus("the next page", map.page(2))?;
        bus("the last", map.page(3) + 4095)?;
    }
    let map = mapped(&file, 4, map::RW, SHARED)?;
    io("grow", file.set_len(3 * PAGE))?;
    same("now it is there", mem::peek(map.page(2)), 0)?;
    mem::poke(map.page(2), 5);
    same("and is the file", byte(&file, 2 * PAGE)?, 5)?;
    bus("still not the last", map.page(3))
}

fn cut_while_mapped() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 4, 10)?;
    let map = mapped(&file, 4, map::RW, SHARED)?;
    map.fill(30);
    io("cut", file.set_len(PAGE + 100))?;
    same("what stays", mem::peek(map.start), 30)?;
    same("in the cut page", mem::peek(map.page(1) + 99), 11)?;
    same("its tail", mem::peek(map.page(1) + 100), 0)?;
    bus("cut off", map.page(2))?;
    io("grow", file.set_len(4 * PAGE))?;
    same("zero again", mem::peek(map.page(2)), 0)?;
    same("and in the file", byte(&file, 3 * PAGE)?, 0)?;
    mem::poke(map.page(3), 9);
    same("it is the file", byte(&file, 3 * PAGE)?, 9)
}

/// HF-13: pages that a private mapping has made its own go with the file's.
fn copies_are_cut_as_well() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 4, 10)?;
    let own = mapped(&file, 4, map::RW, PRIVATE)?;
    own.fill(40);
    io("cut", file.set_len(PAGE + 1))?;
    same("a copy inside", mem::peek(own.start), 40)?;
    same("a copy of the cut page", mem::peek(own.page(1)), 41)?;
    same("keeps its tail", mem::peek(own.page(1) + 100), 11)?;
    bus("a copy beyond", own.page(2))?;
    io("grow", file.set_len(4 * PAGE))?;
    same("is the file's page again", mem::peek(own.page(2)), 0)?;
    mem::poke(own.page(2), 7);
    same("to be copied anew", byte(&file, 2 * PAGE)?, 0)
}

fn cut_in_another_process() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 2, 10)?;
    let [hear, tell] = must("pipe", sys::pipe())?;
    let [hear_back, tell_back] = must("pipe", sys::pipe())?;
    let mut token = [0_u8; 1];
    let child = must(
        "fork",
        child::start(|| {
            let Ok(map) = mapped(&file, 2, map::RW, PRIVATE) else {
                return 1;
            };
            map.fill(1);
            let _ = sys::write(tell, sys::at(&mut [1_u8]), 1);
            let _ = sys::read(hear_back, sys::at(&mut [0_u8]), 1);
            if mem::peek(map.start) != 1 {
                return 2;
            }
            crash::read(map.page(1))
        }),
    )?;
    must("wait", sys::read(hear, sys::at(&mut token), 1))?;
    io("cut", file.set_len(PAGE))?;
    must("tell", sys::write(tell_back, sys::at(&mut token), 1))?;
    let ended = must("wait", child::wait(child))?;
    same("the child", ended, child::Ended::Killed(libc::SIGBUS))
}

fn tail_is_zeroed() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 1, 10)?;
    let map = mapped(&file, 1, map::RW, SHARED)?;
    io("cut", file.set_len(1000))?;
    holds(
        "the tail is zero where it is mapped",
        (1000..PAGE).all(|at| mem::peek(map.start + at) == 0),
    )?;
    io("grow", file.set_len(PAGE))?;
    let bytes = io("read", fs::read(dir.path("file")))?;
    holds(
        "and in the file",
        bytes[1000..].iter().all(|byte| *byte == 0),
    )?;
    holds(
        "and not before it",
        bytes[..1000].iter().all(|byte| *byte == 10),
    )
}

fn punched_while_mapped() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 4, 10)?;
    let shared = mapped(&file, 4, map::RW, SHARED)?;
    let own = mapped(&file, 4, map::RW, PRIVATE)?;
    shared.fill(20);
    mem::poke(own.page(1), 99);
    same("only looked at", mem::peek(own.page(2)), 22)?;
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    must("punch", fsys::fallocate(&file, punch, PAGE, 2 * PAGE))?;
    same("two pages left", io("stat", file.metadata())?.blocks(), 16)?;
    same("a hole", mem::peek(shared.page(1)), 0)?;
    same("where it was looked at", mem::peek(own.page(2)), 0)?;
    same("a copy stays", mem::peek(own.page(1)), 99)?;
    same("a neighbour stays", mem::peek(shared.page(3)), 23)?;
    mem::poke(shared.page(2), 5);
    same("a new page", byte(&file, 2 * PAGE)?, 5)?;
    same("for all", mem::peek(own.page(2)), 5)
}

fn pages_removed_by_advice() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 4, 10)?;
    let advise = |at: u64, pages: u64| {
        let remove = libc::MADV_REMOVE as u64;
        sys::call(libc::SYS_madvise, [at, pages * PAGE, remove])
    };
    let shared = mapped(&file, 4, map::RW, SHARED)?;
    holds("as it was", shared.holds(10))?;
    must("remove", advise(shared.page(1), 2))?;
    same("is a hole", byte(&file, PAGE)?, 0)?;
    same("where it is mapped", mem::peek(shared.page(2)), 0)?;
    same("its neighbour", mem::peek(shared.page(3)), 13)?;
    let own = mapped(&file, 4, map::RW, PRIVATE)?;
    refused("a private one", advise(own.start, 1), libc::EACCES)?;
    let reader = io("open", File::open(dir.path("file")))?;
    let map = mapped(&reader, 4, map::R, SHARED)?;
    refused("a reader's", advise(map.start, 1), libc::EACCES)?;
    let anon = must("mmap", Map::anon(1, map::RW))?;
    refused("no file's", advise(anon.start, 1), libc::EINVAL)
}

fn stores_fill_holes() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("file"))?;
    io("grow", file.set_len(1 << 30))?;
    let pages = (1 << 30) / PAGE;
    let map = mapped(&file, pages, map::RW, SHARED)?;
    mem::poke(map.page(pages - 1), 3);
    mem::poke(map.page(1000), 4);
    same("two pages", io("stat", file.metadata())?.blocks(), 16)?;
    same("the first", byte(&file, 1000 * PAGE)?, 4)?;
    same("the last", byte(&file, (pages - 1) * PAGE)?, 3)?;
    let next = fsys::seek(&file, 0, libc::SEEK_DATA);
    same("data begins there", must("seek", next)?, 1000 * PAGE)
}

/// Starts a child that maps three pages of the file and goes to work on them.
fn with_child(file: &File, work: fn(Map) -> i32) -> Result<i32, String> {
    let started = child::start(|| mapped(file, 3, map::RW, SHARED).map_or(1, work));
    must("fork", started)
}

/// One process cuts and grows a file while another reads and stores: it sees zeros, what it stored, or SIGBUS.
fn cut_and_touched_at_once() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 3, 0)?;
    let child = with_child(&file, |map| {
        if signals::install(libc::SIGBUS, signals::go_on, 0, 0).is_err() {
            return 2;
        }
        for round in 0..2000 {
            let at = map.page(round % 3) + round;
            let _ = crash::write(at);
            let _ = crash::read(at);
        }
        0
    })?;
    for _ in 0..100 {
        io("cut", file.set_len(PAGE))?;
        io("grow", file.set_len(3 * PAGE))?;
    }
    let ended = must("wait", child::wait(child))?;
    same("the other", ended, child::Ended::Exited(0))?;
    io("cut", file.set_len(0))?;
    same("nothing is left", io("stat", file.metadata())?.blocks(), 0)
}

/// A hole is never the end of the file: nobody sees SIGBUS.
fn punched_and_touched_at_once() -> Verdict {
    let dir = Scratch::new()?;
    let file = filled(&dir, 3, 0)?;
    let child = with_child(&file, |map| {
        for round in 0..3000 {
            let at = map.page(round % 3) + round % PAGE;
            let _ = mem::peek(at);
            mem::poke(at, 1);
        }
        0
    })?;
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    for _ in 0..100 {
        must("punch", fsys::fallocate(&file, punch, 0, 3 * PAGE))?;
    }
    let ended = must("wait", child::wait(child))?;
    same("the other", ended, child::Ended::Exited(0))
}
