//! Threads and processes that share memory: their numbers, what may be asked for, whom a signal reaches.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::signals;
use user::sys;
use user::threads::{Helper, SHARER, THREAD};

pub(crate) const TOPIC: Topic = Topic {
    name: "threads",
    about: "threads and processes that share memory: numbers, flags, signals",
    cases: &[
        ("a_thread_has_a_number", a_thread_has_a_number),
        ("a_thread_is_no_child", a_thread_is_no_child),
        ("a_sharer_is_a_child", a_sharer_is_a_child),
        ("flags_that_contradict", flags_that_contradict),
        ("clone3_checks_its_structure", clone3_checks_its_structure),
        ("clone3_makes_a_child", clone3_makes_a_child),
        ("proc_lists_threads", proc_lists_threads),
        ("signals_find_their_thread", signals_find_their_thread),
        (
            "a_blocked_signal_goes_to_another",
            a_blocked_signal_goes_to_another,
        ),
        ("it_is_handed_on_when_blocked", handed_on_when_blocked),
    ],
};

/// What a helper tells, and is told.
pub(crate) static WORDS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

pub(crate) fn gettid() -> u64 {
    sys::raw(libc::SYS_gettid, [0; 6]) as u64
}

/// Gives way until the word is no longer `from`, and returns what it is.
pub(crate) fn changed(word: usize, from: u64) -> u64 {
    loop {
        let now = WORDS[word].load(SeqCst);
        if now != from {
            return now;
        }
        let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
    }
}

extern "C" fn tell_numbers(_: u64) -> u64 {
    WORDS[0].store(gettid(), SeqCst);
    WORDS[1].store(sys::getpid() as u64, SeqCst);
    0
}

/// Sleeps until it is ended.
pub(crate) extern "C" fn sleep(_: u64) -> u64 {
    WORDS[0].store(gettid(), SeqCst);
    loop {
        let _ = sys::raw(libc::SYS_pause, [0; 6]);
    }
}

fn a_thread_has_a_number() -> Verdict {
    let helper = must("clone", Helper::start(THREAD, tell_numbers, 0))?;
    let number = helper.number() as u64;
    helper.join();
    same("its number", WORDS[0].load(SeqCst), number)?;
    same("its process's", WORDS[1].load(SeqCst), sys::getpid() as u64)?;
    same("the first thread's own", gettid(), sys::getpid() as u64)?;
    holds("they differ", number != gettid())?;
    // Its word is cleared a little before it is gone.
    let gone = || sys::call(libc::SYS_tkill, [number, 0]) == Err(sys::Errno(libc::ESRCH));
    while !gone() {
        let _ = sys::sleep_ms(1);
    }
    Ok(())
}

fn a_thread_is_no_child() -> Verdict {
    let helper = must("clone", Helper::start(THREAD, tell_numbers, 0))?;
    let number = helper.number();
    refused("wait for it", sys::wait4(number, 0x4000_0000), libc::ECHILD)?;
    helper.join();
    refused("wait for any", sys::wait4(-1, 0x4000_0000), libc::ECHILD)
}

extern "C" fn tell_and_return_seven(_: u64) -> u64 {
    tell_numbers(0);
    7
}

fn a_sharer_is_a_child() -> Verdict {
    let helper = must("clone", Helper::start(SHARER, tell_and_return_seven, 0))?;
    let pid = helper.number();
    same("its end", must("wait", child::wait(pid))?, Ended::Exited(7))?;
    holds("its word was cleared", helper.has_gone())?;
    same("it wrote to this memory", WORDS[0].load(SeqCst), pid as u64)?;
    same("its process", WORDS[1].load(SeqCst), pid as u64)
}

fn flags_that_contradict() -> Verdict {
    let chld = libc::SIGCHLD as u64;
    for flags in [
        libc::CLONE_THREAD as u64,
        (libc::CLONE_THREAD | libc::CLONE_VM) as u64,
        libc::CLONE_SIGHAND as u64 | chld,
        (libc::CLONE_THREAD | libc::CLONE_SIGHAND) as u64,
        (libc::CLONE_FS | libc::CLONE_NEWNS) as u64 | chld,
    ] {
        let made = sys::call(libc::SYS_clone, [flags, 0, 0, 0, 0]);
        refused(&format!("{flags:#x}"), made, libc::EINVAL)?;
    }
    let tls = (libc::CLONE_SETTLS as u64 | chld, 0x8000_0000_0000_u64);
    let made = sys::call(libc::SYS_clone, [tls.0, 0, 0, 0, tls.1]);
    refused("an impossible TLS", made, libc::EPERM)
}

/// `struct clone_args` of its third size.
fn clone3(words: [u64; 11], size: u64) -> sys::Result {
    let mut words = words;
    sys::call(libc::SYS_clone3, [sys::at(&mut words), size])
}

fn clone3_checks_its_structure() -> Verdict {
    let chld = libc::SIGCHLD as u64;
    let plain = [0, 0, 0, 0, chld, 0, 0, 0, 0, 0, 0];
    let with = |at: usize, value: u64| {
        let mut words = plain;
        words[at] = value;
        words
    };
    refused("too short", clone3(plain, 56), libc::EINVAL)?;
    refused("too long", clone3(plain, 4097), libc::E2BIG)?;
    let far = sys::call(libc::SYS_clone3, [8, 64]);
    refused("no memory there", far, libc::EFAULT)?;
    for (what, words) in [
        ("a signal among the flags", with(0, chld)),
        ("a flag that is gone", with(0, libc::CLONE_DETACHED as u64)),
        ("a signal that is none", with(4, 0x100)),
        ("a thread with a signal", with(0, THREAD)),
        ("a size without a stack", with(6, 4096)),
        ("a stack without a size", with(5, 0x10000)),
        ("numbers without a count", with(8, 0x10000)),
        ("an unknown flag", with(0, 1 << 40)),
    ] {
        refused(what, clone3(words, 88), libc::EINVAL)?;
    }
    let mut longer = [0_u64; 12];
    longer[4] = chld;
    longer[11] = 1;
    let made = sys::call(libc::SYS_clone3, [sys::at(&mut longer), 96]);
    refused("something unknown behind it", made, libc::E2BIG)
}

fn clone3_makes_a_child() -> Verdict {
    let words = [0, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0, 0, 0, 0];
    for size in [64, 80, 88] {
        let pid = must("clone3", clone3(words, size))?;
        if pid == 0 {
            sys::exit(5);
        }
        same(
            "its end",
            must("wait", child::wait(pid as i32))?,
            Ended::Exited(5),
        )?;
    }
    Ok(())
}

fn proc_lists_threads() -> Verdict {
    let helpers = [
        must("clone", Helper::start(THREAD, sleep, 0))?,
        must("clone", Helper::start(THREAD, sleep, 0))?,
    ];
    let text = |error: std::io::Error| error.to_string();
    let mut listed = Vec::new();
    for entry in std::fs::read_dir("/proc/self/task").map_err(text)? {
        let name = entry.map_err(text)?.file_name();
        listed.push(name.to_string_lossy().parse::<i32>().unwrap_or(-1));
    }
    listed.sort_unstable();
    let mut want = vec![sys::getpid(), helpers[0].number(), helpers[1].number()];
    want.sort_unstable();
    same("/proc/self/task", listed, want)?;
    let tid = helpers[1].number();
    let status = std::fs::read_to_string(format!("/proc/self/task/{tid}/status")).map_err(text)?;
    for line in [
        format!("Tgid:\t{}", sys::getpid()),
        format!("Pid:\t{tid}"),
        "Threads:\t3".to_owned(),
    ] {
        holds(&line, status.lines().any(|found| found == line))?;
    }
    Ok(())
}

static HANDLED_BY: AtomicU32 = AtomicU32::new(0);

fn note_thread(_: &mut signals::Event) {
    HANDLED_BY.store(gettid() as u32, SeqCst);
}

fn handled() -> u64 {
    loop {
        match HANDLED_BY.swap(0, SeqCst) {
            0 => {
                let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
            }
            tid => return tid.into(),
        }
    }
}

fn signals_find_their_thread() -> Verdict {
    must(
        "sigaction",
        signals::install(libc::SIGUSR1, note_thread, 0, 0),
    )?;
    let helper = must("clone", Helper::start(THREAD, sleep, 0))?;
    let (pid, tid) = (sys::getpid() as u64, helper.number() as u64);
    let usr1 = libc::SIGUSR1 as u64;
    changed(0, 0);
    must("tgkill", sys::call(libc::SYS_tgkill, [pid, tid, usr1]))?;
    same("tgkill to the helper", handled(), tid)?;
    must("tkill", sys::call(libc::SYS_tkill, [tid, usr1]))?;
    same("tkill to the helper", handled(), tid)?;
    must("tgkill", sys::call(libc::SYS_tgkill, [pid, pid, usr1]))?;
    same("tgkill to the first thread", handled(), pid)?;
    must("kill", sys::call(libc::SYS_kill, [pid, usr1]))?;
    same("kill to the process", handled(), pid)?;
    must("kill", sys::call(libc::SYS_kill, [tid, usr1]))?;
    let by = handled();
    holds(
        "a thread's number names its process",
        by == pid || by == tid,
    )?;
    let other = sys::call(libc::SYS_tgkill, [1, tid, 0]);
    refused("in another process", other, libc::ESRCH)
}

fn block(signal: i32) -> Verdict {
    let mut set = 1_u64 << (signal - 1);
    let block = libc::SIG_BLOCK as u64;
    must(
        "sigprocmask",
        sys::call(libc::SYS_rt_sigprocmask, [block, sys::at(&mut set), 0, 8]),
    )
    .map(drop)
}

fn a_blocked_signal_goes_to_another() -> Verdict {
    must(
        "sigaction",
        signals::install(libc::SIGUSR1, note_thread, 0, 0),
    )?;
    let helper = must("clone", Helper::start(THREAD, sleep, 0))?;
    changed(0, 0);
    block(libc::SIGUSR1)?;
    let (pid, usr1) = (sys::getpid() as u64, libc::SIGUSR1 as u64);
    must("kill", sys::call(libc::SYS_kill, [pid, usr1]))?;
    same("the other's", handled(), helper.number() as u64)
}

/// Blocks USR1 with a signal to the process on its way, in its own process.
extern "C" fn block_and_sleep(_: u64) -> u64 {
    let _ = block(libc::SIGUSR1);
    sleep(0)
}

fn handed_on_when_blocked() -> Verdict {
    must(
        "sigaction",
        signals::install(libc::SIGUSR1, note_thread, 0, 0),
    )?;
    let helper = must("clone", Helper::start(THREAD, block_and_sleep, 0))?;
    changed(0, 0);
    let (pid, usr1) = (sys::getpid() as u64, libc::SIGUSR1 as u64);
    for _ in 0..20 {
        must("kill", sys::call(libc::SYS_kill, [pid, usr1]))?;
        same("the only one that can", handled(), pid)?;
    }
    holds("the other sleeps", !helper.has_gone())
}
