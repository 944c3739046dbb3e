//! mincore and msync: what is in memory, and what is asked to leave it.

use user::map::{self, ANON, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, lives, must, refused, same};
use user::{fsys, sys};

pub(crate) const TOPIC: Topic = Topic {
    name: "residency",
    about: "mincore, MAP_POPULATE, msync",
    cases: &[
        ("touched_pages_are_present", touched_pages_are_present),
        ("shared_pages_are_everybodys", shared_pages_are_everybodys),
        (
            "pages_of_files_are_the_caches",
            pages_of_files_are_the_caches,
        ),
        (
            "populate_fills_what_may_be_touched",
            populate_fills_what_may_be_touched,
        ),
        (
            "mincore_asks_for_mapped_pages",
            mincore_asks_for_mapped_pages,
        ),
        ("a_vector_may_end_anywhere", a_vector_may_end_anywhere),
        ("msync_asks_for_mapped_pages", msync_asks_for_mapped_pages),
        (
            "msync_shows_files_what_was_written",
            msync_shows_files_what_was_written,
        ),
    ],
};

const SHARED: i32 = libc::MAP_SHARED | libc::MAP_ANONYMOUS;

fn mincore(start: u64, len: u64, vector: u64) -> sys::Result {
    sys::call(libc::SYS_mincore, [start, len, vector])
}

fn msync(map: Map, flags: i32) -> sys::Result {
    sys::call(libc::SYS_msync, [map.start, map.bytes(), flags as u64])
}

fn file(pages: u64) -> Result<i32, String> {
    let fd = must("memfd_create", fsys::memfd("residency", 0))?;
    must(
        "ftruncate",
        sys::call(libc::SYS_ftruncate, [fd as u64, pages * PAGE]),
    )?;
    Ok(fd)
}

/// HF-4: a page that was only read is there as well, though it is everybody's page of zeros.
fn touched_pages_are_present() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    let _ = mem::peek(map.page(1));
    mem::poke(map.page(2), 1);
    same("touched", map.present(), vec![false, true, true, false])?;
    must("none", map.protect(map::NONE))?;
    same(
        "without access",
        map.present(),
        vec![false, true, true, false],
    )?;
    must("dontneed", map.advise(libc::MADV_DONTNEED))?;
    same("dropped", map.present(), vec![false; 4])
}

/// HF-6: a page is in memory when its object has it, whoever touched it.
fn shared_pages_are_everybodys() -> Verdict {
    let map = must("mmap", Map::with(4, map::RW, SHARED, -1))?;
    lives("a child", || {
        mem::poke(map.page(2), 1);
        0
    })?;
    same("a child's", map.present(), vec![false, false, true, false])?;
    let _ = mem::peek(map.page(0));
    must("dontneed", map.advise(libc::MADV_DONTNEED))?;
    same(
        "dropped here",
        map.present(),
        vec![true, false, true, false],
    )?;
    let args = [map.start, 0, 6 * PAGE, libc::MREMAP_MAYMOVE as u64];
    let twin = must("mremap", sys::call(libc::SYS_mremap, args))?;
    let twin = Map {
        start: twin,
        pages: 6,
    };
    let want = vec![true, false, true, false, false, false];
    same("a second mapping, beyond the end too", twin.present(), want)
}

fn pages_of_files_are_the_caches() -> Verdict {
    let fd = file(3)?;
    let map = must("mmap", Map::with(4, map::RW, libc::MAP_SHARED, fd))?;
    same("a hole", map.present(), vec![false; 4])?;
    let byte = [7_u8];
    let args = [fd as u64, byte.as_ptr() as u64, 1, PAGE];
    must("pwrite", sys::call(libc::SYS_pwrite64, args))?;
    same(
        "written by a call",
        map.present(),
        vec![false, true, false, false],
    )?;
    let private = must("mmap", Map::with(3, map::RW, libc::MAP_PRIVATE, fd))?;
    same(
        "through another",
        private.present(),
        vec![false, true, false],
    )
}

fn populate_fills_what_may_be_touched() -> Verdict {
    let with = |prot, flags| Map::with(3, prot, flags, -1);
    let filled = must("mmap", with(map::RW, ANON | libc::MAP_POPULATE))?;
    same("writable", filled.present(), vec![true; 3])?;
    let filled = must("mmap", with(map::R, ANON | libc::MAP_POPULATE))?;
    same("to be read", filled.present(), vec![true; 3])?;
    let filled = must("mmap", with(map::RW, SHARED | libc::MAP_POPULATE))?;
    same("shared", filled.present(), vec![true; 3])?;
    let none = must("mmap", with(map::NONE, ANON | libc::MAP_POPULATE))?;
    same("without access", none.present(), vec![false; 3])?;
    let flags = ANON | libc::MAP_POPULATE | libc::MAP_NONBLOCK;
    let not_now = must("mmap", with(map::RW, flags))?;
    same("not now", not_now.present(), vec![false; 3])
}

fn mincore_asks_for_mapped_pages() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    let answers = must("mmap", Map::anon(1, map::RW))?.start;
    refused(
        "an odd address",
        mincore(map.start + 1, PAGE, answers),
        libc::EINVAL,
    )?;
    same("nothing", mincore(map.start, 0, answers), Ok(0))?;
    refused(
        "too far",
        mincore(map.start, map.bytes() + PAGE, answers),
        libc::ENOMEM,
    )?;
    refused("a bad vector", mincore(map.start, PAGE, 8), libc::EFAULT)?;
    refused(
        "the kernel's",
        mincore(1 << 63, PAGE, answers),
        libc::ENOMEM,
    )?;
    must("a hole", sys::munmap(map.page(2), PAGE))?;
    mem::poke(map.page(1), 1);
    refused(
        "a hole",
        mincore(map.start, map.bytes(), answers),
        libc::ENOMEM,
    )?;
    same("a byte is a page", mincore(map.page(1), 1, answers), Ok(0))?;
    same("its answer", mem::peek(answers), 1)
}

/// The answers are copied as far as there is room.
fn a_vector_may_end_anywhere() -> Verdict {
    let map = must("mmap", Map::anon(4, map::RW))?;
    map.fill(1);
    let answers = must("mmap", Map::apart(1, 2, map::RW))?;
    same(
        "to the last byte",
        mincore(map.start, map.bytes(), answers.end() - 4),
        Ok(0),
    )?;
    same("the last", mem::peek(answers.end() - 1), 1)?;
    let beyond = mincore(map.start, map.bytes(), answers.end() - 3);
    refused("one byte beyond", beyond, libc::EFAULT)
}

fn msync_asks_for_mapped_pages() -> Verdict {
    let map = must("mmap", Map::apart(4, 2, map::RW))?;
    same("nothing to do", msync(map, libc::MS_SYNC), Ok(0))?;
    same("no flag", msync(map, 0), Ok(0))?;
    let both = libc::MS_SYNC | libc::MS_ASYNC;
    refused("now and later", msync(map, both), libc::EINVAL)?;
    refused("unknown", msync(map, 8), libc::EINVAL)?;
    let odd = Map {
        start: map.start + 1,
        pages: 1,
    };
    refused("an odd address", msync(odd, libc::MS_SYNC), libc::EINVAL)?;
    must("mlock", sys::call(libc::SYS_mlock, [map.start, PAGE]))?;
    refused("locked", msync(map, libc::MS_INVALIDATE), libc::EBUSY)?;
    must("a hole", sys::munmap(map.page(2), PAGE))?;
    refused("a hole", msync(map, libc::MS_ASYNC), libc::ENOMEM)?;
    same(
        "nothing of it",
        msync(Map { pages: 0, ..map }, libc::MS_SYNC),
        Ok(0),
    )
}

fn msync_shows_files_what_was_written() -> Verdict {
    let fd = file(2)?;
    let map = must("mmap", Map::with(2, map::RW, libc::MAP_SHARED, fd))?;
    map.fill(40);
    must("msync", msync(map, libc::MS_SYNC))?;
    let mut byte = 0_u8;
    let args = [fd as u64, sys::at(&mut byte), 1, PAGE];
    same("pread", sys::call(libc::SYS_pread64, args), Ok(1))?;
    same("the byte", byte, 41)?;
    let other = must("mmap", Map::with(2, map::R, libc::MAP_PRIVATE, fd))?;
    same("a private mapping", mem::peek(other.page(1)), 41)
}
