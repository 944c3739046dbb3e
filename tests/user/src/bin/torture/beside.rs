//! Faults in pages whose mapping stays, while the mappings right beside them are changed.

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::must;
use user::sys;

use crate::field::{
    WORKERS, all_have_seen, epoch, look_on, place, publish, set_place, with_workers, wrong,
};

/// Pages that each worker has; behind each of them lies one that comes and goes.
const OWN: u64 = 4;
/// All pages.
const ALL: u64 = 2 * OWN * WORKERS as u64;
/// What a worker stores, above the epoch.
const TAG: u64 = 0xbe5_1de0_0000;

/// Gives one of its pages up and touches it again: it holds nothing, and then what was stored.
extern "C" fn touches_its_own(number: u64) -> u64 {
    let mut at = 0;
    look_on(number, |before| {
        at = (at + 1) % OWN;
        let addr = place() + 2 * (OWN * number + at) * PAGE;
        let dontneed = [addr, PAGE, libc::MADV_DONTNEED as u64];
        let given_up = sys::call(libc::SYS_madvise, dontneed).is_ok();
        // The first touch is a read, or a write to another word.
        if at.is_multiple_of(2) {
            mem::poke64(addr + 8, TAG | before);
        }
        let empty = mem::peek64(addr);
        mem::poke64(addr, TAG | before);
        let value = mem::peek64(addr);
        if !given_up || empty != 0 || value != TAG | before {
            wrong(before, empty | value, epoch());
        }
    })
}

/// Cuts and joins the mapping that all pages began as, in all the ways there are.
pub(crate) fn faults_beside_maps(rounds: u64) -> Result<(), String> {
    let start = must("mmap", Map::apart(ALL, 2, map::RW))?.start;
    set_place(start);
    let flags = map::ANON | libc::MAP_FIXED;
    with_workers(touches_its_own, || {
        for round in 1..=rounds {
            for page in (1..ALL).step_by(2) {
                let addr = start + page * PAGE;
                let mapped = |prot| must("mmap", sys::mmap(addr, PAGE, prot, flags, -1, 0));
                let _ = match (page / 2 + round) % 4 {
                    0 => must("munmap", sys::munmap(addr, PAGE))?,
                    1 => mapped(map::R)?,
                    2 => mapped(map::RW)?,
                    _ => {
                        mapped(map::RW)?;
                        must("mprotect", sys::mprotect(addr, PAGE, 0))?
                    }
                };
            }
            publish(round);
            all_have_seen(round);
        }
        Ok(())
    })
}
