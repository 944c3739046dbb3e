//! Which thread takes a signal to its process, and what waits for one that has stopped.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use libc::{SIGCHLD, SIGCONT, SIGSTOP, SIGTERM, SIGUSR1, SIGVTALRM};
use user::child::{self, Ended};
use user::probe::{Topic, Verdict, code, lives, must, same};
use user::signals::{self, Event, RESTART, bit, install};
use user::sys::{self, at};
use user::threads::{Helper, THREAD};

use crate::threads::{WORDS, changed, gettid, sleep};

pub(crate) const TOPIC: Topic = Topic {
    name: "takers",
    about: "which thread takes a signal to its process; what is each thread's own",
    cases: &[
        ("the_one_named_takes_it", the_one_named_takes_it),
        ("who_blocks_it_does_not", who_blocks_it_does_not),
        (
            "a_childs_end_is_told_to_its_maker",
            a_childs_end_is_told_to_its_maker,
        ),
        ("a_timer_asks_who_runs", a_timer_asks_who_runs),
        ("the_stopped_are_not_ended", the_stopped_are_not_ended),
        ("promises_are_each_threads", promises_are_each_threads),
    ],
};

/// The number of the thread that took the last signal.
static TAKER: AtomicU64 = AtomicU64::new(0);

fn take(_: &mut Event<'_>) {
    TAKER.store(gettid(), SeqCst);
}

/// Forgets what was, and starts a helper that does `work`, which tells its number first.
fn helper(work: extern "C" fn(u64) -> u64) -> Result<(Helper, u64), String> {
    TAKER.store(0, SeqCst);
    WORDS.iter().for_each(|word| word.store(0, SeqCst));
    let helper = must("a thread", Helper::start(THREAD, work, 0))?;
    Ok((helper, changed(0, 0)))
}

/// Waits for a signal to be taken, and returns by whom.
fn taker() -> u64 {
    loop {
        let taker = TAKER.swap(0, SeqCst);
        if taker != 0 {
            return taker;
        }
        let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
    }
}

/// Who is asked to say that it is back from its handler; 0 when it has.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Tells its number, and is awake.
extern "C" fn wake(_: u64) -> u64 {
    WORDS[0].store(gettid(), SeqCst);
    loop {
        let _ = ASKED.compare_exchange(gettid(), 0, SeqCst, SeqCst);
        let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
    }
}

/// As [`taker`], and waits until it is back from the handler: on its way it would take the next one as well, on Linux too.
fn taker_when_back() -> u64 {
    let taker = taker();
    if taker != gettid() {
        ASKED.store(taker, SeqCst);
        while ASKED.load(SeqCst) != 0 {
            let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
        }
    }
    taker
}

fn the_one_named_takes_it() -> Verdict {
    lives("a process with three threads", || {
        code((|| {
            must("a handler", install(SIGUSR1, take, RESTART, 0))?;
            let (_first, first) = helper(wake)?;
            let (_second, second) = helper(wake)?;
            for named in [second, gettid(), first, second] {
                must("kill", signals::kill(named as i32, SIGUSR1))?;
                same("who took it", taker_when_back(), named)?;
            }
            for named in [first, gettid()] {
                must("queue", signals::queue(named as i32, SIGUSR1, 1))?;
                same("who took it from the queue", taker_when_back(), named)?;
            }
            Ok(())
        })())
    })
}

fn who_blocks_it_does_not() -> Verdict {
    lives("a process with two threads", || {
        code((|| {
            must("a handler", install(SIGUSR1, take, RESTART, 0))?;
            let (_other, other) = helper(sleep)?;
            must("block", signals::set_mask(bit(SIGUSR1)))?;
            for _ in 0..3 {
                must("kill", signals::kill(sys::getpid(), SIGUSR1))?;
                same("who took it", taker(), other)?;
            }
            must("unblock", signals::set_mask(0))?;
            must("kill", signals::kill(sys::getpid(), SIGUSR1))?;
            same("who took it at last", taker(), gettid())
        })())
    })
}

/// Has a child that ends at once, and waits for what the kernel says.
extern "C" fn bear(_: u64) -> u64 {
    let pid = sys::raw(libc::SYS_fork, [0; 6]);
    if pid == 0 {
        sys::exit(0);
    }
    WORDS[0].store(gettid(), SeqCst);
    sleep(0)
}

fn a_childs_end_is_told_to_its_maker() -> Verdict {
    lives("a process with two threads", || {
        code((|| {
            must("a handler", install(SIGCHLD, take, RESTART, 0))?;
            let (_maker, maker) = helper(bear)?;
            same("who was told", taker(), maker)?;
            must("wait", sys::wait4(-1, 0))?;
            // And of one's own.
            let own = must("fork", child::start(|| 0))?;
            same("who was told of the other", taker(), gettid())?;
            must("wait", child::wait(own)).map(|_| ())
        })())
    })
}

/// Counts until it is told to stop.
extern "C" fn count(_: u64) -> u64 {
    WORDS[0].store(gettid(), SeqCst);
    while WORDS[1].load(SeqCst) == 0 {
        WORDS[2].fetch_add(1, SeqCst);
    }
    0
}

fn a_timer_asks_who_runs() -> Verdict {
    lives("a process with two threads", || {
        code((|| {
            must("a handler", install(SIGVTALRM, take, RESTART, 0))?;
            let (other, tid) = helper(count)?;
            // Ten milliseconds of user time, once.
            let mut value = [0, 0, 0, 10_000_u64];
            let args = [libc::ITIMER_VIRTUAL as u64, at(&mut value), 0];
            must("a timer", sys::call(libc::SYS_setitimer, args))?;
            while TAKER.load(SeqCst) == 0 {
                must("sleep", sys::sleep_ms(10))?;
            }
            WORDS[1].store(1, SeqCst);
            other.join();
            same("who was interrupted", TAKER.load(SeqCst), tid)
        })())
    })
}

fn the_stopped_are_not_ended() -> Verdict {
    let pid = must("fork", child::start(|| sleep(0) as i32))?;
    must("stop", signals::kill(pid, SIGSTOP))?;
    let (_, status) = must("wait", sys::wait4(pid, libc::WUNTRACED))?;
    same("it has", status & 0xff, 0x7f)?;
    must("end", signals::kill(pid, SIGTERM))?;
    must("sleep", sys::sleep_ms(20))?;
    let (changed, _) = must("look", sys::wait4(pid, libc::WNOHANG))?;
    same("what is news", changed, 0)?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    let stat = stat.unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    same("it stands still", state, Some('T'))?;
    must("continue", signals::kill(pid, SIGCONT))?;
    same(
        "its end",
        must("wait", child::wait(pid))?,
        Ended::Killed(SIGTERM),
    )
}

fn prctl(option: i32, first: u64) -> i32 {
    sys::raw(libc::SYS_prctl, [option as u64, first, 0, 0, 0, 0]) as i32
}

/// Promises to gain no rights, wants a signal, and tells what the kernel has kept.
extern "C" fn promise(_: u64) -> u64 {
    let set = prctl(libc::PR_SET_NO_NEW_PRIVS, 1) | prctl(libc::PR_SET_PDEATHSIG, 10);
    let mut signal = 0_i32;
    prctl(libc::PR_GET_PDEATHSIG, at(&mut signal));
    let kept = prctl(libc::PR_GET_NO_NEW_PRIVS, 0);
    WORDS[1].store((set << 16 | kept << 8 | signal) as u64, SeqCst);
    WORDS[0].store(gettid(), SeqCst);
    0
}

fn promises_are_each_threads() -> Verdict {
    lives("a process with two threads", || {
        code((|| {
            let (other, _) = helper(promise)?;
            same("what it has", WORDS[1].load(SeqCst), 1 << 8 | 10)?;
            other.join();
            let mut signal = -1_i32;
            prctl(libc::PR_GET_PDEATHSIG, at(&mut signal));
            let own = (prctl(libc::PR_GET_NO_NEW_PRIVS, 0), signal);
            same("what the first has", own, (0, 0))?;
            same("promise", prctl(libc::PR_SET_NO_NEW_PRIVS, 1), 0)?;
            let heir = child::run(|| prctl(libc::PR_GET_NO_NEW_PRIVS, 0));
            same("what a child has", heir, Ok(Ended::Exited(1)))
        })())
    })
}
