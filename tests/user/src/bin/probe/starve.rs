//! Allocations that fail, one after the other: `/proc/self/fail-nth` on Lodger.
//!
//! Each operation runs in a child of its own, with its first allocation failing, then with its second,
//! and so on until it gets through without meeting the failure. It may only succeed, or say ENOMEM; and
//! whatever happened, all memory is back afterwards and the kernel finds its books in order.

use std::ffi::CStr;

use user::child::{self, Ended};
use user::lodger::{self, Counters};
use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::sys::{self, Errno, Result};

/// What must be as it was when a child has ended.
const BALANCED: [&str; 5] = [
    "frames_anon",
    "frames_page_table",
    "shared_anon_pages",
    "kstacks_alive",
    "mm_alive",
];
/// No operation asks so often.
const ENDLESS: u32 = 3000;
/// How a child tells what happened.
const UNHARMED: i32 = 0;
const RETRIED: i32 = 1;
const REFUSED: i32 = 2;
const WRONG: i32 = 3;

type Operation = (&'static str, fn(&Prepared) -> Result);

const OPERATIONS: [Operation; 15] = [
    ("mmap", |_| mmap_and_unmap()),
    ("mmap_fixed", |here| replace(&here.map)),
    ("mmap_shared", |_| shared()),
    ("mprotect", |here| {
        sys::mprotect(here.map.page(2), PAGE, map::R)
    }),
    ("mremap", |here| grow(&here.map)),
    ("brk", |_| brk()),
    ("fault_write", |_| touch(map::RW, true)),
    ("fault_read", |_| touch(map::R, false)),
    ("fault_file", |_| file_fault(false)),
    ("fault_file_write", |_| file_fault(true)),
    ("copy_on_write", |here| {
        here.map.fill(9);
        wanted(here.map.holds(9))
    }),
    ("stack", |_| wanted(mem::touch_below_stack(200 * PAGE) != 0)),
    ("read_into_fresh", |_| read_into_fresh()),
    ("fork", |_| fork()),
    ("exec", |_| exec()),
];

/// What a child finds: memory that its parent has as well.
struct Prepared {
    map: Map,
}

/// Walks through every operation; on another kernel there is nothing to ask.
pub(crate) fn run() -> i32 {
    if !lodger::here() {
        println!("starve: not on this kernel");
        return 0;
    }
    let Ok(map) = Map::anon(8, map::RW) else {
        return 1;
    };
    map.fill(1);
    let prepared = Prepared { map };
    let mut failed = 0;
    for operation in &OPERATIONS {
        match walk(operation, &prepared) {
            Ok(counts) => println!("starve: {}: {counts}", operation.0),
            Err(what) => {
                println!("starve: {}: FAIL {what}", operation.0);
                failed += 1;
            }
        }
    }
    println!("starve: {failed} of {} operations failed", OPERATIONS.len());
    failed
}

/// Lets one operation meet a failure at each of its allocations.
fn walk(operation: &Operation, prepared: &Prepared) -> std::result::Result<String, String> {
    let mut counters = [Counters::new(), Counters::new()];
    let (mut retried, mut refused) = (0, 0);
    // Once for what is made once and kept, such as pages of files.
    let _ = child::run(|| attempt(operation.1, prepared, 0));
    for nth in 1..ENDLESS {
        counters[0].take();
        let ended = child::run(|| attempt(operation.1, prepared, nth));
        counters[1].take();
        match ended {
            Ok(Ended::Exited(RETRIED)) => retried += 1,
            Ok(Ended::Exited(REFUSED)) => refused += 1,
            // The new program's own start found no memory, and gave up.
            Ok(Ended::Killed(libc::SIGABRT) | Ended::Exited(127)) if operation.0 == "exec" => {
                refused += 1;
            }
            Ok(Ended::Exited(UNHARMED)) if nth > 1 => {
                return Ok(format!(
                    "{refused} refused, {retried} retried, nothing lost"
                ));
            }
            other => return Err(format!("allocation {nth}: {other:?}")),
        }
        balanced(&counters).map_err(|what| format!("allocation {nth}: {what}"))?;
    }
    Err("it never came through".into())
}

fn balanced([before, after]: &[Counters; 2]) -> std::result::Result<(), String> {
    for name in BALANCED {
        let (was, is) = (before.get(name), after.get(name));
        // The last child's PML4 may still be lent to a kernel thread.
        let lent =
            u64::from(name == "mm_alive" || name == "frames_page_table" || name == "kstacks_alive");
        if was.is_none() || was.zip(is).is_none_or(|(was, is)| was.abs_diff(is) > lent) {
            return Err(format!("{name} was {was:?} and is {is:?}"));
        }
    }
    let report = std::fs::read_to_string("/proc/lodger_fsck").map_err(|error| error.to_string())?;
    let last = report.lines().last().unwrap_or_default();
    if last.starts_with("0 findings;") {
        Ok(())
    } else {
        Err(report)
    }
}

/// Arms the failure, does the work and tells by its exit code what happened.
fn attempt(work: fn(&Prepared) -> Result, prepared: &Prepared, nth: u32) -> i32 {
    let text = nth.to_string();
    let Ok(fd) = open_rw(c"/proc/self/fail-nth") else {
        return WRONG;
    };
    let mut left = [0_u8; 16];
    let armed = sys::write(fd, text.as_ptr() as u64, text.len() as u64);
    let outcome = work(prepared);
    let read = sys::call(
        libc::SYS_pread64,
        [fd as u64, sys::at(&mut left), left.len() as u64, 0],
    );
    if armed.is_err() || read.is_err() {
        return WRONG;
    }
    match outcome {
        Ok(_) if left[0] == b'0' && nth > 0 => RETRIED,
        Ok(_) => UNHARMED,
        Err(Errno(libc::ENOMEM)) if left[0] == b'0' => REFUSED,
        Err(_) => WRONG,
    }
}

fn open_rw(path: &CStr) -> Result<i32> {
    let args = [
        libc::AT_FDCWD as u64,
        path.as_ptr() as u64,
        libc::O_RDWR as u64,
    ];
    sys::call(libc::SYS_openat, args).map(|fd| fd as i32)
}

fn wanted(truth: bool) -> Result {
    if truth { Ok(0) } else { Err(Errno(libc::EIO)) }
}

fn mmap_and_unmap() -> Result {
    let map = Map::apart(4, 2, map::RW)?;
    sys::munmap(map.page(1), PAGE)
}

/// Maps over the middle of a mapping, which cuts it into two.
fn replace(map: &Map) -> Result {
    let flags = map::ANON | libc::MAP_FIXED;
    let at = sys::mmap(map.page(3), PAGE, map::R, flags, -1, 0);
    match at {
        Ok(at) => wanted(at == map.page(3) && mem::peek(at) == 0 && mem::peek(map.page(4)) == 5),
        // Refused: everything is as it was.
        Err(errno) if map.holds(1) => Err(errno),
        Err(_) => Err(Errno(libc::EIO)),
    }
}

fn shared() -> Result {
    let map = Map::with(4, map::RW, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1)?;
    map.fill(3);
    wanted(map.holds(3))
}

fn grow(map: &Map) -> Result {
    let args = [
        map.start,
        map.bytes(),
        2000 * PAGE,
        libc::MREMAP_MAYMOVE as u64,
    ];
    let start = match sys::call(libc::SYS_mremap, args) {
        Ok(start) => start,
        Err(errno) if map.holds(1) => return Err(errno),
        Err(_) => return Err(Errno(libc::EIO)),
    };
    wanted(mem::peek(start) == 1 && mem::peek(start + 1999 * PAGE) == 0)
}

fn brk() -> Result {
    let now = sys::call(libc::SYS_brk, [0])?;
    let more = sys::call(libc::SYS_brk, [now + 64 * PAGE])?;
    if more == now {
        return Err(Errno(libc::ENOMEM));
    }
    mem::poke(now + 63 * PAGE, 1);
    wanted(more == now + 64 * PAGE)
}

/// Touches the first and the last page of a mapping that several tables translate.
fn touch(prot: i32, write: bool) -> Result {
    let map = Map::anon(1100, prot)?;
    for at in [map.start, map.page(600), map.page(1099)] {
        if write {
            mem::poke(at, 1);
        }
        wanted(mem::peek(at) == u8::from(write))?;
    }
    Ok(0)
}

fn file_fault(write: bool) -> Result {
    let fd = sys::open(c"/proc/self/exe")?;
    let map = Map::with(20, map::RW, libc::MAP_PRIVATE, fd)?;
    wanted(mem::peek(map.page(17)) == mem::peek(map.page(17)) && mem::peek(map.start) == 0x7f)?;
    if write {
        mem::poke(map.start, 1);
        mem::poke(map.page(19), 1);
    }
    wanted(mem::peek(map.start + 1) == b'E')
}

/// A system call that writes to memory nobody has touched: the kernel's own copy has to fault it in.
fn read_into_fresh() -> Result {
    let fd = sys::open(c"/proc/self/exe")?;
    let map = Map::anon(8, map::RW)?;
    let count = sys::read(fd, map.start, map.bytes())?;
    wanted(count == map.bytes() && mem::peek(map.start) == 0x7f)
}

fn fork() -> Result {
    let pid = sys::fork()?;
    if pid == 0 {
        sys::exit(7);
    }
    wanted(child::wait(pid) == Ok(Ended::Exited(7)))
}

/// Becomes a program that tells whether the failure came; back here only if that was refused.
fn exec() -> Result {
    let words = [c"probe".as_ptr(), c"unharmed".as_ptr(), std::ptr::null()];
    let none: [*const libc::c_char; 1] = [std::ptr::null()];
    let path = c"/proc/self/exe".as_ptr() as u64;
    sys::call(
        libc::SYS_execve,
        [path, words.as_ptr() as u64, none.as_ptr() as u64],
    )
}

/// What `exec` runs: says whether this task's failure is still to come.
pub(crate) fn unharmed() -> i32 {
    match std::fs::read_to_string("/proc/self/fail-nth") {
        Ok(left) if left.trim() == "0" => RETRIED,
        Ok(_) => UNHARMED,
        // The failure came with the question.
        Err(_) => UNHARMED,
    }
}
