//! Which CPUs a thread may use, and what it gets of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys::{self, at};

use crate::policies::{FIFO, NOBODY, set_nice, set_scheduler};

pub(crate) const TOPIC: Topic = Topic {
    name: "cpus",
    about: "sets of CPUs, and what a thread gets of a CPU",
    cases: &[
        ("sets_of_cpus", sets_of_cpus),
        ("bad_sets_of_cpus", bad_sets_of_cpus),
        ("it_runs_where_it_may", it_runs_where_it_may),
        (
            "another_has_left_when_it_returns",
            another_has_left_when_it_returns,
        ),
        ("nobody_wakes_up_elsewhere", nobody_wakes_up_elsewhere),
        ("a_higher_priority_runs_first", a_higher_priority_runs_first),
        ("the_nicer_one_gets_less", the_nicer_one_gets_less),
    ],
};

pub(crate) fn cpus(pid: u64) -> sys::Result<u64> {
    let mut mask = [0_u64; 128];
    sys::call(libc::SYS_sched_getaffinity, [pid, 1024, at(&mut mask)])?;
    Ok(mask[0])
}

pub(crate) fn set_cpus(pid: u64, mask: u64) -> sys::Result {
    let mut mask = mask;
    sys::call(libc::SYS_sched_setaffinity, [pid, 8, at(&mut mask)])
}

fn own_cpu() -> u32 {
    let mut cpu = u32::MAX;
    let _ = sys::call(libc::SYS_getcpu, [at(&mut cpu), 0]);
    cpu
}

fn sets_of_cpus() -> Verdict {
    let all = must("sched_getaffinity", cpus(0))?;
    let one = all & all.wrapping_neg();
    same("sched_setaffinity", set_cpus(0, one), Ok(0))?;
    same("sched_getaffinity", cpus(0), Ok(one))?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let list = format!("{}", one.trailing_zeros());
    same("in /proc", line("Cpus_allowed_list:\t"), Some(&*list))?;
    same(
        "in /proc",
        line("Cpus_allowed:\t"),
        Some(&*format!("{one:x}")),
    )?;
    let inherits = child::run(move || i32::from(cpus(0) == Ok(one)));
    same("a child", must("a child", inherits)?, Ended::Exited(1))?;
    same("all, and more", set_cpus(0, u64::MAX), Ok(0))?;
    same("all", cpus(0), Ok(all))?;
    let mut byte = all as u8;
    let short = sys::call(libc::SYS_sched_setaffinity, [0, 1, at(&mut byte)]);
    same("one byte tells of eight", short, Ok(0))?;
    same("those", cpus(0), Ok(all & 0xff))
}

fn bad_sets_of_cpus() -> Verdict {
    let mut mask = [0_u64; 16];
    let addr = at(&mut mask);
    let get = |args| sys::call(libc::SYS_sched_getaffinity, args);
    refused("no room", get([0, 0, addr]), libc::EINVAL)?;
    refused("an odd size", get([0, 9, addr]), libc::EINVAL)?;
    refused("nobody", get([NOBODY, 8, addr]), libc::ESRCH)?;
    refused("a wild address", get([0, 8, 8]), libc::EFAULT)?;
    let set = |args| sys::call(libc::SYS_sched_setaffinity, args);
    refused("no CPU", set([0, 8, addr]), libc::EINVAL)?;
    refused("nothing told", set([0, 0, addr]), libc::EINVAL)?;
    refused("nobody", set([NOBODY, 8, addr]), libc::ESRCH)?;
    refused(
        "a wild address comes first",
        set([NOBODY, 8, 8]),
        libc::EFAULT,
    )?;
    let beyond = 1_u64 << 63;
    refused("a CPU that is not there", set_cpus(0, beyond), libc::EINVAL)
}

/// Goes from CPU to CPU, and is always on the one it asked for.
fn it_runs_where_it_may() -> Verdict {
    let all = must("sched_getaffinity", cpus(0))?;
    for _ in 0..20 {
        for cpu in (0..64).filter(|cpu| all >> cpu & 1 != 0) {
            same("sched_setaffinity", set_cpus(0, 1 << cpu), Ok(0))?;
            same("getcpu", own_cpu(), cpu)?;
        }
    }
    Ok(())
}

/// A thread that runs elsewhere has left when the call returns: no turn of its loop that begins then is made there.
fn another_has_left_when_it_returns() -> Verdict {
    static BEGUN: AtomicU64 = AtomicU64::new(0);
    static SEEN: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    static OVER: AtomicBool = AtomicBool::new(false);
    let all = must("sched_getaffinity", cpus(0))?;
    let bits: Vec<u64> = (0..64)
        .map(|cpu| 1 << cpu)
        .filter(|bit| all & bit != 0)
        .collect();
    let runner = std::thread::spawn(|| {
        while !OVER.load(SeqCst) {
            let turn = BEGUN.fetch_add(1, SeqCst) + 1;
            SEEN[turn as usize % 2].store(turn << 8 | u64::from(own_cpu()), SeqCst);
        }
    });
    let mut verdict = Ok(());
    let tid = must("tid", other_thread())?;
    for round in 0..200 {
        let bit = bits[round % bits.len()];
        verdict = same("sched_setaffinity", set_cpus(tid, bit), Ok(0));
        let next = BEGUN.load(SeqCst) + 1;
        while BEGUN.load(SeqCst) <= next {
            let _ = sys::call(libc::SYS_sched_yield, []);
        }
        let seen = SEEN[next as usize % 2].load(SeqCst);
        // If the thread is already two turns further, that turn's note is of a later one, which must be there as well.
        verdict = verdict.and(same(
            "its CPU",
            seen & 0xff,
            u64::from(bit.trailing_zeros()),
        ));
        if verdict.is_err() {
            break;
        }
    }
    OVER.store(true, SeqCst);
    let _ = runner.join();
    verdict
}

/// The number of this process's other thread.
fn other_thread() -> sys::Result<u64> {
    let own = sys::getpid().to_string();
    let tasks = std::fs::read_dir("/proc/self/task");
    let names = tasks
        .into_iter()
        .flatten()
        .flatten()
        .map(|task| task.file_name());
    let other = names
        .filter_map(|name| name.into_string().ok())
        .find(|name| *name != own);
    other
        .and_then(|name| name.parse().ok())
        .ok_or(sys::Errno(libc::ESRCH))
}

/// Sleepers and yielders that are bound to a CPU stay on it, with others about.
fn nobody_wakes_up_elsewhere() -> Verdict {
    let all = must("sched_getaffinity", cpus(0))?;
    let bound: Vec<u32> = (0..64).filter(|cpu| all >> cpu & 1 != 0).collect();
    let start = |index: usize| {
        let cpu = bound[index % bound.len()];
        child::start(move || {
            if set_cpus(0, 1 << cpu).is_err() {
                return 1;
            }
            for round in 0..50 {
                if own_cpu() != cpu {
                    return 2;
                }
                let _ = match round % 3 {
                    0 => sys::sleep_ms(1),
                    _ => sys::call(libc::SYS_sched_yield, []),
                };
            }
            0
        })
    };
    let pids: Vec<_> = (0..6).map(start).collect();
    for pid in pids {
        let pid = must("fork", pid)?;
        same(
            "it stayed",
            must("wait", child::wait(pid))?,
            Ended::Exited(0),
        )?;
    }
    Ok(())
}

/// On one CPU, a child with a real-time priority runs before its fair parent goes on.
fn a_higher_priority_runs_first() -> Verdict {
    let all = must("sched_getaffinity", cpus(0))?;
    let one = all & all.wrapping_neg();
    same("one CPU", set_cpus(0, one), Ok(0))?;
    let shared = Map::with(1, map::RW, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1);
    let word = must("mmap", shared)?.start;
    let work = move || {
        while mem::peek(word) == 0 {
            let _ = sys::sleep_ms(1);
        }
        mem::poke(word, 2);
        0
    };
    let pid = must("fork", child::start(work))?;
    same("FIFO", set_scheduler(pid as u64, FIFO, 10), Ok(0))?;
    mem::poke(word, 1);
    // It sleeps for a millisecond at a time; who spins on its CPU all the while is interrupted.
    let end = sys::now_ms() + 20_000;
    while mem::peek(word) != 2 {
        holds("it runs at last", sys::now_ms() < end)?;
    }
    same("its end", must("wait", child::wait(pid))?, Ended::Exited(0))
}

/// Starts a process that does nothing but run, at this nice level, until the byte at `stop` is set.
fn hog(stop: u64, level: i64) -> Result<i32, String> {
    let work = move || {
        let _ = set_nice(libc::PRIO_PROCESS, 0, level);
        let end = sys::now_ms() + 20_000;
        while mem::peek(stop) == 0 && sys::now_ms() < end {}
        0
    };
    must("fork", child::start(work))
}

/// Waits for a process and returns the CPU time it has had, in microseconds.
fn spent(pid: i32) -> Result<u64, String> {
    let mut usage = [0_u64; 18];
    let mut status = 0_i32;
    let args = [pid as u64, at(&mut status), 0, at(&mut usage)];
    must("wait4", sys::call(libc::SYS_wait4, args))?;
    let micros = |at: usize| usage[at] * 1_000_000 + usage[at + 1];
    Ok(micros(0) + micros(2))
}

/// Lets hogs of these nice levels run for so many milliseconds, and returns what each has had, in microseconds.
fn compete(levels: &[i64], ms: u64) -> Result<Vec<u64>, String> {
    let shared = Map::with(1, map::RW, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1);
    let stop = must("mmap", shared)?.start;
    let hogs: Result<Vec<i32>, String> = levels.iter().map(|level| hog(stop, *level)).collect();
    must("nanosleep", sys::sleep_ms(ms))?;
    mem::poke(stop, 1);
    hogs?.into_iter().map(spent).collect()
}

/// Two hogs on one CPU, one of them nice: what they get is as different as their weights.
fn the_nicer_one_gets_less() -> Verdict {
    let all = must("sched_getaffinity", cpus(0))?;
    same("one CPU", set_cpus(0, all & all.wrapping_neg()), Ok(0))?;
    let spent = compete(&[0, 15], 400)?;
    holds(&format!("{spent:?} µs"), spent[0] > 3 * spent[1])
}

/// Lets hogs of these nice levels run for a second, and tells what each has had, in thousandths of a CPU.
pub(crate) fn shares(levels: &[&str]) -> i32 {
    const MS: u64 = 1000;
    let levels: Vec<i64> = levels
        .iter()
        .filter_map(|level| level.parse().ok())
        .collect();
    match compete(&levels, MS) {
        Ok(spent) => {
            let parts: Vec<u64> = spent.iter().map(|micros| micros / MS).collect();
            println!("shares: {parts:?}");
            0
        }
        Err(why) => {
            println!("shares: {why}");
            1
        }
    }
}
