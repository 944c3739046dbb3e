//! Files that become shorter while they are mapped and used.

use user::map::{self, Map};
use user::mem::PAGE;
use user::probe::must;
use user::sys;

use crate::field::{all_have_seen, mark_pages, place, publish, set_place, with_workers};

const PAGES: u64 = 6;
const TAG: u64 = 0xf11e_0000;

/// Each page holds nothing or its own number.
extern "C" fn uses_the_file(number: u64) -> u64 {
    mark_pages(number, PAGES, TAG)
}

fn mapped_file(flags: i32) -> Result<i32, String> {
    let name = c"torture".as_ptr() as u64;
    let fd = must("memfd_create", sys::call(libc::SYS_memfd_create, [name, 0]))? as i32;
    resize(fd, PAGES * PAGE)?;
    set_place(must("mmap", Map::with(PAGES, map::RW, flags, fd))?.start);
    Ok(fd)
}

fn resize(fd: i32, len: u64) -> Result<(), String> {
    must(
        "ftruncate",
        sys::call(libc::SYS_ftruncate, [fd as u64, len]),
    )
    .map(drop)
}

/// HF-13: only SIGBUS, zero or the page's own contents.
pub(crate) fn truncated(rounds: u64) -> Result<(), String> {
    let fd = mapped_file(libc::MAP_SHARED)?;
    with_workers(uses_the_file, || {
        for round in 1..=rounds {
            resize(fd, (round % PAGES) * PAGE)?;
            publish(2 * round - 1);
            all_have_seen(2 * round - 1);
            resize(fd, PAGES * PAGE)?;
            publish(2 * round);
            all_have_seen(2 * round);
        }
        Ok(())
    })
}

/// The same with holes, below private mappings.
pub(crate) fn punched(rounds: u64) -> Result<(), String> {
    let fd = mapped_file(libc::MAP_PRIVATE)?;
    let how = (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE) as u64;
    with_workers(uses_the_file, || {
        for round in 1..=rounds {
            let hole = [fd as u64, how, (round % PAGES) * PAGE, PAGE];
            must("fallocate", sys::call(libc::SYS_fallocate, hole))?;
            let dontneed = [place(), PAGES * PAGE, libc::MADV_DONTNEED as u64];
            must("madvise", sys::call(libc::SYS_madvise, dontneed))?;
            publish(round);
            all_have_seen(round);
        }
        Ok(())
    })
}
