//! Pages of a file that is in memory.

use user::map;
use user::mem::PAGE;
use user::sys;

use crate::faults::{read_pages, write_pages};
use crate::timed;

/// Pages of the file.
const PAGES: u64 = 2048;
/// Bytes between two touches that no fault-around spans.
const FAR: u64 = 16 * PAGE;

pub(crate) fn read(count: u64) -> sys::Result {
    touch(count, PAGE, map::R)
}

pub(crate) fn fault(count: u64) -> sys::Result {
    touch(count, FAR, map::R)
}

pub(crate) fn cow(count: u64) -> sys::Result {
    touch(count, PAGE, map::RW)
}

/// Touches `count` places of a private mapping of a file without a name: reads, or writes where it may.
fn touch(count: u64, stride: u64, prot: i32) -> sys::Result {
    let fd = file()?;
    let len = count * stride;
    let start = sys::mmap(0, len, prot, libc::MAP_PRIVATE, fd, 0)?;
    let took = timed(|| match prot {
        map::R => read_pages(start, count, stride),
        _ => write_pages(start, count),
    });
    sys::munmap(start, len)?;
    sys::close(fd)?;
    Ok(took)
}

fn file() -> sys::Result<i32> {
    let path = c"/tmp/cost-pages".as_ptr() as u64;
    let flags = (libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u64;
    let fd = sys::call(
        libc::SYS_openat,
        [libc::AT_FDCWD as u64, path, flags, 0o600],
    )? as i32;
    sys::call(libc::SYS_unlink, [path])?;
    let mut block = [0_u8; PAGE as usize];
    for index in 0..PAGES {
        block[0] = index as u8;
        sys::write(fd, sys::at(&mut block), PAGE)?;
    }
    Ok(fd)
}
