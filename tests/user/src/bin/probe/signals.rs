//! Signals that processes send: how they reach handlers, what a handler finds, and what comes back (§14).

use user::child::{self, Ended};
use user::frames;
use user::probe::{Topic, Verdict, code, dies, holds, lives, must, refused, same};
use user::signals::{self, Event, bit, note, notes, word};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "signals",
    about: "signals that are sent: handlers, masks, order, stacks, frames",
    cases: &[
        ("a_handler_runs", a_handler_runs),
        ("entry_registers", entry_registers),
        ("masks_during_a_handler", masks_during_a_handler),
        ("nodefer_and_resethand", nodefer_and_resethand),
        (
            "kill_and_stop_cannot_be_masked",
            kill_and_stop_cannot_be_masked,
        ),
        ("several_at_once_are_stacked", several_at_once_are_stacked),
        ("standard_signals_wait_once", standard_signals_wait_once),
        ("real_time_signals_queue", real_time_signals_queue),
        (
            "children_inherit_handlers_and_mask",
            children_inherit_handlers_and_mask,
        ),
        ("without_restorer", without_restorer),
        ("stop_and_continue", stop_and_continue),
        ("continue_is_told_of", continue_is_told_of),
        ("orphans_are_continued", orphans_are_continued),
    ],
};

fn told(event: &mut Event) {
    note(event.signal as u64);
    note(event.code() as u64);
    note(event.pid() as u64);
}

fn order(event: &mut Event) {
    note(event.signal as u64);
}

fn a_handler_runs() -> Verdict {
    must("install", signals::install(libc::SIGUSR1, told, 0, 0))?;
    let pid = sys::getpid();
    same("kill", signals::kill(pid, libc::SIGUSR1), Ok(0))?;
    let me = pid as u64;
    let kill = vec![libc::SIGUSR1 as u64, 0, me];
    same("what kill tells", notes(), kill)?;
    must("tgkill", signals::raise(libc::SIGUSR1))?;
    let tkill = vec![libc::SIGUSR1 as u64, -6_i64 as u64, me];
    same("what tgkill tells", notes(), tkill)
}

fn entry_registers() -> Verdict {
    let mut action = [
        frames::looker(),
        signals::RESTORER | signals::SIGINFO,
        signals::restorer(),
        0,
    ];
    must("install", signals::set_action(libc::SIGUSR2, &mut action))?;
    let (entry, kept) = frames::raise_and_look(libc::SIGUSR2);
    same("rsp % 16", entry.rsp % 16, 8)?;
    same("rdi", entry.rdi, libc::SIGUSR2 as u64)?;
    same("rsi", entry.rsi, entry.rsp + 312)?;
    same("rdx", entry.rdx, entry.rsp + 8)?;
    same("rax", entry.rax, 0)?;
    same("r12", entry.r12, 0x1234)?;
    same("direction and trap flag", entry.rflags & 0x500, 0)?;
    same("mxcsr", entry.mxcsr, 0x1f80)?;
    holds("everything comes back", kept)
}

fn masks_during_a_handler() -> Verdict {
    fn look(event: &mut Event) {
        note(signals::mask().unwrap_or(0));
        note(event.context[word::MASK]);
        note(event.context[word::OLDMASK]);
    }
    let before = bit(libc::SIGHUP);
    must("mask", signals::set_mask(before))?;
    let inside = bit(libc::SIGTERM) | bit(libc::SIGKILL);
    must("install", signals::install(libc::SIGUSR1, look, 0, inside))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    let blocked = before | bit(libc::SIGTERM) | bit(libc::SIGUSR1);
    same("masks", notes(), vec![blocked, before, before])?;
    same("mask afterwards", signals::mask(), Ok(before))
}

fn nodefer_and_resethand() -> Verdict {
    fn nested(event: &mut Event) {
        order(event);
        if signals::action(libc::SIGUSR1).is_ok_and(|action| action[0] != 0) {
            return;
        }
        note(99);
    }
    let flags = signals::NODEFER | signals::RESETHAND;
    must("install", signals::install(libc::SIGUSR1, nested, flags, 0))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same(
        "the handler is gone when it runs",
        notes(),
        vec![libc::SIGUSR1 as u64, 99],
    )?;
    fn again(event: &mut Event) {
        note(event.signal as u64);
        if event.code() == -6 {
            // Not deferred: it runs here, not after the return.
            let _ = signals::queue(sys::getpid(), libc::SIGUSR2, 1);
            note(7);
        }
    }
    must(
        "install",
        signals::install(libc::SIGUSR2, again, signals::NODEFER, 0),
    )?;
    must("raise", signals::raise(libc::SIGUSR2))?;
    let two = libc::SIGUSR2 as u64;
    same("nested", notes(), vec![two, two, 7])
}

fn kill_and_stop_cannot_be_masked() -> Verdict {
    must("mask", signals::set_mask(u64::MAX))?;
    let mask = must("mask", signals::mask())?;
    same("mask", mask, !(bit(libc::SIGKILL) | bit(libc::SIGSTOP)))?;
    for signal in [libc::SIGKILL, libc::SIGSTOP] {
        refused(
            "a handler",
            signals::install(signal, order, 0, 0),
            libc::EINVAL,
        )?;
    }
    dies("kill all the same", libc::SIGKILL, || {
        let _ = signals::set_mask(u64::MAX);
        let _ = signals::kill(sys::getpid(), libc::SIGKILL);
        0
    })
}

/// SF-7: faults first, then the lowest; the last frame runs first.
fn several_at_once_are_stacked() -> Verdict {
    let all = [libc::SIGUSR1, libc::SIGSEGV, libc::SIGUSR2, libc::SIGTERM];
    for signal in all {
        must("install", signals::install(signal, order, 0, 0))?;
    }
    must("block", signals::set_mask(u64::MAX))?;
    for signal in all {
        must("kill", signals::kill(sys::getpid(), signal))?;
    }
    let waiting = all.iter().fold(0, |set, signal| set | bit(*signal));
    same("what waits", signals::pending(), Ok(waiting))?;
    must("unblock", signals::set_mask(0))?;
    let run = [libc::SIGTERM, libc::SIGUSR2, libc::SIGUSR1, libc::SIGSEGV];
    same("order", notes(), run.map(|signal| signal as u64).to_vec())?;
    same("nothing waits", signals::pending(), Ok(0))
}

fn standard_signals_wait_once() -> Verdict {
    must("install", signals::install(libc::SIGUSR1, told, 0, 0))?;
    must("block", signals::set_mask(bit(libc::SIGUSR1)))?;
    for value in 1..=3 {
        must("queue", signals::queue(sys::getpid(), libc::SIGUSR1, value))?;
    }
    must("unblock", signals::set_mask(0))?;
    same("handled", notes().len(), 3)
}

fn real_time_signals_queue() -> Verdict {
    fn value(event: &mut Event) {
        note((event.signal * 100 + event.value()) as u64);
    }
    for signal in [40, 50] {
        must("install", signals::install(signal, value, 0, u64::MAX))?;
    }
    must("block", signals::set_mask(u64::MAX))?;
    for (signal, number) in [(50, 1), (40, 2), (50, 3), (40, 4)] {
        must("queue", signals::queue(sys::getpid(), signal, number))?;
    }
    must("unblock", signals::set_mask(0))?;
    same(
        "lowest number, then first come",
        notes(),
        vec![4002, 4004, 5001, 5003],
    )
}

fn children_inherit_handlers_and_mask() -> Verdict {
    must("install", signals::install(libc::SIGUSR1, order, 0, 0))?;
    must("install", signals::install(libc::SIGUSR2, order, 0, 0))?;
    must("block", signals::set_mask(bit(libc::SIGUSR2)))?;
    must("raise", signals::raise(libc::SIGUSR2))?;
    lives("a child", || {
        code((|| {
            same("what waits", signals::pending(), Ok(0))?;
            same("mask", signals::mask(), Ok(bit(libc::SIGUSR2)))?;
            must("raise", signals::raise(libc::SIGUSR1))?;
            same("handled", notes(), vec![libc::SIGUSR1 as u64])
        })())
    })?;
    same("in the parent", notes(), vec![])?;
    must("unblock", signals::set_mask(0))?;
    same("in the parent", notes(), vec![libc::SIGUSR2 as u64])
}

/// SF-4.
fn without_restorer() -> Verdict {
    let ended = child::run(|| {
        let mut action = [frames::looker(), signals::SIGINFO, signals::restorer(), 0];
        let _ = signals::set_action(libc::SIGUSR1, &mut action);
        let _ = signals::raise(libc::SIGUSR1);
        0
    });
    same(
        "without SA_RESTORER",
        ended,
        Ok(Ended::Killed(libc::SIGSEGV)),
    )
}

/// How a child's status word reads.
fn status(pid: i32, options: i32) -> sys::Result<i32> {
    sys::wait4(pid, options).map(|(_, status)| status)
}

fn stop_and_continue() -> Verdict {
    fn news(event: &mut Event) {
        note(event.code() as u64 * 1000 + event.value() as u64);
    }
    must(
        "install",
        signals::install(libc::SIGCHLD, news, signals::RESTART, 0),
    )?;
    for stop in [libc::SIGSTOP, libc::SIGTTIN] {
        // In a group of its own, whose parent can continue it.
        let pid = must(
            "fork",
            child::start(|| {
                let _ = sys::call(libc::SYS_setpgid, [0, 0]);
                sys::sleep_ms(100_000).map_or(1, |_| 0)
            }),
        )?;
        let _ = sys::call(libc::SYS_setpgid, [pid as u64, 0]);
        must("stop", signals::kill(pid, stop))?;
        same(
            "stopped",
            status(pid, libc::WUNTRACED),
            Ok(stop << 8 | 0x7f),
        )?;
        same(
            "told once",
            sys::wait4(pid, libc::WUNTRACED | libc::WNOHANG),
            Ok((0, 0)),
        )?;
        must("a signal that waits", signals::kill(pid, libc::SIGTERM))?;
        must("continue", signals::kill(pid, libc::SIGCONT))?;
        same(
            "ended by what had waited",
            child::wait(pid),
            Ok(Ended::Killed(libc::SIGTERM)),
        )?;
    }
    let told = notes();
    holds(
        "SIGCHLD tells of stops",
        told.contains(&(5000 + libc::SIGSTOP as u64)),
    )
}

fn continue_is_told_of() -> Verdict {
    let pid = must(
        "fork",
        child::start(|| sys::sleep_ms(100_000).map_or(1, |_| 0)),
    )?;
    must("stop", signals::kill(pid, libc::SIGSTOP))?;
    same(
        "stopped",
        status(pid, libc::WUNTRACED),
        Ok(libc::SIGSTOP << 8 | 0x7f),
    )?;
    must("continue", signals::kill(pid, libc::SIGCONT))?;
    same("continued", status(pid, libc::WCONTINUED), Ok(0xffff))?;
    must("stop", signals::kill(pid, libc::SIGSTOP))?;
    same(
        "stopped again",
        status(pid, libc::WUNTRACED),
        Ok(libc::SIGSTOP << 8 | 0x7f),
    )?;
    must("kill", signals::kill(pid, libc::SIGKILL))?;
    same(
        "ended while stopped",
        child::wait(pid),
        Ok(Ended::Killed(libc::SIGKILL)),
    )
}

/// A stopped group whose last link to a parent is gone is hung up and continued.
fn orphans_are_continued() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let middle = child::run(|| {
        let Ok(pid) = child::start(|| {
            let _ = sys::sleep_ms(100_000);
            0
        }) else {
            return 1;
        };
        let _ = sys::call(libc::SYS_setpgid, [pid as u64, 0]);
        let _ = signals::kill(pid, libc::SIGSTOP);
        i32::from(status(pid, libc::WUNTRACED) != Ok(libc::SIGSTOP << 8 | 0x7f))
    });
    same(
        "the parent of the stopped one",
        middle,
        Ok(Ended::Exited(0)),
    )?;
    must("close", sys::close(writer))?;
    let mut byte = [0_u8];
    same(
        "the pipe's last writer has gone",
        sys::read(reader, sys::at(&mut byte), 1),
        Ok(0),
    )
}
