//! Kernel threads as programs see them; where none are shown, as in a container, nothing can be wrong.

use std::fs;

use user::fsys::io;
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "kernel_threads",
    about: "kernel threads in /proc, which no signal reaches",
    cases: &[
        ("have_no_memory", have_no_memory),
        ("hear_no_signals", hear_no_signals),
        ("belong_to_nobody", belong_to_nobody),
        ("stay_on_their_processors", stay_on_their_processors),
    ],
};

/// The threads with their files of `stat`, without those that end meanwhile.
fn all() -> Result<Vec<(i32, String)>, String> {
    let mut found = Vec::new();
    for entry in io("list", fs::read_dir("/proc"))? {
        let name = io("entry", entry)?.file_name().into_string();
        let Some(pid) = name.ok().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
        if read("status").is_some_and(|status| status.contains("\nKthread:\t1\n"))
            && let Some(stat) = read("stat")
        {
            found.push((pid, stat));
        }
    }
    Ok(found)
}

fn field(stat: &str, number: usize) -> Result<i64, String> {
    let rest = stat.rsplit(") ").next().unwrap_or("");
    let text = rest.split_whitespace().nth(number - 3);
    let text = text.ok_or("a field is missing")?;
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

fn have_no_memory() -> Verdict {
    let all = all()?;
    println!("# {} kernel threads", all.len());
    for (pid, stat) in all {
        let fields = stat.rsplit(") ").next().unwrap_or("").split_whitespace();
        same("fields", fields.count() + 2, 52)?;
        same("size", (field(&stat, 23)?, field(&stat, 24)?), (0, 0))?;
        holds("one of the kernel's", field(&stat, 9)? & 0x20_0000 != 0)?;
        for (file, text) in [("cmdline", ""), ("maps", ""), ("statm", "0 0 0 0 0 0 0\n")] {
            let shown = fs::read_to_string(format!("/proc/{pid}/{file}"));
            same(
                file,
                shown.unwrap_or_else(|_| text.to_owned()),
                text.to_owned(),
            )?;
        }
        holds(
            "no program",
            fs::read_link(format!("/proc/{pid}/exe")).is_err(),
        )?;
    }
    Ok(())
}

fn hear_no_signals() -> Verdict {
    for (pid, _) in all()? {
        for signal in [0, libc::SIGTERM, libc::SIGSTOP, libc::SIGKILL] {
            let to = pid.cast_unsigned().into();
            must("kill", sys::call(libc::SYS_kill, [to, signal as u64]))?;
            must("tkill", sys::call(libc::SYS_tkill, [to, signal as u64]))?;
            must(
                "tgkill",
                sys::call(libc::SYS_tgkill, [to, to, signal as u64]),
            )?;
        }
        let status = io("status", fs::read_to_string(format!("/proc/{pid}/status")))?;
        holds(
            "goes on",
            !status.contains("State:\tT") && !status.contains("State:\tZ"),
        )?;
    }
    Ok(())
}

fn belong_to_nobody() -> Verdict {
    for (pid, stat) in all()? {
        let pid = pid.cast_unsigned().into();
        for (what, number) in [("group", libc::SYS_getpgid), ("session", libc::SYS_getsid)] {
            same(what, must(what, sys::call(number, [pid]))?, 0)?;
        }
        holds("its parent", [0, 2].contains(&field(&stat, 4)?))?;
    }
    Ok(())
}

fn stay_on_their_processors() -> Verdict {
    const NO_SETAFFINITY: i64 = 0x0400_0000;
    let everywhere = u64::MAX;
    for (pid, stat) in all()? {
        if field(&stat, 9)? & NO_SETAFFINITY == 0 {
            continue;
        }
        let mask = [
            pid.cast_unsigned().into(),
            8,
            (&raw const everywhere).addr() as u64,
        ];
        let moved = sys::call(libc::SYS_sched_setaffinity, mask);
        refused("moved", moved, libc::EINVAL)?;
    }
    Ok(())
}
