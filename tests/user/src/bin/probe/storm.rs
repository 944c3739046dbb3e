//! Address spaces coming and going by the thousand; what one leaves behind shows in the counters.

use std::ffi::CString;

use user::child::{self, Ended};
use user::lodger::{self, Counters};
use user::map::{self, Map};
use user::mem::PAGE;
use user::sys;

/// The counters that must be back where they were when every child has gone.
const BALANCED: &[&str] = &[
    "mm_alive",
    "pml4_alive",
    "tasks_alive",
    "kstacks_alive",
    "frames_anon",
    "frames_page_table",
    "frames_kstack",
    "frames_page_cache",
    "frames_slab",
    "frames_heap",
    "frames_free",
];

/// Forks, execs and reaps `count` children (1,000 unless told), and compares the counters before and after.
///
/// The children are those of a child, so that what the parent itself touches meanwhile does not count.
pub(crate) fn run(count: Option<u32>) -> i32 {
    let count = count.unwrap_or(1000);
    let mut counters = [Counters::new(), Counters::new()];
    let warm = in_a_child(20);
    counters[1].take();
    counters[0].take();
    let held = in_a_child(count);
    counters[1].take();
    println!("storm: {count} children, and all did fork, exec and exit: {held}");
    let balanced = balance(BALANCED, &counters[0], &counters[1]);
    i32::from(!(warm && held && balanced))
}

fn in_a_child(count: u32) -> bool {
    let ended = child::run(|| i32::from(!(0..count).all(|_| fork_exec_exit())));
    settle();
    ended == Ok(Ended::Exited(0))
}

fn fork_exec_exit() -> bool {
    let path = CString::new("/proc/self/exe").unwrap_or_default();
    let own = std::env::current_exe()
        .ok()
        .and_then(|path| CString::new(path.to_string_lossy().as_bytes()).ok());
    let path = own.unwrap_or(path);
    let mut argv = [path.as_ptr() as u64, c"null".as_ptr() as u64, 0];
    let ended = child::run(|| {
        sys::call(
            libc::SYS_execve,
            [path.as_ptr() as u64, sys::at(&mut argv), 0],
        )
        .map_or(1, |_| 2)
    });
    ended == Ok(Ended::Exited(0))
}

/// Gives the kernel's reaper time to bury the last dead.
fn settle() {
    let _ = sys::sleep_ms(100);
}

/// Compares some counters, tells both values, and complains of those that differ.
pub(crate) fn balance(names: &[&str], before: &Counters, after: &Counters) -> bool {
    let mut balanced = true;
    for name in names {
        if let Some((old, new)) = before.get(name).zip(after.get(name)) {
            println!("# {name} {old} {new}");
            if old != new {
                println!("storm: {name} was {old} and is {new}");
                balanced = false;
            }
        }
    }
    balanced
}

/// Fills about half of the memory that is free in a child, again and again: what a child had must be free when its
/// parent has seen it end (LZ-18).
pub(crate) fn fill_memory() -> i32 {
    let pages = free_pages() / 2;
    let mut done = 0;
    for _ in 0..100 {
        let ended = child::run(|| {
            let Ok(map) = Map::with(pages, map::RW, map::ANON | libc::MAP_NORESERVE, -1) else {
                return 1;
            };
            map.fill(1);
            i32::from(!map.holds(1))
        });
        done += u32::from(ended == Ok(Ended::Exited(0)));
    }
    println!("fill: {done} of 100 children filled their half of memory");
    i32::from(done != 100)
}

/// Makes about as many mappings as a process may have, shows them, forks with them and takes them away: on a small
/// machine each step may be refused for want of memory, and none may end the kernel.
pub(crate) fn many_mappings() -> i32 {
    const PAIRS: u64 = 32_000;
    let Ok(map) = Map::with(2 * PAIRS, map::NONE, map::ANON | libc::MAP_NORESERVE, -1) else {
        return 1;
    };
    let mut made = 0;
    while made < PAIRS && sys::mprotect(map.page(2 * made), PAGE, map::R).is_ok() {
        made += 1;
    }
    let shown = std::fs::read("/proc/self/maps").map_or(0, |text| text.len());
    let forked = match child::run(|| 0) {
        Ok(Ended::Exited(0)) => "forked",
        _ => "was refused to fork",
    };
    let unmapped = sys::munmap(map.start, map.bytes()).is_ok();
    println!("mappings: made {made}, saw {shown} bytes of maps, {forked}");
    i32::from(made < 1000 || !unmapped)
}

/// Reads how many pages are free, but no more than 16 MiB worth: on a large machine the point is made sooner.
fn free_pages() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemFree:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|kib| kib.parse::<u64>().ok());
    (kib.unwrap_or(8192) / 4).min(4096)
}

/// Takes memory in a child until there is no more. Only the child may suffer; what it had must come back.
///
/// A machine that does other things as well is spared: without Lodger's counters nothing happens.
pub(crate) fn exhaust_memory() -> i32 {
    if !lodger::here() {
        println!("exhaust: not on this kernel");
        return 0;
    }
    let mut counters = [Counters::new(), Counters::new()];
    let touch = |pages: u64| {
        child::run(move || {
            let Ok(map) = Map::with(pages, map::RW, map::ANON | libc::MAP_NORESERVE, -1) else {
                return 1;
            };
            map.fill(1);
            0
        })
    };
    let warm = touch(16);
    counters[0].take();
    let ends: Vec<_> = (0..3).map(|_| touch(1 << 20)).collect();
    settle();
    counters[1].take();
    println!("exhaust: {ends:?}");
    let killed = ends
        .iter()
        .all(|end| *end == Ok(Ended::Killed(libc::SIGKILL)));
    let same_anon = counters[0].get("frames_anon") == counters[1].get("frames_anon");
    println!("exhaust: only the greedy were killed: {killed}, their memory is back: {same_anon}");
    i32::from(warm != Ok(Ended::Exited(0)) || !killed || !same_anon)
}

/// Starts up to `count` children that all wait; says how many there were at once, and lets them go.
pub(crate) fn crowd(count: usize) -> i32 {
    let Ok([reader, writer]) = sys::pipe() else {
        return 1;
    };
    let wait_for_the_end = || {
        let _ = sys::close(writer);
        let mut byte = [0_u8];
        sys::read(reader, sys::at(&mut byte), 1).map_or(1, |count| count as i32)
    };
    let mut pids = Vec::with_capacity(count);
    let mut refused = None;
    while pids.len() < count && refused.is_none() {
        match child::start(wait_for_the_end) {
            Ok(pid) => pids.push(pid),
            Err(errno) => refused = Some(errno),
        }
    }
    let _ = sys::close(writer);
    let left = pids
        .iter()
        .filter(|pid| child::wait(**pid) == Ok(Ended::Exited(0)))
        .count();
    println!(
        "crowd: {} at once, {left} left as they should, refused: {refused:?}",
        pids.len()
    );
    i32::from(pids.len() < 50 || left != pids.len())
}
