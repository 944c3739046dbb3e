//! Locks on files: of ranges, for processes and for open files, and of whole files.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use user::child::{self, Ended};
use user::fsys::{Scratch, both, io};
use user::probe::{Topic, Verdict, code, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "filelocks",
    about: "locks on files",
    cases: &[
        ("ranges", ranges),
        ("bad_requests", bad_requests),
        ("released_by_any_close", released_by_any_close),
        ("waiting", waiting),
        ("deadlock", deadlock),
        ("of_open_files", of_open_files),
        ("whole_files", whole_files),
        ("shown", shown),
    ],
};

const READ: i16 = libc::F_RDLCK as i16;
const WRITE: i16 = libc::F_WRLCK as i16;
const NONE: i16 = libc::F_UNLCK as i16;

/// `struct flock`: kind and whence, filler, start, length, process.
type Flock = [i64; 4];

fn request(kind: i16, whence: i32, start: i64, len: i64) -> Flock {
    [i64::from(kind) | i64::from(whence) << 16, start, len, 0]
}

fn ask(file: &File, command: i32, request: &mut Flock) -> sys::Result {
    let args = [
        file.as_raw_fd() as u64,
        command as u64,
        request.as_mut_ptr() as u64,
    ];
    sys::call(libc::SYS_fcntl, args)
}

fn set(file: &File, kind: i16, start: i64, len: i64) -> sys::Result {
    ask(file, libc::F_SETLK, &mut request(kind, 0, start, len))
}

/// Who is in the way: the kind, start, length and process.
fn get(
    file: &File,
    command: i32,
    kind: i16,
    start: i64,
    len: i64,
) -> Result<(i16, i64, i64, i32), String> {
    let mut lock = request(kind, 0, start, len);
    must("F_GETLK", ask(file, command, &mut lock))?;
    Ok((lock[0] as i16, lock[1], lock[2], lock[3] as i32))
}

fn flock(file: &File, operation: i32) -> sys::Result {
    sys::call(libc::SYS_flock, [file.as_raw_fd() as u64, operation as u64])
}

fn ranges() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("f"))?;
    let own = sys::getpid();
    must("write", set(&file, WRITE, 10, 20))?;
    must("read in it", set(&file, READ, 15, 5))?;
    lives("another process", || {
        code((|| {
            let get = |kind, start, len| get(&file, libc::F_GETLK, kind, start, len);
            same("the left part", get(READ, 0, 0)?, (WRITE, 10, 5, own))?;
            same("the middle", get(WRITE, 15, 5)?, (READ, 15, 5, own))?;
            same("read with readers", get(READ, 15, 5)?.0, NONE)?;
            same("the right part", get(READ, 20, 100)?, (WRITE, 20, 10, own))?;
            same("before", get(WRITE, 0, 10)?.0, NONE)?;
            same("behind", get(WRITE, 30, 0)?.0, NONE)?;
            refused("in the way", set(&file, WRITE, 29, 1), libc::EAGAIN)?;
            must("beside it", set(&file, WRITE, 30, 0))?;
            must("share", set(&file, READ, 16, 1))?;
            same("nothing was inherited", get(WRITE, 10, 1)?.3, own)
        })())
    })?;
    must("the child's have gone", set(&file, WRITE, 0, 0))?;
    must("unlock the middle", set(&file, NONE, 100, 100))?;
    lives("another process", || {
        code((|| {
            let get = |start| get(&file, libc::F_GETLK, READ, start, 1);
            same("left", get(99)?, (WRITE, 0, 100, own))?;
            same("middle", get(150)?.0, NONE)?;
            same("right", get(200)?, (WRITE, 200, 0, own))
        })())
    })
}

fn bad_requests() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("f");
    let file = both(&path)?;
    let odd = |kind, whence, start, len| {
        ask(&file, libc::F_SETLK, &mut request(kind, whence, start, len))
    };
    refused("a kind", odd(9, 0, 0, 0), libc::EINVAL)?;
    refused("a whence", odd(READ, 9, 0, 0), libc::EINVAL)?;
    refused("before the file", odd(READ, 0, -1, 1), libc::EINVAL)?;
    refused("reaching before it", odd(READ, 0, 5, -6), libc::EINVAL)?;
    refused("too far", odd(READ, 0, i64::MAX, 2), libc::EOVERFLOW)?;
    refused(
        "from the end, before the start",
        odd(READ, 2, -1, 1),
        libc::EINVAL,
    )?;
    must("backwards", odd(READ, 0, 5, -5))?;
    let fd = file.as_raw_fd() as u64;
    refused(
        "nowhere",
        sys::call(libc::SYS_fcntl, [fd, libc::F_SETLK as u64, 8]),
        libc::EFAULT,
    )?;
    refused(
        "get nothing",
        ask(&file, libc::F_GETLK, &mut request(NONE, 0, 0, 0)),
        libc::EINVAL,
    )?;
    let reader = io("open", File::open(&path))?;
    refused(
        "write with a reader",
        set(&reader, WRITE, 0, 1),
        libc::EBADF,
    )?;
    let writer = io("open", OpenOptions::new().write(true).open(&path))?;
    refused("read with a writer", set(&writer, READ, 0, 1), libc::EBADF)?;
    refused(
        "no descriptor",
        sys::call(libc::SYS_flock, [999, 1]),
        libc::EBADF,
    )?;
    refused("no operation", flock(&file, 0), libc::EINVAL)?;
    refused(
        "two operations",
        flock(&file, libc::LOCK_SH | libc::LOCK_EX),
        libc::EINVAL,
    )?;
    let mut with_pid = request(READ, 0, 0, 0);
    with_pid[3] = 1;
    refused(
        "an open file has no process",
        ask(&file, libc::F_OFD_SETLK, &mut with_pid),
        libc::EINVAL,
    )
}

fn released_by_any_close() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("f");
    let file = both(&path)?;
    must("lock", set(&file, WRITE, 0, 0))?;
    drop(io("open it again, and close it", File::open(&path))?);
    lives("another", || {
        code(must("has it", set(&file, WRITE, 0, 0)).map(drop))
    })?;
    must("again", set(&file, WRITE, 0, 0))?;
    drop(io("a copy of the descriptor", file.try_clone())?);
    lives("another", || {
        code(must("has it", set(&file, WRITE, 0, 0)).map(drop))
    })
}

fn waiting() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("f"))?;
    must("lock", set(&file, WRITE, 0, 10))?;
    let child = must(
        "fork",
        child::start(|| {
            let waited = ask(&file, libc::F_SETLKW, &mut request(WRITE, 0, 5, 1));
            code(must("wait", waited).map(drop))
        }),
    )?;
    thread::sleep(Duration::from_millis(30));
    must("a part that does not help", set(&file, NONE, 0, 3))?;
    must("the part that does", set(&file, NONE, 5, 5))?;
    same(
        "came in",
        must("wait", child::wait(child))?,
        Ended::Exited(0),
    )
}

fn deadlock() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("f"))?;
    must("mine", set(&file, WRITE, 0, 1))?;
    let child = must(
        "fork",
        child::start(|| {
            code((|| {
                must("its own", set(&file, WRITE, 1, 1))?;
                must(
                    "waits for mine",
                    ask(&file, libc::F_SETLKW, &mut request(WRITE, 0, 0, 1)),
                )
                .map(drop)
            })())
        }),
    )?;
    // Whoever comes second is told; the other gets what it waits for.
    loop {
        let (kind, ..) = get(&file, libc::F_GETLK, WRITE, 1, 1)?;
        if kind != NONE {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(30));
    let waited = ask(&file, libc::F_SETLKW, &mut request(WRITE, 0, 1, 1));
    refused("for each other", waited, libc::EDEADLK)?;
    must("let it go", set(&file, NONE, 0, 1))?;
    same(
        "came in",
        must("wait", child::wait(child))?,
        Ended::Exited(0),
    )
}

fn of_open_files() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("f");
    let (one, other) = (both(&path)?, both(&path)?);
    let set = |file: &File, kind, start, len| {
        ask(file, libc::F_OFD_SETLK, &mut request(kind, 0, start, len))
    };
    must("one", set(&one, WRITE, 0, 10))?;
    refused("the other", set(&other, READ, 5, 1), libc::EAGAIN)?;
    same(
        "who",
        get(&other, libc::F_OFD_GETLK, READ, 5, 1)?,
        (WRITE, 0, 10, -1),
    )?;
    refused(
        "the process itself",
        ask(&other, libc::F_SETLK, &mut request(READ, 0, 0, 1)),
        libc::EAGAIN,
    )?;
    let own = get(&one, libc::F_OFD_GETLK, NONE, 3, 1)?;
    same("what it holds itself", own, (WRITE, 0, 10, -1))?;
    let free = get(&one, libc::F_OFD_GETLK, NONE, 20, 1)?;
    same("and what not", free.0, NONE)?;
    drop(io("closing a copy keeps it", one.try_clone())?);
    refused("still", set(&other, READ, 5, 1), libc::EAGAIN)?;
    drop(one);
    must("closing the file does not", set(&other, WRITE, 0, 0)).map(drop)
}

fn whole_files() -> Verdict {
    let dir = Scratch::new()?;
    let path = dir.path("f");
    let (one, other) = (both(&path)?, both(&path)?);
    let now = libc::LOCK_NB;
    must("shared", flock(&one, libc::LOCK_SH))?;
    must("shared by both", flock(&other, libc::LOCK_SH | now))?;
    refused("exclusive", flock(&one, libc::LOCK_EX | now), libc::EAGAIN)?;
    must(
        "the attempt has cost it",
        flock(&other, libc::LOCK_EX | now),
    )?;
    must("ranges are another matter", set(&one, WRITE, 0, 0))?;
    let copy = io("a copy", other.try_clone())?;
    drop(other);
    refused(
        "is the same open file",
        flock(&one, libc::LOCK_SH | now),
        libc::EAGAIN,
    )?;
    must("which can unlock it", flock(&copy, libc::LOCK_UN))?;
    must("so that others may", flock(&one, libc::LOCK_EX | now))?;
    let child = must(
        "fork",
        child::start(|| code(must("wait", flock(&copy, libc::LOCK_EX)).map(drop))),
    )?;
    thread::sleep(Duration::from_millis(20));
    must("unlock", flock(&one, libc::LOCK_UN))?;
    same(
        "came in",
        must("wait", child::wait(child))?,
        Ended::Exited(0),
    )
}

fn shown() -> Verdict {
    let dir = Scratch::new()?;
    let file = both(&dir.path("f"))?;
    must("a range", set(&file, WRITE, 3, 4))?;
    must("the whole", flock(&file, libc::LOCK_SH))?;
    let text = io("/proc/locks", std::fs::read_to_string("/proc/locks"))?;
    let inode =
        io("stat", file.metadata()).map(|facts| std::os::unix::fs::MetadataExt::ino(&facts))?;
    let has = |kind: &str, rest: &str| {
        text.lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.contains(&kind) && line.contains(&format!(":{inode} ")) && line.ends_with(rest)
        })
    };
    holds("the range", has("POSIX", " 3 6"))?;
    holds("the whole", has("FLOCK", " 0 EOF"))
}
