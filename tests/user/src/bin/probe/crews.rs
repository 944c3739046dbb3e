//! How processes with threads end, stop and go on, and what their threads share.

use std::sync::atomic::Ordering::SeqCst;

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::{Topic, Verdict, code, must, refused, same};
use user::sys;
use user::threads::{Helper, SHARER, THREAD};

use crate::threads::{WORDS, changed, gettid, sleep};

pub(crate) const TOPIC: Topic = Topic {
    name: "crews",
    about: "processes with threads: their ends, their stops, what their threads share",
    cases: &[
        ("exit_group_ends_all", exit_group_ends_all),
        ("a_killed_process_ends_all", a_killed_process_ends_all),
        ("the_first_thread_may_leave", the_first_thread_may_leave),
        ("a_stop_stops_all", a_stop_stops_all),
        ("exec_ends_the_others", exec_ends_the_others),
        ("mappings_are_shared_at_once", mappings_are_shared_at_once),
        ("descriptors_are_shared", descriptors_are_shared),
        ("library_threads_run", library_threads_run),
    ],
};

/// Counts until it is ended or told to stop.
extern "C" fn count(_: u64) -> u64 {
    WORDS[0].store(gettid(), SeqCst);
    while WORDS[3].load(SeqCst) == 0 {
        WORDS[2].fetch_add(1, SeqCst);
    }
    0
}

/// Starts three helpers in a child and then `work`, and returns how the child ended.
fn with_helpers(work: impl FnOnce() -> i32) -> Result<Ended, String> {
    let in_child = || {
        for _ in 0..3 {
            if Helper::start(THREAD, sleep, 0).is_err() {
                return 90;
            }
        }
        work()
    };
    must("fork", child::run(in_child))
}

extern "C" fn leave_with_three(_: u64) -> u64 {
    sys::exit(3)
}

fn exit_group_ends_all() -> Verdict {
    let by_first = with_helpers(|| sys::exit(2))?;
    same("by the first thread", by_first, Ended::Exited(2))?;
    same(
        "by another",
        with_another(leave_with_three)?,
        Ended::Exited(3),
    )
}

/// Has one more thread do `work` beside the helpers while the first one sleeps, and returns how the child ended.
fn with_another(work: extern "C" fn(u64) -> u64) -> Result<Ended, String> {
    with_helpers(|| {
        let _ = Helper::start(THREAD, work, 0);
        sleep(0) as i32
    })
}

extern "C" fn write_to_nothing(_: u64) -> u64 {
    mem::poke(8, 1);
    0
}

fn a_killed_process_ends_all() -> Verdict {
    let by_fault = with_another(write_to_nothing)?;
    same("a fault", by_fault, Ended::Killed(libc::SIGSEGV))?;
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let busy = || {
            let _ = Helper::start(THREAD, count, 0);
            sleep(0) as i32
        };
        let pid = must("fork", child::start(busy))?;
        must("sleep", sys::sleep_ms(5))?;
        must(
            "kill",
            sys::call(libc::SYS_kill, [pid as u64, signal as u64]),
        )?;
        same(
            "a signal",
            must("wait", child::wait(pid))?,
            Ended::Killed(signal),
        )?;
    }
    Ok(())
}

extern "C" fn leave_late(_: u64) -> u64 {
    let _ = sys::sleep_ms(5);
    6
}

fn the_first_thread_may_leave() -> Verdict {
    // The code of the thread that leaves last is the process's.
    let ended = must(
        "fork",
        child::run(|| {
            let _ = Helper::start(THREAD, leave_late, 0);
            sys::raw(libc::SYS_exit, [5, 0, 0, 0, 0, 0]) as i32
        }),
    )?;
    same("the code", ended, Ended::Exited(6))
}

fn a_stop_stops_all() -> Verdict {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let word = must("mmap", Map::with(1, map::RW, shared, -1))?.start;
    extern "C" fn count_at(word: u64) -> u64 {
        loop {
            mem::poke64(word, mem::peek64(word) + 1);
        }
    }
    let pid = must(
        "fork",
        child::start(move || {
            for _ in 0..2 {
                if Helper::start(THREAD, sleep, 0).is_err() {
                    return 90;
                }
            }
            let _ = Helper::start(THREAD, count_at, word);
            sleep(0) as i32
        }),
    )?;
    let kill = |signal: i32| {
        must(
            "kill",
            sys::call(libc::SYS_kill, [pid as u64, signal as u64]),
        )
    };
    let counts = || {
        let before = mem::peek64(word);
        while mem::peek64(word) == before {
            let _ = sys::sleep_ms(1);
        }
    };
    for _ in 0..3 {
        counts();
        kill(libc::SIGSTOP)?;
        same(
            "told of the stop",
            sys::wait4(pid, libc::WUNTRACED),
            Ok((pid, libc::SIGSTOP << 8 | 0x7f)),
        )?;
        let before = mem::peek64(word);
        must("sleep", sys::sleep_ms(10))?;
        same("nobody counts", mem::peek64(word), before)?;
        kill(libc::SIGCONT)?;
        same(
            "told of the end of it",
            sys::wait4(pid, libc::WCONTINUED),
            Ok((pid, 0xffff)),
        )?;
    }
    kill(libc::SIGKILL)?;
    same(
        "its end",
        must("wait", child::wait(pid))?,
        Ended::Killed(libc::SIGKILL),
    )
}

extern "C" fn exec_null(_: u64) -> u64 {
    let argv = [c"probe".as_ptr() as u64, c"null".as_ptr() as u64, 0];
    let path = c"/proc/self/exe".as_ptr() as u64;
    let _ = sys::raw(libc::SYS_execve, [path, argv.as_ptr() as u64, 0, 0, 0, 0]);
    91
}

fn exec_ends_the_others() -> Verdict {
    let by_first = with_helpers(|| exec_null(0) as i32)?;
    same("by the first thread", by_first, Ended::Exited(0))?;
    same("by another", with_another(exec_null)?, Ended::Exited(0))
}

extern "C" fn poke_where_told(_: u64) -> u64 {
    mem::poke(changed(1, 0), 77);
    WORDS[2].store(1, SeqCst);
    0
}

fn mappings_are_shared_at_once() -> Verdict {
    for flags in [THREAD, SHARER] {
        WORDS.iter().for_each(|word| word.store(0, SeqCst));
        let helper = must("clone", Helper::start(flags, poke_where_told, 0))?;
        let page = must("mmap", Map::anon(1, map::RW))?.start;
        WORDS[1].store(page, SeqCst);
        changed(2, 0);
        same("written by the other", mem::peek(page), 77)?;
        helper.join();
        if flags == SHARER {
            must("wait", sys::wait4(-1, 0))?;
        }
    }
    Ok(())
}

extern "C" fn close(fd: u64) -> u64 {
    let _ = sys::close(fd as i32);
    0
}

fn descriptors_are_shared() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let helper = must("clone", Helper::start(THREAD, close, reader as u64))?;
    helper.join();
    refused("closed by a thread", sys::close(reader), libc::EBADF)?;
    let helper = must("clone", Helper::start(SHARER, close, writer as u64))?;
    let pid = helper.number();
    must("wait", child::wait(pid))?;
    must("not closed by another process", sys::close(writer)).map(drop)
}

/// Rust's own threads: a channel, a mutex, thread-local variables, scoped threads, a panic that stays in its thread.
fn library_threads_run() -> Verdict {
    let result = child::run(|| code(library_threads()));
    same(
        "in a process of its own",
        must("fork", result)?,
        Ended::Exited(0),
    )
}

fn library_threads() -> Verdict {
    use std::cell::Cell;
    use std::sync::{Arc, Barrier, Mutex, mpsc};
    use std::thread;

    thread_local!(static OWN: Cell<u64> = const { Cell::new(5) });
    let (sender, receiver) = mpsc::channel();
    let (sum, barrier) = (Arc::new(Mutex::new(0)), Arc::new(Barrier::new(16)));
    let mut workers = Vec::new();
    for number in 0..16_u64 {
        let (sender, sum, barrier) = (sender.clone(), sum.clone(), barrier.clone());
        let work = move || {
            OWN.set(OWN.get() + number);
            barrier.wait();
            for value in 0..100 {
                *sum.lock().expect("nobody panics with it") += value;
            }
            sender.send(OWN.get()).expect("somebody receives");
        };
        let worker = thread::Builder::new().spawn(work);
        workers.push(worker.map_err(|error| error.to_string())?);
    }
    drop(sender);
    for worker in workers {
        worker.join().map_err(|_| "it panicked")?;
    }
    same(
        "what came through the channel",
        receiver.iter().sum(),
        16 * 5 + 120_u64,
    )?;
    same(
        "what was summed up",
        *sum.lock().map_err(|_| "poisoned")?,
        16 * 4950,
    )?;
    same("the first thread's own", OWN.get(), 5)?;
    let mut parts = [0_u64; 8];
    thread::scope(|scope| {
        for (number, part) in parts.iter_mut().enumerate() {
            scope.spawn(move || *part = number as u64 * 10);
        }
    });
    same("what scoped threads left", parts.iter().sum(), 280_u64)
}
