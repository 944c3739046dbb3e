//! Where a task runs that wakes up.

use crate::balance::Load;

/// What is known of a wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// The CPU it ran on last, where its memory may still be loaded.
    pub prev: usize,
    /// The CPU that wakes it.
    pub waker: usize,
    /// The CPUs it may run on and that are there.
    pub allowed: u64,
    /// The CPUs that idle.
    pub idle: u64,
    /// Its [rank](crate::Params::rank).
    pub rank: u8,
}

/// Decides where a task runs that wakes up: where it ran last if that CPU idles, or else where one idles; if none does, where
/// it ran last unless the waker's CPU has less to do. A real-time task stays as long as it may run there at once, and
/// otherwise goes where the least important task runs.
///
/// `allowed` empty means that the task's CPUs are all gone; it then stays.
pub fn place(wakeup: &Wakeup, load: impl Fn(usize) -> Load) -> usize {
    let Wakeup {
        prev,
        waker,
        allowed,
        idle,
        rank,
    } = *wakeup;
    if allowed & !(1 << prev) == 0 {
        return prev;
    }
    let free = allowed & idle;
    let may = |cpu: usize| allowed >> cpu & 1 != 0;
    if free >> prev & 1 != 0 {
        return prev;
    }
    if free != 0 {
        return next_from(free, prev);
    }
    if rank > 1 {
        return lowest(prev, allowed, rank, load);
    }
    match (may(prev), may(waker)) {
        (true, true) if load(waker).less_than(load(prev)) => waker,
        (true, _) => prev,
        (false, _) => lightest(allowed, load),
    }
}

/// Where the least important task runs, if it is less important; else `prev`, if possible.
fn lowest(prev: usize, allowed: u64, rank: u8, load: impl Fn(usize) -> Load) -> usize {
    let may = allowed >> prev & 1 != 0;
    if may && load(prev).rank < rank {
        return prev;
    }
    match cpus(allowed).min_by_key(|cpu| load(*cpu).rank) {
        Some(cpu) if !may || load(cpu).rank < rank => cpu,
        _ => prev,
    }
}

fn lightest(allowed: u64, load: impl Fn(usize) -> Load) -> usize {
    let of = |cpu: &usize| (load(*cpu).weight, load(*cpu).tasks);
    cpus(allowed)
        .min_by_key(of)
        .expect("some CPU other than the last is allowed")
}

/// Returns the first CPU of a mask that is not empty, counted from `start` around.
fn next_from(mask: u64, start: usize) -> usize {
    (mask.rotate_right(start as u32).trailing_zeros() as usize + start) % crate::MAX_CPUS
}

/// Walks over the CPUs of a mask.
pub fn cpus(mut mask: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let cpu = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (cpu < crate::MAX_CPUS).then_some(cpu)
    })
}
