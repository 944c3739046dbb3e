//! What `/proc` tells of a process's rights and descriptors, and what terminals and pipes do for few.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;

use libc::{EINVAL, EPERM, O_CLOEXEC, O_RDONLY};
use user::child;
use user::figures::status_figure;
use user::fsys::{Scratch, io, memfd};
use user::probe::{Topic, Verdict, code, holds, lives, must, refused, same};
use user::sys::{self, at};

use crate::pty::{ioctl, pair};

pub(crate) const TOPIC: Topic = Topic {
    name: "tellings",
    about: "/proc/PID/status and fdinfo, zones, old terminal calls, large pipes",
    cases: &[
        ("status_tells_who_it_is", status_tells_who_it_is),
        ("status_counts_switches", status_counts_switches),
        ("a_file_tells_its_position", a_file_tells_its_position),
        (
            "descriptors_tell_what_they_are",
            descriptors_tell_what_they_are,
        ),
        ("the_old_terminal_calls", the_old_terminal_calls),
        ("large_pipes_are_for_few", large_pipes_are_for_few),
        ("zones_have_bounds", zones_have_bounds),
    ],
};

fn line(text: &str, key: &str) -> Option<String> {
    let found = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(found.trim().into())
}

fn status_tells_who_it_is() -> Verdict {
    lives("somebody else", || {
        code((|| {
            let mut groups = [7_u32, 9];
            let args = [2, at(&mut groups)];
            must("groups", sys::call(libc::SYS_setgroups, args))?;
            let gids = [11, 12, 13];
            must("gids", sys::call(libc::SYS_setresgid, gids))?;
            let uids = [1001, 1002, 1003];
            must("uids", sys::call(libc::SYS_setresuid, uids))?;
            // What changed its rights belongs to root, but is read by everybody.
            let text = io("status", fs::read_to_string("/proc/self/status"))?;
            let of = |key| line(&text, key).unwrap_or_default();
            same("users", of("Uid:"), "1001\t1002\t1003\t1002".into())?;
            same("groups of ids", of("Gid:"), "11\t12\t13\t12".into())?;
            same("groups", of("Groups:"), "7 9".into())?;
            same("rights", of("CapEff:"), "0000000000000000".into())?;
            same("promises", of("NoNewPrivs:"), "0".into())
        })())
    })
}

fn status_counts_switches() -> Verdict {
    let before = status_figure("voluntary_ctxt_switches")?;
    status_figure("nonvoluntary_ctxt_switches")?;
    // A sleep that is over before it begins is none: a busy machine has such.
    for _ in 0..1000 {
        must("sleep", sys::sleep_ms(1))?;
        if status_figure("voluntary_ctxt_switches")? >= before + 5 {
            return Ok(());
        }
    }
    holds("five of a thousand sleeps were counted", false)
}

/// What is told of a descriptor of this process.
fn told(fd: i32) -> Result<String, String> {
    io(
        "fdinfo",
        fs::read_to_string(format!("/proc/self/fdinfo/{fd}")),
    )
}

fn a_file_tells_its_position() -> Verdict {
    let dir = Scratch::new()?;
    io("write", fs::write(dir.path("f"), "twenty bytes and more"))?;
    let mut file = io("open", File::open(dir.path("f")))?;
    let mut five = [0; 5];
    io("read", file.read_exact(&mut five))?;
    let text = told(file.as_raw_fd())?;
    same("position", line(&text, "pos:"), Some("5".into()))?;
    let flags = line(&text, "flags:").unwrap_or_default();
    let flags = i32::from_str_radix(&flags, 8).unwrap_or(-1);
    same("flags", flags & (O_CLOEXEC | 3), O_CLOEXEC | O_RDONLY)?;
    let ino = std::os::unix::fs::MetadataExt::ino(&io("stat", file.metadata())?);
    same("inode", line(&text, "ino:"), Some(ino.to_string()))?;
    let mount: Option<u64> = line(&text, "mnt_id:").and_then(|id| id.parse().ok());
    holds("it has a mount", mount.is_some())?;
    let listed = io("list", fs::read_dir("/proc/self/fdinfo"))?;
    let own = file.as_raw_fd().to_string();
    let mut names = listed.flatten().map(|entry| entry.file_name());
    holds("it is listed", names.any(|name| name == *own))
}

fn descriptors_tell_what_they_are() -> Verdict {
    let counter = must("eventfd", sys::call(libc::SYS_eventfd2, [31, 1]))? as i32;
    let text = told(counter)?;
    same("count", line(&text, "eventfd-count:"), Some("1f".into()))?;
    same(
        "semaphore",
        line(&text, "eventfd-semaphore:"),
        Some("1".into()),
    )?;
    let epoll = must("epoll", sys::call(libc::SYS_epoll_create1, [0]))? as i32;
    // Packed: the events, and what is told with them.
    let mut event = [5_u32, 0xabc, 0];
    let add = libc::EPOLL_CTL_ADD as u64;
    let args = [epoll as u64, add, counter as u64, at(&mut event)];
    must("watch", sys::call(libc::SYS_epoll_ctl, args))?;
    let text = told(epoll)?;
    let words: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("tfd:"))
        .collect();
    let words: Vec<&str> = words
        .iter()
        .flat_map(|line| line.split_whitespace())
        .collect();
    let want = [
        "tfd:",
        &counter.to_string(),
        "events:",
        "1d",
        "data:",
        "abc",
    ];
    same("what it watches", words.get(..6), Some(&want[..]))?;
    let mut mask = 1_u64 << (libc::SIGUSR2 - 1);
    let args = [u64::MAX, at(&mut mask), 8, 0];
    let signals = must("signalfd", sys::call(libc::SYS_signalfd4, args))? as i32;
    let text = told(signals)?;
    same(
        "its signals",
        line(&text, "sigmask:"),
        Some("0000000000000800".into()),
    )?;
    let own = sys::getpid();
    let pidfd = must("pidfd", sys::call(libc::SYS_pidfd_open, [own as u64, 0]))? as i32;
    let text = told(pidfd)?;
    same("whose it is", line(&text, "Pid:"), Some(own.to_string()))?;
    let plain = must("memfd", memfd("plain", 0))?;
    let text = told(plain)?;
    same("lines of a plain file", text.lines().count(), 4)?;
    for fd in [counter, epoll, signals, pidfd, plain] {
        must("close", sys::close(fd))?;
    }
    Ok(())
}

/// `struct termio` of the times before `termios`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Termio {
    flags: [u16; 4],
    line: u8,
    cc: [u8; 8],
}

fn the_old_terminal_calls() -> Verdict {
    let (master, slave) = pair()?;
    let mut old = Termio::default();
    must("get", ioctl(slave, libc::TCGETA, at(&mut old)))?;
    let [.., local] = old.flags;
    holds("it is canonical", local & libc::ICANON as u16 != 0)?;
    same("its end of file", old.cc[libc::VEOF], 4)?;
    let mut new = old;
    new.flags[3] &= !(libc::ICANON | libc::ECHO) as u16;
    new.cc[0] = 7;
    for request in [libc::TCSETA, libc::TCSETAW, libc::TCSETAF] {
        must("set", ioctl(slave, request, at(&mut new)))?;
    }
    let mut now = Termio::default();
    must("get again", ioctl(slave, libc::TCGETA, at(&mut now)))?;
    same("what it became", now, new)?;
    let mut whole = [0_u8; 64];
    must("get all", ioctl(slave, libc::TCGETS, at(&mut whole)))?;
    same("in all as well", (whole[17], whole[12] & 2), (7, 0))?;
    refused(
        "no terminal",
        {
            let [reader, _writer] = must("pipe", sys::pipe())?;
            ioctl(reader, libc::TCGETA, at(&mut now))
        },
        libc::ENOTTY,
    )?;
    must("close", sys::close(slave))?;
    must("close", sys::close(master)).map(|_| ())
}

fn large_pipes_are_for_few() -> Verdict {
    let max = io(
        "the limit",
        fs::read_to_string("/proc/sys/fs/pipe-max-size"),
    )?;
    let max: u64 = max.trim().parse().map_err(|_| "no number")?;
    let [reader, _writer] = must("pipe", sys::pipe())?;
    let resize = |size: u64| {
        let args = [reader as u64, libc::F_SETPIPE_SZ as u64, size];
        sys::call(libc::SYS_fcntl, args)
    };
    let status = io("status", fs::read_to_string("/proc/self/status"))?;
    let caps = line(&status, "CapEff:").and_then(|caps| u64::from_str_radix(&caps, 16).ok());
    // CAP_SYS_RESOURCE: not everybody who is root has it.
    match caps.unwrap_or_default() >> 24 & 1 {
        1 => same("the administrator", resize(2 * max), Ok(2 * max))?,
        _ => refused("without the right", resize(2 * max), EPERM)?,
    }
    same("back", resize(4096), Ok(4096))?;
    let ended = child::run(|| {
        code((|| {
            must("a user", sys::call(libc::SYS_setuid, [65534]))?;
            refused("too much", resize(2 * max), EPERM)?;
            same("the size", resize(65536), Ok(65536))
        })())
    });
    same("the user", ended, Ok(child::Ended::Exited(0)))
}

fn zones_have_bounds() -> Verdict {
    let mut zone = [901_i32, 0];
    let args = [0, at(&mut zone)];
    refused("far west", sys::call(libc::SYS_settimeofday, args), EINVAL)?;
    let mut zone = [-901_i32, 0];
    let args = [0, at(&mut zone)];
    refused("far east", sys::call(libc::SYS_settimeofday, args), EINVAL)?;
    let mut now = [-1_i32; 2];
    let args = [0, at(&mut now)];
    must("the zone", sys::call(libc::SYS_gettimeofday, args))?;
    same("nobody has set it", now, [0, 0])
}
