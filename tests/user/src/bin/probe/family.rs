//! Parents and children: pids, ends and who learns of them (XM-1, FK-6).

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "family",
    about: "pids, waiting, exit codes, kill, orphans",
    cases: &[
        ("pids_differ", pids_differ),
        ("wait_without_children", wait_without_children),
        ("wait_does_not_hang", wait_does_not_hang),
        ("wait_for_any", wait_for_any),
        ("exit_codes_are_8_bits", exit_codes_are_8_bits),
        ("kill_reaches_a_child", kill_reaches_a_child),
        ("orphans_have_a_new_parent", orphans_have_a_new_parent),
        ("threads_are_refused_or_run", threads_are_refused_or_run),
    ],
};

fn pids_differ() -> Verdict {
    let own = sys::getpid();
    let mut seen = vec![own];
    for _ in 0..8 {
        let pid = must(
            "fork",
            child::start(move || i32::from(sys::getppid() != own || sys::getpid() == own)),
        )?;
        same(
            "a child knows its parent",
            must("wait", child::wait(pid))?,
            Ended::Exited(0),
        )?;
        holds("a new pid", pid > 0 && !seen.contains(&pid))?;
        seen.push(pid);
    }
    Ok(())
}

fn wait_without_children() -> Verdict {
    refused("wait4", sys::wait4(-1, 0), libc::ECHILD)?;
    refused("for a stranger", sys::wait4(1, 0), libc::ECHILD)?;
    refused("unknown options", sys::wait4(-1, 0x100), libc::EINVAL)
}

fn wait_does_not_hang() -> Verdict {
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(80);
            4
        }),
    )?;
    same("too early", sys::wait4(pid, libc::WNOHANG), Ok((0, 0)))?;
    same("in time", sys::wait4(pid, 0), Ok((pid, 4 << 8)))?;
    refused("twice", sys::wait4(pid, libc::WNOHANG), libc::ECHILD)
}

fn wait_for_any() -> Verdict {
    let sleeper = |ms: u64, code: i32| {
        must(
            "fork",
            child::start(move || {
                let _ = sys::sleep_ms(ms);
                code
            }),
        )
    };
    let (slow, fast) = (sleeper(200, 1)?, sleeper(20, 2)?);
    same("the first to end", sys::wait4(-1, 0), Ok((fast, 2 << 8)))?;
    same("the second", sys::wait4(-1, 0), Ok((slow, 1 << 8)))
}

fn exit_codes_are_8_bits() -> Verdict {
    for (code, want) in [
        (0, 0),
        (1, 1),
        (255, 255),
        (256, 0),
        (-1, 255),
        (0x1234, 0x34),
    ] {
        same(
            "the code",
            must("fork", child::run(|| code))?,
            Ended::Exited(want),
        )?;
    }
    Ok(())
}

fn kill_reaches_a_child() -> Verdict {
    let [reader, _writer] = must("pipe", sys::pipe())?;
    let waiting = must(
        "fork",
        child::start(|| {
            let mut byte = [0_u8];
            sys::read(reader, sys::at(&mut byte), 1).map_or(1, |_| 2)
        }),
    )?;
    let spinning = must(
        "fork",
        child::start(|| {
            loop {
                std::hint::spin_loop();
            }
        }),
    )?;
    for pid in [waiting, spinning] {
        must(
            "kill",
            sys::call(libc::SYS_kill, [pid as u64, libc::SIGKILL as u64]),
        )?;
        same(
            "its end",
            must("wait", child::wait(pid))?,
            Ended::Killed(libc::SIGKILL),
        )?;
    }
    refused(
        "a pid that has gone",
        sys::call(libc::SYS_kill, [waiting as u64, 0]),
        libc::ESRCH,
    )
}

fn orphans_have_a_new_parent() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    lives("the middle one leaves early", || {
        let middle = sys::getpid();
        let orphan = child::start(move || {
            let start = sys::now_ms();
            while sys::getppid() == middle && sys::now_ms() < start + 2000 {
                let _ = sys::sleep_ms(2);
            }
            let mut told = [u8::from(sys::getppid() != middle)];
            sys::write(writer, sys::at(&mut told), 1).map_or(1, |_| 0)
        });
        i32::from(orphan.is_err())
    })?;
    let mut told = [9_u8];
    same(
        "word from the orphan",
        sys::read(reader, sys::at(&mut told), 1),
        Ok(1),
    )?;
    same("it saw its parent change", told[0], 1)
}

/// A kernel without threads says so; it does not start something else.
fn threads_are_refused_or_run() -> Verdict {
    match std::thread::Builder::new().spawn(|| 41 + 1) {
        Ok(thread) => same("its result", thread.join().map_err(|_| "it panicked")?, 42),
        Err(_) => Ok(()),
    }
}
