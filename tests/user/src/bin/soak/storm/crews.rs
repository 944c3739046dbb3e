//! Processes with threads on other processors that end, are killed, and execute while those fault.

use user::child::Ended;
use user::map::{self, Map};
use user::mem;
use user::signals;
use user::sys;
use user::threads::{Helper, THREAD};

use super::acts::{NO_MEMORY, dawdle, ends as ends_so, execute, pause, start};
use crate::random::Random;

/// Touches new pages for ever.
extern "C" fn touches(number: u64) -> u64 {
    loop {
        if let Ok(own) = Map::anon(4, map::RW) {
            (0..4).for_each(|page| mem::poke64(own.page(page), number));
            let _ = sys::munmap(own.start, own.bytes());
        }
        let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
    }
}

/// Starts some threads; false if there was no memory.
fn has_crew(count: u64) -> bool {
    let crew = (0..count).map(|number| Helper::start(THREAD, touches, number));
    let all: Vec<_> = crew.collect();
    let complete = all.iter().all(Result::is_ok);
    // They end with the process.
    std::mem::forget(all);
    complete
}

/// One thread ends all of them.
pub(crate) fn ends(random: &mut Random) -> Result<(), String> {
    let (count, mut own) = (1 + random.below(3), *random);
    let work = || {
        if !has_crew(count) {
            return NO_MEMORY;
        }
        dawdle(&mut own);
        5
    };
    match start(work)? {
        Some(pid) => ends_so(pid, &[Ended::Exited(5)]),
        None => Ok(()),
    }
}

/// Somebody else does.
pub(crate) fn is_killed(random: &mut Random) -> Result<(), String> {
    let count = 1 + random.below(3);
    let work = || match has_crew(count) {
        true => pause(),
        false => NO_MEMORY,
    };
    let Some(pid) = start(work)? else {
        return Ok(());
    };
    dawdle(random);
    signals::kill(pid, libc::SIGKILL).map_err(|errno| format!("kill: {errno:?}"))?;
    ends_so(pid, &[])
}

/// One thread executes a program; the others are no more.
pub(crate) fn executes(random: &mut Random) -> Result<(), String> {
    let (count, mut own) = (1 + random.below(3), *random);
    let work = || {
        if !has_crew(count) {
            return NO_MEMORY;
        }
        dawdle(&mut own);
        execute()
    };
    match start(work)? {
        Some(pid) => ends_so(pid, &[Ended::Exited(0)]),
        None => Ok(()),
    }
}
