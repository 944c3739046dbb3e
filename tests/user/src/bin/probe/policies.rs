//! What a thread may ask of the scheduler, and what its children inherit.

use std::sync::atomic::Ordering::SeqCst;

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys::{self, at};
use user::threads::{Helper, THREAD};

use crate::threads::{WORDS, changed, sleep};

pub(crate) const TOPIC: Topic = Topic {
    name: "policies",
    about: "scheduling policies, priorities, nice levels and sets of CPUs",
    cases: &[
        ("a_fresh_process", a_fresh_process),
        ("bad_policies", bad_policies),
        ("what_is_set_is_read", what_is_set_is_read),
        ("attributes", attributes),
        ("attributes_that_are_refused", attributes_that_are_refused),
        ("ranges_of_priorities", ranges_of_priorities),
        ("how_long_a_turn_is", how_long_a_turn_is),
        ("nice_is_kept_within_bounds", nice_is_kept_within_bounds),
        ("nice_of_a_group", nice_of_a_group),
        ("children_inherit", children_inherit),
        ("a_thread_asks_for_itself", a_thread_asks_for_itself),
        ("sets_of_cpus", sets_of_cpus),
        ("bad_sets_of_cpus", bad_sets_of_cpus),
        ("it_runs_where_it_may", it_runs_where_it_may),
        ("nobody_wakes_up_elsewhere", nobody_wakes_up_elsewhere),
        ("a_higher_priority_runs_first", a_higher_priority_runs_first),
        ("the_nicer_one_gets_less", the_nicer_one_gets_less),
    ],
};

/// No process has this number.
const NOBODY: u64 = 0x3fff_fff0;
const OTHER: u64 = libc::SCHED_OTHER as u64;
const FIFO: u64 = libc::SCHED_FIFO as u64;
const RR: u64 = libc::SCHED_RR as u64;
const BATCH: u64 = libc::SCHED_BATCH as u64;
const IDLE: u64 = libc::SCHED_IDLE as u64;
const RESET: u64 = libc::SCHED_RESET_ON_FORK as u64;
/// What `getpriority` returns for nice level 0.
const LEVEL_0: u64 = 20;

fn set_scheduler(pid: u64, policy: u64, priority: i32) -> sys::Result {
    let mut priority = priority;
    let param = at(&mut priority);
    sys::call(libc::SYS_sched_setscheduler, [pid, policy, param])
}

fn scheduler(pid: u64) -> sys::Result {
    sys::call(libc::SYS_sched_getscheduler, [pid])
}

fn set_priority_of(pid: u64, priority: i32) -> sys::Result {
    let mut priority = priority;
    sys::call(libc::SYS_sched_setparam, [pid, at(&mut priority)])
}

fn priority_of(pid: u64) -> sys::Result<i32> {
    let mut priority = -1_i32;
    sys::call(libc::SYS_sched_getparam, [pid, at(&mut priority)])?;
    Ok(priority)
}

fn nice(which: u32, who: u64) -> sys::Result {
    sys::call(libc::SYS_getpriority, [which.into(), who])
}

fn set_nice(which: u32, who: u64, level: i64) -> sys::Result {
    let level = level.cast_unsigned();
    sys::call(libc::SYS_setpriority, [which.into(), who, level])
}

fn cpus(pid: u64) -> sys::Result<u64> {
    let mut mask = [0_u64; 128];
    sys::call(libc::SYS_sched_getaffinity, [pid, 1024, at(&mut mask)])?;
    Ok(mask[0])
}

fn set_cpus(pid: u64, mask: u64) -> sys::Result {
    let mut mask = mask;
    sys::call(libc::SYS_sched_setaffinity, [pid, 8, at(&mut mask)])
}

fn own_cpu() -> u32 {
    let mut cpu = u32::MAX;
    let _ = sys::call(libc::SYS_getcpu, [at(&mut cpu), 0]);
    cpu
}

fn a_fresh_process() -> Verdict {
    same("policy", scheduler(0), Ok(OTHER))?;
    same("priority", priority_of(0), Ok(0))?;
    same("nice", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0))?;
    let own = sys::getpid() as u64;
    same("policy by number", scheduler(own), Ok(OTHER))?;
    holds("some CPU", must("sched_getaffinity", cpus(own))? != 0)
}

fn bad_policies() -> Verdict {
    for policy in [4, 8, 100] {
        refused("a policy", set_scheduler(0, policy, 0), libc::EINVAL)?;
    }
    for (policy, priority) in [
        (OTHER, 1),
        (BATCH, 1),
        (IDLE, 1),
        (FIFO, 0),
        (RR, 0),
        (FIFO, 100),
        (RR, -1),
    ] {
        let what = format!("policy {policy} priority {priority}");
        refused(&what, set_scheduler(0, policy, priority), libc::EINVAL)?;
    }
    let negative = u64::from(u32::MAX);
    refused("policy -1", set_scheduler(0, negative, 0), libc::EINVAL)?;
    refused("pid -1", set_scheduler(negative, OTHER, 0), libc::EINVAL)?;
    refused("nobody", set_scheduler(NOBODY, OTHER, 0), libc::ESRCH)?;
    refused("policy of pid -1", scheduler(negative), libc::EINVAL)?;
    refused("policy of nobody", scheduler(NOBODY), libc::ESRCH)?;
    refused("priority of nobody", priority_of(NOBODY), libc::ESRCH)?;
    refused("another priority", set_priority_of(0, 1), libc::EINVAL)?;
    for number in [libc::SYS_sched_setparam, libc::SYS_sched_getparam] {
        refused("no param", sys::call(number, [0, 0]), libc::EINVAL)?;
        refused("a wild param", sys::call(number, [0, 8]), libc::EFAULT)?;
    }
    let wild = sys::call(libc::SYS_sched_setscheduler, [NOBODY, OTHER, 8]);
    refused("a wild param comes first", wild, libc::EFAULT)?;
    same("nothing has changed", scheduler(0), Ok(OTHER))
}

fn what_is_set_is_read() -> Verdict {
    for (policy, priority) in [(FIFO, 1), (RR, 99), (BATCH, 0), (IDLE, 0), (OTHER, 0)] {
        let what = format!("policy {policy}");
        same(&what, set_scheduler(0, policy, priority), Ok(0))?;
        same(&what, scheduler(0), Ok(policy))?;
        same(&what, priority_of(0), Ok(priority))?;
    }
    same("with the flag", set_scheduler(0, FIFO | RESET, 7), Ok(0))?;
    same("with the flag", scheduler(0), Ok(FIFO | RESET))?;
    same("another priority", set_priority_of(0, 8), Ok(0))?;
    same("keeps the flag", scheduler(0), Ok(FIFO | RESET))?;
    same("priority", priority_of(0), Ok(8))
}

/// `struct sched_attr`, with more room than it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Attr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    times: [u64; 3],
    utilisation: [u32; 2],
    beyond: [u64; 2],
}

impl Attr {
    fn get(size: u64) -> sys::Result<Self> {
        let mut attr = Self {
            beyond: [7; 2],
            ..Self::default()
        };
        sys::call(libc::SYS_sched_getattr, [0, at(&mut attr), size, 0])?;
        Ok(attr)
    }

    fn set(mut self) -> sys::Result {
        sys::call(libc::SYS_sched_setattr, [0, at(&mut self), 0])
    }
}

fn attributes() -> Verdict {
    let batch = Attr {
        size: 48,
        policy: BATCH as u32,
        nice: 7,
        flags: 1,
        ..Attr::default()
    };
    same("sched_setattr", batch.set(), Ok(0))?;
    same("policy", scheduler(0), Ok(BATCH | RESET))?;
    same("nice", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0 - 7))?;
    let read = must("sched_getattr", Attr::get(72))?;
    let shown = (read.size, read.policy, read.flags, read.nice, read.priority);
    same("what is shown", shown, (56, BATCH as u32, 1, 7, 0))?;
    same("beyond what there is", read.beyond, [0; 2])?;
    let short = must("sched_getattr", Attr::get(48))?;
    same("a short form", (short.size, short.beyond), (48, [7; 2]))?;
    let keep = Attr {
        size: 0,
        policy: 0,
        flags: 8,
        nice: -3,
        ..Attr::default()
    };
    same("keeping the policy", keep.set(), Ok(0))?;
    same("policy and flag", scheduler(0), Ok(BATCH | RESET))?;
    same("nice", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0 + 3))?;
    let keep = Attr {
        size: 48,
        policy: OTHER as u32,
        flags: 16,
        nice: 12,
        ..Attr::default()
    };
    same("keeping the level", keep.set(), Ok(0))?;
    same("nice", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0 + 3))?;
    let extreme = Attr {
        size: 48,
        nice: 1000,
        ..Attr::default()
    };
    same("a level beyond all", extreme.set(), Ok(0))?;
    same("nice", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0 - 19))
}

fn attributes_that_are_refused() -> Verdict {
    let of = |size| Attr {
        size,
        ..Attr::default()
    };
    for size in [1, 47, 4097] {
        let mut attr = of(size);
        let set = sys::call(libc::SYS_sched_setattr, [0, at(&mut attr), 0]);
        refused("a size", set, libc::E2BIG)?;
        same("the right size is told", attr.size, 56)?;
    }
    let mut long = of(72);
    same("zeros beyond", long.set(), Ok(0))?;
    long.beyond[1] = 1;
    refused("something beyond", long.set(), libc::E2BIG)?;
    let flags = |flags| Attr { flags, ..of(48) };
    refused("a flag", flags(0x100).set(), libc::EINVAL)?;
    let policy = |policy, priority| Attr {
        policy,
        priority,
        ..of(48)
    };
    refused("a policy", policy(4, 0).set(), libc::EINVAL)?;
    refused("a policy", policy(u32::MAX, 0).set(), libc::EINVAL)?;
    refused("a priority", policy(1, 0).set(), libc::EINVAL)?;
    refused("a priority", policy(0, 1).set(), libc::EINVAL)?;
    for size in [0, 47, 4097] {
        refused("room", Attr::get(size), libc::EINVAL)?;
    }
    let get = |args| sys::call(libc::SYS_sched_getattr, args);
    refused("nowhere", get([0, 0, 48, 0]), libc::EINVAL)?;
    refused("a wild address", get([0, 8, 48, 0]), libc::EFAULT)?;
    let mut attr = of(48);
    let addr = at(&mut attr);
    refused("flags", get([0, addr, 48, 1]), libc::EINVAL)?;
    refused("nobody", get([NOBODY, addr, 48, 0]), libc::ESRCH)?;
    let set = |args| sys::call(libc::SYS_sched_setattr, args);
    refused("flags", set([0, addr, 1]), libc::EINVAL)?;
    refused("nobody", set([NOBODY, addr, 0]), libc::ESRCH)?;
    refused("a wild address", set([NOBODY, 8, 0]), libc::EFAULT)
}

fn ranges_of_priorities() -> Verdict {
    let range = |policy| {
        let ask = |number| sys::call(number, [policy]);
        (
            ask(libc::SYS_sched_get_priority_min),
            ask(libc::SYS_sched_get_priority_max),
        )
    };
    for policy in [OTHER, BATCH, IDLE, 6] {
        same("a fair policy", range(policy), (Ok(0), Ok(0)))?;
    }
    for policy in [FIFO, RR] {
        same("a real-time policy", range(policy), (Ok(1), Ok(99)))?;
    }
    let refusal = Err(sys::Errno(libc::EINVAL));
    for policy in [4, 8, u64::MAX] {
        same("no policy", range(policy), (refusal, refusal))?;
    }
    Ok(())
}

fn how_long_a_turn_is() -> Verdict {
    let turn = |pid| {
        let mut time = [u64::MAX; 2];
        sys::call(libc::SYS_sched_rr_get_interval, [pid, at(&mut time)]).map(|_| time)
    };
    let fair = must("a fair one", turn(0))?;
    holds("some milliseconds", fair[0] == 0 && fair[1] < 50_000_000)?;
    same("FIFO", set_scheduler(0, FIFO, 1), Ok(0))?;
    same("FIFO", turn(0), Ok([0, 0]))?;
    same("round robin", set_scheduler(0, RR, 1), Ok(0))?;
    same("round robin", turn(0), Ok([0, 100_000_000]))?;
    refused("nobody", turn(NOBODY), libc::ESRCH)?;
    refused("pid -1", turn(u64::from(u32::MAX)), libc::EINVAL)
}

fn nice_is_kept_within_bounds() -> Verdict {
    let (which, own) = (libc::PRIO_PROCESS, sys::getpid() as u64);
    for (level, read) in [(5, 15), (-20, 40), (-1000, 40), (19, 1), (1000, 1), (0, 20)] {
        same("setpriority", set_nice(which, own, level), Ok(0))?;
        same("getpriority", nice(which, 0), Ok(read))?;
    }
    refused("no such kind", nice(3, 0), libc::EINVAL)?;
    refused("no such kind", set_nice(u32::MAX, 0, 0), libc::EINVAL)?;
    for which in [libc::PRIO_PROCESS, libc::PRIO_PGRP, libc::PRIO_USER] {
        refused("nobody", nice(which, NOBODY), libc::ESRCH)?;
        refused("nobody", set_nice(which, NOBODY, 0), libc::ESRCH)?;
    }
    same("FIFO", set_scheduler(0, FIFO, 1), Ok(0))?;
    same("it has a level all the same", set_nice(which, 0, 4), Ok(0))?;
    same("getpriority", nice(which, 0), Ok(16))?;
    same("fair again", set_scheduler(0, OTHER, 0), Ok(0))?;
    same("it has kept it", nice(which, 0), Ok(16))
}

fn nice_of_a_group() -> Verdict {
    must("setsid", sys::call(libc::SYS_setsid, []))?;
    let group = sys::getpid() as u64;
    let shared = Map::with(1, map::RW, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1);
    let stop = must("mmap", shared)?.start;
    let wait_for_it = move || {
        while mem::peek(stop) == 0 {
            let _ = sys::sleep_ms(1);
        }
        (LEVEL_0 - nice(libc::PRIO_PROCESS, 0).unwrap_or(99)) as i32
    };
    let pid = must("fork", child::start(wait_for_it))?;
    same(
        "the child",
        set_nice(libc::PRIO_PROCESS, pid as u64, 3),
        Ok(0),
    )?;
    same("the parent", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0))?;
    same("the least nice", nice(libc::PRIO_PGRP, group), Ok(LEVEL_0))?;
    same("all", set_nice(libc::PRIO_PGRP, 0, 9), Ok(0))?;
    same("the parent", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0 - 9))?;
    mem::poke(stop, 1);
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(9),
    )
}

/// Tells policy and nice level in an exit code.
fn told() -> i32 {
    let policy = scheduler(0).unwrap_or(7) as i32;
    let level = nice(libc::PRIO_PROCESS, 0).unwrap_or(20) as i32;
    policy | (20 - level) << 3
}

fn children_inherit() -> Verdict {
    let child = || must("a child", child::run(told));
    same("nice", set_nice(libc::PRIO_PROCESS, 0, 3), Ok(0))?;
    same("batch", set_scheduler(0, BATCH, 0), Ok(0))?;
    same("both", child()?, Ended::Exited(BATCH as i32 | 3 << 3))?;
    same("with the flag", set_scheduler(0, BATCH | RESET, 0), Ok(0))?;
    same(
        "nothing to take away",
        child()?,
        Ended::Exited(BATCH as i32 | 3 << 3),
    )?;
    same("round robin", set_scheduler(0, RR, 2), Ok(0))?;
    same("real-time", child()?, Ended::Exited(RR as i32 | 3 << 3))?;
    same("with the flag", set_scheduler(0, RR | RESET, 2), Ok(0))?;
    same("like anybody", child()?, Ended::Exited(0))?;
    same("fair", set_scheduler(0, OTHER | RESET, 0), Ok(0))?;
    same("not so nice", set_nice(libc::PRIO_PROCESS, 0, -4), Ok(0))?;
    same("like anybody", child()?, Ended::Exited(0))
}

fn a_thread_asks_for_itself() -> Verdict {
    let helper = must("clone", Helper::start(THREAD, sleep, 0))?;
    let tid = changed(0, 0);
    same("its number", tid, helper.number() as u64)?;
    same("the thread", set_scheduler(tid, BATCH, 0), Ok(0))?;
    same(
        "the thread's level",
        set_nice(libc::PRIO_PROCESS, tid, 6),
        Ok(0),
    )?;
    same("the thread", scheduler(tid), Ok(BATCH))?;
    same("the thread", nice(libc::PRIO_PROCESS, tid), Ok(LEVEL_0 - 6))?;
    same("the first one", scheduler(0), Ok(OTHER))?;
    same("the first one", nice(libc::PRIO_PROCESS, 0), Ok(LEVEL_0))?;
    let all = must("sched_getaffinity", cpus(0))?;
    let one = all & all.wrapping_neg();
    same("the thread's CPUs", set_cpus(tid, one), Ok(0))?;
    same("the thread's CPUs", cpus(tid), Ok(one))?;
    same("the first one's", cpus(0), Ok(all))?;
    WORDS[0].store(0, SeqCst);
    Ok(())
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
