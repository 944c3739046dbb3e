//! Pages touched for the first time, and written while they are shared.

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::sys;

use crate::processes::{fork, in_child, reap};
use crate::timed;

/// Writes to the first byte of each of `pages` pages.
pub(crate) fn write_pages(start: u64, pages: u64) {
    for index in 0..pages {
        mem::poke(start + index * PAGE, 1);
    }
}

/// Reads the first byte of `count` pages that are `stride` bytes apart.
pub(crate) fn read_pages(start: u64, count: u64, stride: u64) {
    for index in 0..count {
        let _ = mem::peek(start + index * stride);
    }
}

pub(crate) fn anon_write(pages: u64) -> sys::Result {
    let map = Map::anon(pages, map::RW)?;
    let took = timed(|| write_pages(map.start, pages));
    unmap(map)?;
    Ok(took)
}

pub(crate) fn zero_read(pages: u64) -> sys::Result {
    let map = Map::anon(pages, map::RW)?;
    let took = timed(|| read_pages(map.start, pages, PAGE));
    unmap(map)?;
    Ok(took)
}

/// The first write to a page that was read before.
pub(crate) fn zero_upgrade(pages: u64) -> sys::Result {
    let map = Map::anon(pages, map::RW)?;
    read_pages(map.start, pages, PAGE);
    let took = timed(|| write_pages(map.start, pages));
    unmap(map)?;
    Ok(took)
}

pub(crate) fn shared_write(pages: u64) -> sys::Result {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let map = Map::with(pages, map::RW, flags, -1)?;
    let took = timed(|| write_pages(map.start, pages));
    unmap(map)?;
    Ok(took)
}

/// A child writes to what it shares with its parent, which lives.
pub(crate) fn cow_copy(pages: u64) -> sys::Result {
    let map = Map::anon(pages, map::RW)?;
    write_pages(map.start, pages);
    let took = in_child(|| timed(|| write_pages(map.start, pages)))?;
    unmap(map)?;
    Ok(took)
}

/// A parent writes to what it shared with a child that has gone.
pub(crate) fn cow_reuse(pages: u64) -> sys::Result {
    let map = Map::anon(pages, map::RW)?;
    write_pages(map.start, pages);
    reap(fork(|| 0)?)?;
    let took = timed(|| write_pages(map.start, pages));
    unmap(map)?;
    Ok(took)
}

/// A child's stack, page by page.
pub(crate) fn stack_grow(pages: u64) -> sys::Result {
    in_child(|| {
        timed(|| {
            for index in 1..=pages {
                let _ = mem::touch_below_stack(index * PAGE);
            }
        })
    })
}

pub(crate) fn unmap(map: Map) -> sys::Result {
    sys::munmap(map.start, map.bytes())
}
