//! The same operation among few mappings and many, with little mapped and much.

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::sys::{self, raw};

use crate::calls::repeated;
use crate::faults::{unmap, write_pages};
use crate::processes::fork_exit;
use crate::timed;

/// Pages that one page table maps.
const TABLE: u64 = 512;

/// Makes `mappings` neighbours that never join: every other page may be written. With fewer of them
/// the last is larger, so that there are pages to touch.
fn among(mappings: u64) -> sys::Result<Map> {
    let flags = map::ANON | libc::MAP_NORESERVE;
    let map = Map::with(mappings.max(4 * TABLE), map::R, flags, -1)?;
    for index in (0..mappings).step_by(2) {
        sys::mprotect(map.page(index), PAGE, map::RW)?;
    }
    Ok(map)
}

/// Reads untouched pages in the middle, whose page table is there.
pub(crate) fn fault_among(mappings: u64, times: u64) -> sys::Result {
    let map = among(mappings)?;
    let middle = map.page(map.pages / 2).next_multiple_of(TABLE * PAGE);
    let _ = mem::peek(middle);
    let took = timed(|| {
        for index in 1..=times {
            let _ = mem::peek(middle + index * PAGE);
        }
    });
    unmap(map)?;
    Ok(took)
}

/// Maps a page wherever there is room, and unmaps it.
pub(crate) fn mmap_among(mappings: u64, times: u64) -> sys::Result {
    let map = among(mappings)?;
    let took = repeated(times, || {
        let args = [0, PAGE, 0, map::ANON as u64, u64::MAX, 0];
        let start = raw(libc::SYS_mmap, args);
        start.min(raw(libc::SYS_munmap, [start as u64, PAGE, 0, 0, 0, 0]))
    })?;
    unmap(map)?;
    Ok(took)
}

/// Forks with so many pages mapped and so many of them written to.
pub(crate) fn fork_with(mapped: u64, populated: u64, times: u64) -> sys::Result {
    if mapped == 0 {
        return fork_exit(times);
    }
    let flags = map::ANON | libc::MAP_NORESERVE;
    let map = Map::with(mapped, map::RW, flags, -1)?;
    write_pages(map.start, populated);
    let took = fork_exit(times)?;
    unmap(map)?;
    Ok(took)
}

/// Unmaps what nobody has touched; the mapping is made anew each time, and not counted.
pub(crate) fn munmap(pages: u64, times: u64) -> sys::Result {
    let flags = map::ANON | libc::MAP_NORESERVE;
    let mut took = 0;
    for _ in 0..times {
        let map = Map::with(pages, map::R, flags, -1)?;
        let mut answer = Ok(0);
        took += timed(|| answer = unmap(map));
        answer?;
    }
    Ok(took)
}
