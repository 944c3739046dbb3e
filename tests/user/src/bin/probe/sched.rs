//! Preemption: nobody keeps the processor by not asking for anything.

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::{Topic, Verdict, holds, must, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "sched",
    about: "hogs and sleepers share the processor",
    cases: &[
        ("sleeper_beside_hogs", sleeper_beside_hogs),
        ("hogs_share", hogs_share),
        ("yielding_makes_way", yielding_makes_way),
    ],
};

fn spin_until(end: u64) -> u64 {
    let mut rounds = 0;
    while sys::now_ms() < end {
        rounds += 1;
    }
    rounds
}

/// How long a hog goes on if nobody stops it, in milliseconds: longer than anybody should have to wait.
const STUBBORN: u64 = 20_000;

/// Starts a process that never asks for anything and goes on until the byte at `stop` is set.
fn hog(stop: u64) -> Result<i32, String> {
    must(
        "fork",
        child::start(move || {
            let until = sys::now_ms() + STUBBORN;
            while mem::peek(stop) == 0 {
                if sys::now_ms() > until {
                    return 1;
                }
            }
            6
        }),
    )
}

/// Two hogs that never give up the processor, and a sleeper that must wake all the same, again and again.
fn sleeper_beside_hogs() -> Verdict {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let stop = must("mmap shared", Map::with(1, map::RW, flags, -1))?.start;
    let hogs = [hog(stop)?, hog(stop)?];
    for _ in 0..10 {
        must("nanosleep", sys::sleep_ms(10))?;
    }
    same(
        "no hog has ended",
        sys::wait4(-1, libc::WNOHANG),
        Ok((0, 0)),
    )?;
    mem::poke(stop, 1);
    for pid in hogs {
        same("a hog", must("wait", child::wait(pid))?, Ended::Exited(6))?;
    }
    Ok(())
}

/// Each of three hogs tells when it has done its share; the first may not have to end before the last begins.
fn hogs_share() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let worker = |name: u8| {
        must(
            "fork",
            child::start(move || {
                for _ in 0..10 {
                    spin_until(sys::now_ms() + 15);
                    let mut byte = [name];
                    let _ = sys::write(writer, sys::at(&mut byte), 1);
                }
                0
            }),
        )
    };
    let pids = [worker(0)?, worker(1)?, worker(2)?];
    let mut order = [0_u8; 30];
    for index in 0..30 {
        same(
            "read",
            sys::read(reader, sys::at(&mut order[index..]), 1),
            Ok(1),
        )?;
    }
    let first_end = (0..3)
        .map(|name| order.iter().rposition(|who| *who == name).unwrap_or(0))
        .min();
    let last_begin = (0..3)
        .map(|name| order.iter().position(|who| *who == name).unwrap_or(99))
        .max();
    holds(
        &format!("they take turns: {order:?}"),
        last_begin < first_end,
    )?;
    for pid in pids {
        same(
            "a worker",
            must("wait", child::wait(pid))?,
            Ended::Exited(0),
        )?;
    }
    Ok(())
}

fn yielding_makes_way() -> Verdict {
    let pid = must("fork", child::start(|| 3))?;
    let start = sys::now_ms();
    loop {
        must("sched_yield", sys::call(libc::SYS_sched_yield, []))?;
        match must("wait", sys::wait4(pid, libc::WNOHANG))? {
            (0, _) => holds("the child runs at last", sys::now_ms() < start + 2000)?,
            (_, status) => return same("its end", Ended::from_status(status), Ended::Exited(3)),
        }
    }
}

/// Sleeps many times for a millisecond: a process that is always left for a kernel thread and always comes back.
pub(crate) fn nap(count: u32) -> i32 {
    let slept = (0..count).filter(|_| sys::sleep_ms(1).is_ok()).count();
    println!("naps: {slept}");
    i32::from(slept != count as usize)
}
