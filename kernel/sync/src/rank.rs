//! The order in which locks nest: outermost first, a deeper lock has the greater rank.

/// Process tree: parents, children, exit states.
pub const TREE: u8 = 10;
/// `mmap_lock` of an address space; a user copy counts as taking it.
pub const MMAP: u8 = 20;
/// A page source or an open file.
pub const SOURCE: u8 = 30;
/// The page tables of one address space.
pub const PAGE_TABLE: u8 = 40;
/// The list inside a wait queue.
pub const WAIT: u8 = 50;
/// The timer list.
pub const TIMER: u8 = 55;
/// A run queue.
pub const RUNQ: u8 = 60;
/// The frame allocator and the heap.
pub const FRAME: u8 = 70;
/// The console.
pub const CONSOLE: u8 = 80;

/// Proves that a lock of rank `R` is held as long as the value lives: guards implement it.
pub trait Held<const R: u8> {}

/// Fails to compile unless `inner` nests inside `outer`.
pub(crate) const fn assert_nests(outer: u8, inner: u8) {
    assert!(
        inner > outer,
        "this lock's rank is not deeper than the rank of the guard it is taken under"
    );
}
