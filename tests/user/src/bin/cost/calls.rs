//! The calls that change mappings.

use user::map::{self, Map};
use user::mem::PAGE;
use user::sys::{self, Errno, raw};

use crate::faults::{read_pages, unmap, write_pages};
use crate::timed;

/// Bytes that one page table maps.
const TABLE: u64 = 512 * PAGE;

pub(crate) fn getppid(times: u64) -> sys::Result {
    repeated(times, || raw(libc::SYS_getppid, [0; 6]))
}

/// Does `call` so many times and says how long that took, unless it was ever answered with an error.
#[inline(always)]
pub(crate) fn repeated(times: u64, mut call: impl FnMut() -> i64) -> sys::Result {
    let mut least = 0;
    let took = timed(|| {
        for _ in 0..times {
            least = call().min(least);
        }
    });
    match least {
        0 => Ok(took),
        error => Err(Errno(-error as i32)),
    }
}

pub(crate) fn mmap_1(times: u64) -> sys::Result {
    mmap_pair(times, 1, false)
}

pub(crate) fn mmap_touch_256(times: u64) -> sys::Result {
    mmap_pair(times, 256, true)
}

/// Maps and unmaps, perhaps with a write to each page between; the page table stays, for a neighbour.
fn mmap_pair(times: u64, pages: u64, touched: bool) -> sys::Result {
    let neighbour = at_a_table()?;
    let hint = neighbour.start + TABLE / 2;
    let (len, rights, flags) = (pages * PAGE, map::RW as u64, map::ANON as u64);
    let took = repeated(times, || {
        let start = raw(libc::SYS_mmap, [hint, len, rights, flags, u64::MAX, 0]);
        if touched && start > 0 {
            write_pages(start as u64, pages);
        }
        start.min(raw(libc::SYS_munmap, [start as u64, len, 0, 0, 0, 0]))
    })?;
    unmap(neighbour)?;
    Ok(took)
}

/// Maps and reads a page where a page table begins, with room above.
fn at_a_table() -> sys::Result<Map> {
    let room = Map::anon(2 * TABLE / PAGE, map::NONE)?;
    unmap(room)?;
    let start = room.start.next_multiple_of(TABLE);
    let flags = map::ANON | libc::MAP_FIXED_NOREPLACE;
    sys::mmap(start, PAGE, map::R, flags, -1, 0)?;
    read_pages(start, 1, PAGE);
    Ok(Map { start, pages: 1 })
}

pub(crate) fn mprotect_1(times: u64) -> sys::Result {
    mprotect_flip(times, 1)
}

pub(crate) fn mprotect_256(times: u64) -> sys::Result {
    mprotect_flip(times, 256)
}

/// Takes the right to write away and gives it back; each is one operation.
fn mprotect_flip(times: u64, pages: u64) -> sys::Result {
    let map = Map::anon(pages, map::RW)?;
    write_pages(map.start, pages);
    map.protect(map::R)?;
    let protect = |rights: i32| {
        let args = [map.start, map.bytes(), rights as u64, 0, 0, 0];
        raw(libc::SYS_mprotect, args)
    };
    let took = repeated(times / 2, || protect(map::RW).min(protect(map::R)))?;
    unmap(map)?;
    Ok(took)
}

/// Moves the break up and down, where its page table is there already.
pub(crate) fn brk_1(times: u64) -> sys::Result {
    let set = |brk: u64| raw(libc::SYS_brk, [brk, 0, 0, 0, 0, 0]) as u64;
    let before = set(0);
    let start = before.next_multiple_of(TABLE) + PAGE;
    if set(start) != start {
        return Err(Errno(libc::ENOMEM));
    }
    write_pages(start - PAGE, 1);
    let took = timed(|| {
        for _ in 0..times {
            set(start + PAGE);
            set(start);
        }
    });
    set(before);
    Ok(took)
}

/// Gives 16 pages back and writes to them again.
pub(crate) fn dontneed_16(times: u64) -> sys::Result {
    let map = Map::anon(16, map::RW)?;
    write_pages(map.start, 16);
    let advice = libc::MADV_DONTNEED as u64;
    let took = repeated(times, || {
        let args = [map.start, map.bytes(), advice, 0, 0, 0];
        let answer = raw(libc::SYS_madvise, args);
        write_pages(map.start, 16);
        answer
    })?;
    unmap(map)?;
    Ok(took)
}
