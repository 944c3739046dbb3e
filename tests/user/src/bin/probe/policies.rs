//! What a thread may ask of the scheduler, and what its children inherit.

use std::sync::atomic::Ordering::SeqCst;

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys::{self, at};
use user::threads::{Helper, THREAD};

use crate::cpusets::{cpus, set_cpus};
use crate::threads::{WORDS, changed, sleep};

pub(crate) const TOPIC: Topic = Topic {
    name: "policies",
    about: "scheduling policies, priorities and nice levels",
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
    ],
};

/// No process has this number.
pub(crate) const NOBODY: u64 = 0x3fff_fff0;
const OTHER: u64 = libc::SCHED_OTHER as u64;
pub(crate) const FIFO: u64 = libc::SCHED_FIFO as u64;
const RR: u64 = libc::SCHED_RR as u64;
const BATCH: u64 = libc::SCHED_BATCH as u64;
const IDLE: u64 = libc::SCHED_IDLE as u64;
const RESET: u64 = libc::SCHED_RESET_ON_FORK as u64;
/// What `getpriority` returns for nice level 0.
const LEVEL_0: u64 = 20;

pub(crate) fn set_scheduler(pid: u64, policy: u64, priority: i32) -> sys::Result {
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

pub(crate) fn set_nice(which: u32, who: u64, level: i64) -> sys::Result {
    let level = level.cast_unsigned();
    sys::call(libc::SYS_setpriority, [which.into(), who, level])
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
