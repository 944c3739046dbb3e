//! What is free: blocks in lists for all CPUs, and in front of them a stack of single frames for each.
//!
//! Beside its stack each CPU keeps a few frames that hold nothing but zeros, as page tables do when their last entry
//! is gone: the next table needs no clearing. They are free as the others are, and go where those go.
//!
//! A CPU takes single frames from its own stack and gives them back to it, under a lock that others take only
//! when memory is short or counted. Then all stacks are emptied into the lists first: no frame that is
//! free anywhere is refused. `buddy` decides, this file stores.
//!
//! A frame's owner changes under the lock of where it is free, so that [`check`] never sees one without
//! the other.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use addr::Frame;
use arrayvec::ArrayVec;
use buddy::hot::CAPACITY;
use buddy::{Buddy, Hot, Node, Nodes};

use super::frame::{count, info, table_len};
use super::owner::Owner;
use crate::locks::{KernelHooks, SpinLock, rank};
use crate::percpu::{MAX_CPUS, PerCpu};

type StackGuard<'a> = sync::SpinGuard<'a, Kept, { rank::FRAME_STACK }, KernelHooks>;

/// The single frames that a CPU has at hand.
struct Kept {
    hot: Hot,
    /// Those that hold nothing but zeros.
    zeroed: ArrayVec<u32, ZEROED>,
}

/// A CPU's stack, with cache lines of its own.
#[repr(align(64))]
struct Stack(SpinLock<Kept, { rank::FRAME_STACK }>);

static STACKS: PerCpu<Stack> = PerCpu::new([const { Stack(SpinLock::new(Kept::new())) }; MAX_CPUS]);
static LISTS: Lists = Lists {
    lock: SpinLock::new(Buddy::new()),
    frames: AtomicU64::new(0),
};

/// The lists, with cache lines of their own: what everybody only reads is not to lie beside them.
#[repr(align(128))]
struct Lists {
    lock: SpinLock<Buddy, { rank::FRAME }>,
    /// Frames in the lists: written under their lock, read without it.
    frames: AtomicU64,
}

/// All stacks together hold at most one part of the memory in so many.
const SHARE: u64 = 8;
/// Frames that go from a full stack to the lists at a time.
const SPILLED: usize = 64;
/// Frames of zeros that a CPU keeps at most: the tables of two small processes.
const ZEROED: usize = 16;

/// Gives frames that nobody ever had to the lists.
pub(super) fn add(range: Range<u32>) {
    let mut lists = LISTS.lock.lock();
    lists.add_range(&mut Table, range);
    note(&lists);
}

/// Makes the stacks small enough for so many CPUs.
pub(super) fn share_among(cpus: usize) {
    let room = table_len() / SHARE / cpus.max(1) as u64;
    for cpu in 0..MAX_CPUS {
        let mut stack = STACKS.of(cpu).0.lock();
        stack.hot.set_room(room as usize);
        if stack.hot.is_full() {
            to_lists(&mut stack, CAPACITY);
        }
    }
}

/// Takes a single frame, if that leaves `kept`, and has `own` give it an owner.
#[inline]
pub(super) fn take(kept: u64, own: impl Fn(Frame)) -> Option<Frame> {
    let mut stack = STACKS.this().0.lock();
    if LISTS.frames.load(Relaxed) + stack.hot.len() as u64 > kept {
        if stack.hot.is_empty() {
            from_lists(&mut stack);
        }
        if let Some(number) = stack.hot.pop() {
            let frame = Frame::new(number.into());
            own(frame);
            return Some(frame);
        }
    }
    drop(stack);
    take_scarce(kept, own)
}

/// Takes a frame of zeros, if this CPU has one at hand and that leaves `kept`, and has `own` give it an owner.
#[inline]
pub(super) fn take_zeroed(kept: u64, own: impl Fn(Frame)) -> Option<Frame> {
    let mut stack = STACKS.this().0.lock();
    if LISTS.frames.load(Relaxed) <= kept {
        return None;
    }
    let frame = Frame::new(stack.zeroed.pop()?.into());
    own(frame);
    Some(frame)
}

/// Takes a single frame where this CPU has none and the lists are short of them.
#[cold]
#[inline(never)]
fn take_scarce(kept: u64, own: impl Fn(Frame)) -> Option<Frame> {
    take_block(0, kept, own)
}

/// Takes a block of `2^order` frames, if that leaves `kept`, and has `own` give each an owner.
///
/// Only where the lists have none or too few, the single frames of all CPUs are merged first.
pub(super) fn take_block(order: usize, kept: u64, own: impl Fn(Frame)) -> Option<Frame> {
    let needed = kept + (1 << order);
    take_from_lists(order, needed, &own).or_else(|| {
        if count(Owner::Free) < needed {
            return None;
        }
        merge_all();
        take_from_lists(order, needed, &own)
    })
}

fn take_from_lists(order: usize, needed: u64, own: &impl Fn(Frame)) -> Option<Frame> {
    let mut lists = LISTS.lock.lock();
    if lists.free_frames() < needed {
        return None;
    }
    let first = lists.alloc(&mut Table, order)?;
    note(&lists);
    (first..first + (1 << order)).for_each(|number| own(Frame::new(number.into())));
    Some(Frame::new(first.into()))
}

/// Makes a block that was taken single frames, which are given back one by one.
pub(super) fn shatter(first: Frame, order: usize) {
    LISTS
        .lock
        .lock()
        .shatter(&mut Table, first.number() as u32, order);
}

/// Gives a single frame back, which `disown` takes from its owner.
#[inline]
pub(super) fn give(frame: Frame, disown: impl FnOnce(Frame)) {
    let mut stack = STACKS.this().0.lock();
    disown(frame);
    if stack.hot.is_full() {
        to_lists(&mut stack, SPILLED);
    }
    stack.hot.push(&Table, frame.number() as u32);
}

/// Gives a frame of zeros back, if this CPU keeps any more of them; returns whether it did.
#[inline]
pub(super) fn give_zeroed(frame: Frame, disown: impl FnOnce(Frame)) -> bool {
    let mut stack = STACKS.this().0.lock();
    let has_room = !stack.zeroed.is_full();
    if has_room {
        disown(frame);
        stack.zeroed.push(frame.number() as u32);
    }
    has_room
}

/// Gives a block back as it was taken; `disown` takes each of its frames from its owner.
pub(super) fn give_block(first: Frame, order: usize, disown: impl Fn(Frame)) {
    let mut lists = LISTS.lock.lock();
    let number = first.number() as u32;
    (number..number + (1 << order)).for_each(|number| disown(Frame::new(number.into())));
    lists.free(&mut Table, number, order);
    note(&lists);
}

/// Returns how many frames are free at least; most are in the lists.
#[inline]
pub(super) fn in_lists() -> u64 {
    LISTS.frames.load(Relaxed)
}

/// Counts the free blocks of each order, when all that can be merged is.
pub(super) fn blocks() -> [u64; buddy::MAX_ORDER + 1] {
    merge_all();
    let lists = LISTS.lock.lock();
    core::array::from_fn(|order| lists.free_blocks(order))
}

/// Compares lists and stacks with the frame table; `owners` looks at it meanwhile.
///
/// Checks nothing where one of the locks is held, perhaps by whoever was interrupted (panic).
pub(super) fn check(owners: impl FnOnce() -> Result<(), &'static str>) -> Result<(), &'static str> {
    let Some(stacks) = AllStacks::try_lock() else {
        return Ok(());
    };
    let Some(lists) = LISTS.lock.try_lock() else {
        return Ok(());
    };
    lists.check(&Table)?;
    if lists.free_frames() != LISTS.frames.load(Relaxed) {
        return Err("the number of frames in the lists is not what it is said to be");
    }
    let held: usize = stacks.0.iter().map(|stack| stack.len()).sum();
    if lists.free_frames() + held as u64 != count(Owner::Free) {
        return Err(
            "the buddy allocator and the frame table count different numbers of free frames",
        );
    }
    let is_owned = |frame: &u32| info(Frame::new((*frame).into())).owner() != Owner::Free;
    if stacks
        .0
        .iter()
        .any(|stack| stack.hot.held().iter().chain(&stack.zeroed).any(is_owned))
    {
        return Err("a frame that is kept for the next who asks has an owner");
    }
    owners()
}

/// The stacks of all CPUs, which nobody else uses meanwhile.
struct AllStacks(ArrayVec<StackGuard<'static>, MAX_CPUS>);

impl AllStacks {
    fn try_lock() -> Option<Self> {
        let mut all = Self(ArrayVec::new());
        for cpu in 0..MAX_CPUS {
            all.0.push(STACKS.of(cpu).0.try_lock()?);
        }
        Some(all)
    }
}

impl Drop for AllStacks {
    fn drop(&mut self) {
        // The last first: each puts interrupts back to what it found.
        while self.0.pop().is_some() {}
    }
}

fn merge_all() {
    for cpu in 0..MAX_CPUS {
        let mut stack = STACKS.of(cpu).0.lock();
        if stack.len() > 0 {
            to_lists(&mut stack, CAPACITY);
        }
    }
}

#[cold]
fn from_lists(stack: &mut StackGuard<'_>) {
    let mut lists = LISTS.lock.lock_under(stack);
    stack.hot.refill(&mut lists, &mut Table);
    note(&lists);
}

/// Moves the `count` frames that have been in the stack longest, or all, and all that hold zeros.
#[cold]
fn to_lists(stack: &mut StackGuard<'_>, count: usize) {
    let mut lists = LISTS.lock.lock_under(stack);
    stack.hot.spill(&mut lists, &mut Table, count);
    for frame in stack.zeroed.drain(..) {
        lists.free(&mut Table, frame, 0);
    }
    note(&lists);
}

impl Kept {
    const fn new() -> Self {
        Self {
            hot: Hot::new(),
            zeroed: ArrayVec::new_const(),
        }
    }

    /// Returns how many frames it holds.
    fn len(&self) -> usize {
        self.hot.len() + self.zeroed.len()
    }
}

fn note(lists: &Buddy) {
    LISTS.frames.store(lists.free_frames(), Relaxed);
}

/// The frame table as the buddy allocator's storage.
struct Table;

impl Nodes for Table {
    fn node(&self, frame: u32) -> Node {
        info(Frame::new(frame.into())).node()
    }

    fn set_node(&mut self, frame: u32, node: Node) {
        info(Frame::new(frame.into())).set_node(node);
    }

    fn exists(&self, frame: u32) -> bool {
        u64::from(frame) < table_len()
    }
}
