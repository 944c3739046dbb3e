//! How often locks were found taken, and how long tasks waited: one row for each rank.
//!
//! Only who waits comes here; a lock that is free costs nothing.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::arch::timer;

/// Ranks are below this.
const RANKS: usize = 96;

/// The ranks and what they are called in docs/locking.md.
const NAMES: [(u8, &str); 39] = [
    (1, "epoll_nesting"),
    (2, "epoll"),
    (4, "position"),
    (6, "proc_text"),
    (8, "namespace"),
    (10, "tree"),
    (14, "pipe"),
    (15, "in_flight"),
    (16, "contents"),
    (20, "mmap"),
    (28, "mounts"),
    (30, "source"),
    (31, "directory"),
    (32, "home"),
    (33, "attributes"),
    (34, "file_locks"),
    (35, "mappings"),
    (36, "page_cache"),
    (37, "files"),
    (38, "interests"),
    (38, "lock_waits"),
    (40, "page_table"),
    (41, "region"),
    (42, "poll"),
    (45, "mm_list"),
    (46, "kstack"),
    (47, "work"),
    (48, "work_list"),
    (49, "kthreads"),
    (50, "wait"),
    (55, "timer"),
    (60, "runq"),
    (62, "task"),
    (63, "call"),
    (65, "heap"),
    (67, "kernel_tables"),
    (68, "frame_stack"),
    (70, "frame"),
    (80, "console"),
];

/// The row of one rank.
struct Row {
    /// Spin locks found taken, and turns spent on them.
    spins: AtomicU64,
    turns: AtomicU64,
    /// Sleeping locks found taken, and the time slept for them.
    sleeps: AtomicU64,
    wait_ns: AtomicU64,
    longest_ns: AtomicU64,
}

static ROWS: [Row; RANKS] = [const {
    Row {
        spins: AtomicU64::new(0),
        turns: AtomicU64::new(0),
        sleeps: AtomicU64::new(0),
        wait_ns: AtomicU64::new(0),
        longest_ns: AtomicU64::new(0),
    }
}; RANKS];

/// Returns the time by which waits are measured, in ns.
pub(super) fn now() -> u64 {
    timer::now_ns()
}

/// Counts a spin lock that was found taken.
pub(super) fn spun(rank: u8, turns: u32) {
    if let Some(row) = ROWS.get(usize::from(rank)) {
        row.spins.fetch_add(1, Relaxed);
        row.turns.fetch_add(turns.into(), Relaxed);
    }
}

/// Counts a sleeping lock that was found taken.
pub(super) fn waited(rank: u8, ns: u64) {
    if let Some(row) = ROWS.get(usize::from(rank)) {
        row.sleeps.fetch_add(1, Relaxed);
        row.wait_ns.fetch_add(ns, Relaxed);
        row.longest_ns.fetch_max(ns, Relaxed);
    }
}

/// Calls `each` with the name of every rank, what was counted, and how much of it.
pub fn for_each(mut each: impl FnMut(&'static str, &'static str, u64)) {
    for (rank, name) in &NAMES {
        let row = &ROWS[usize::from(*rank)];
        for (what, count) in [
            ("spins", &row.spins),
            ("turns", &row.turns),
            ("sleeps", &row.sleeps),
            ("wait_ns", &row.wait_ns),
            ("longest_ns", &row.longest_ns),
        ] {
            each(name, what, count.load(Relaxed));
        }
    }
}

/// Writes a line for each rank: its name, and what was counted.
pub fn write(out: &mut dyn Write) -> fmt::Result {
    let mut written = Ok(());
    let mut last = "";
    for_each(|name, what, count| {
        written = written.and_then(|()| {
            if name != last {
                let end = if last.is_empty() { "" } else { "\n" };
                write!(out, "{end}{name}")?;
                last = name;
            }
            write!(out, " {what} {count}")
        });
    });
    written?;
    writeln!(out)
}
