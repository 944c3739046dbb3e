//! The frame table and the frame allocator.
//!
//! Every frame up to the highest usable one has a [`FrameInfo`]: who owns it, how many references
//! it has, and, while it is free, its links in the buddy allocator ([`super::free`]). Each frame belongs to exactly one [`Owner`]; the classes add up to the machine's memory.
//!
//! - An anonymous or page-cache frame counts one reference for each PTE that maps it and one for
//!   its page cache; the last [`put`] frees it.
//! - A pipe's frame counts one reference for each buffer that lies in it.
//! - A page-table frame counts its non-empty entries, so that an empty table can be found.
//! - A slab frame keeps its free list there (see `heap`).
//!
//! Island: the table itself lies at a fixed address that boot maps before anything else runs.
#![expect(unsafe_code, reason = "views the frame table at its fixed address")]

use core::sync::atomic::{
    AtomicU8, AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

use addr::{Frame, FrameRange};
use buddy::Node;

use super::free;
use super::inject::{self, Site};
pub use super::owner::{OWNERS, Owner};
use super::{layout::FRAME_TABLE, physmap, watermark};
use crate::percpu::tally::{self, Tally};

/// What is known about one frame. 16 bytes, all atomics: readers need no lock.
#[repr(C)]
pub struct FrameInfo {
    /// References, or what the owner's class says; see the head of this file.
    refs: AtomicU32,
    /// Buddy links while free; a slab's links in its class while a slab, guarded by that lock.
    /// What `fsck` counted while anonymous or of the page cache.
    next: AtomicU32,
    prev: AtomicU32,
    owner: AtomicU8,
    /// Order of the block that starts here.
    order: AtomicU8,
    /// Whether a free block starts here; guarded by the allocator's lock.
    head: AtomicU8,
    /// Of a slab: the CPU in whose lists it is.
    home: AtomicU8,
}

const _: () = assert!(size_of::<FrameInfo>() == 16);

/// Number of frames the table describes; 0 before boot has mapped it.
static FRAMES: AtomicU64 = AtomicU64::new(0);

/// Returns how many frames an owner has.
#[inline]
const fn tally(owner: u8) -> Tally {
    Tally::new(tally::OWNERS + owner as usize % 16)
}

/// Returns how many frames the table describes.
pub fn table_len() -> u64 {
    FRAMES.load(Acquire)
}

/// Returns the entry of `frame`.
pub fn info(frame: Frame) -> &'static FrameInfo {
    assert!(
        frame.number() < table_len(),
        "a frame in use lies inside the frame table"
    );
    let table = FRAME_TABLE as *const FrameInfo;
    // SAFETY: the index is inside the table, as just checked.
    let entry = unsafe { table.add(frame.number() as usize) };
    // SAFETY: boot mapped and zeroed the table before it published its length, and never unmaps it.
    unsafe { &*entry }
}

/// Publishes the table that boot has mapped and zeroed for `frames` frames.
///
/// # Safety
/// `frames * size_of::<FrameInfo>()` bytes from [`FRAME_TABLE`] on are mapped, writable and zero.
pub unsafe fn publish_table(frames: u64) {
    tally(Owner::Firmware as u8).add(frames as i64);
    FRAMES.store(frames, Release);
    set_reserves();
}

/// Gives frames that boot used for itself to `owner`, for good.
pub fn claim(range: FrameRange, owner: Owner) {
    range.iter().for_each(|frame| info(frame).set_owner(owner));
}

/// Gives usable frames to the allocator.
pub fn release(range: FrameRange) {
    claim(range, Owner::Free);
    let (start, end) = (range.start.number() as u32, range.end.number() as u32);
    free::add(start..end);
}

/// Takes one frame off the free ones, unless that would eat into the reserve; its contents are whatever
/// they were.
pub fn alloc(owner: Owner) -> Option<Frame> {
    alloc_leaving(owner, reserve(owner))
}

/// Takes one frame for a buffer without which a program would not get on: it leaves as many as the program's own pages do.
///
/// Where there is none, [`has_room`] says so too, and so does who makes room.
pub fn alloc_first_buffer(owner: Owner) -> Option<Frame> {
    alloc_leaving(owner, reserve(Owner::Anon))
}

#[inline]
fn alloc_leaving(owner: Owner, kept: u64) -> Option<Frame> {
    if inject::refuses(owner) {
        return None;
    }
    let frame = free::take(kept, |frame| own(frame, owner));
    note(owner);
    frame
}

#[inline(always)]
fn own(frame: Frame, owner: Owner) {
    let info = info(frame);
    info.set_owner(owner);
    info.refs.store(1, Relaxed);
}

/// Takes a block of `2^order` frames, aligned to its size, unless that would eat into the reserve.
pub fn alloc_order(owner: Owner, order: usize) -> Option<Frame> {
    if inject::refuses(owner) {
        return None;
    }
    let own = |frame| info(frame).set_owner(owner);
    let first = free::take_block(order, reserve(owner), own)?;
    info(first).refs.store(1, Relaxed);
    note(owner);
    Some(first)
}

/// Tells the thread that fetches memory back that a program took some; others may hold locks behind its.
#[inline]
fn note(owner: Owner) {
    if matches!(owner, Owner::Anon | Owner::PageCache | Owner::Pipe) {
        watermark::note();
    }
}

/// Takes a block of `2^order` frames that are freed one by one, each by its own references.
pub fn alloc_singles(owner: Owner, order: usize) -> Option<Frame> {
    let first = alloc_order(owner, order)?;
    free::shatter(first, order);
    for number in first.number()..first.number() + (1 << order) {
        info(Frame::new(number)).refs.store(1, Relaxed);
    }
    Some(first)
}

/// Returns whether the heap could take `frames` more without touching what is kept back for it.
///
/// To be asked before a program makes the kernel allocate where a failure cannot be undone.
pub fn can_spare(frames: u64) -> bool {
    !inject::fails(Site::Heap) && has_room(frames)
}

/// The same for what programs fill and the kernel keeps: messages, pages of pipes. Nobody's size shows it, so that somebody else
/// would end for it: it leaves programs more room than they leave the kernel.
pub fn can_spare_buffers(frames: u64) -> bool {
    can_spare(frames + reserve(Owner::Pipe) - reserve(Owner::Anon))
}

/// Returns whether a program could have `frames` more pages.
pub fn has_room(frames: u64) -> bool {
    let needed = reserve(Owner::Anon) + frames;
    free::in_lists() >= needed || count(Owner::Free) >= needed
}

/// How many frames each owner must leave free; written once, when the table is published.
static RESERVE: [AtomicU64; OWNERS.len()] = [const { AtomicU64::new(0) }; OWNERS.len()];

#[inline]
fn reserve(owner: Owner) -> u64 {
    RESERVE[owner as usize].load(Relaxed)
}

/// Programs leave some frames for the kernel structures that keep them, and those leave some for the
/// heap, whose users cannot all be refused.
fn set_reserves() {
    let whole = (table_len() / 64).min(1024);
    for (owner, part) in [
        (Owner::Anon, whole),
        (Owner::PageCache, whole),
        (Owner::Pipe, whole + table_len() / 64),
        (Owner::PageTable, whole / 2),
        (Owner::Kstack, whole / 2),
    ] {
        RESERVE[owner as usize].store(part, Relaxed);
    }
}

/// Takes one frame and fills it with zeros.
pub fn alloc_zeroed(owner: Owner) -> Option<Frame> {
    let frame = alloc(owner)?;
    physmap::zero(frame);
    Some(frame)
}

/// Takes a frame of zeros for a page table: if there is one, one that was a table before, and need not be cleared.
pub fn alloc_table() -> Option<Frame> {
    let owner = Owner::PageTable;
    if inject::refuses(owner) {
        return None;
    }
    let own = |frame| own(frame, owner);
    if let Some(table) = free::take_zeroed(reserve(owner), own) {
        debug_assert!(is_zero(table), "an empty table holds nothing: {table:?}");
        return Some(table);
    }
    let table = free::take(reserve(owner), own)?;
    physmap::zero(table);
    Some(table)
}

/// Gives a page table back that holds nothing but zeros, for the next who wants one.
pub fn free_table(table: Frame) {
    debug_assert!(is_zero(table), "an empty table holds nothing: {table:?}");
    if !free::give_zeroed(table, disown_as_it_is) {
        free(table);
    }
}

fn is_zero(frame: Frame) -> bool {
    let words = physmap::table(frame).iter();
    words.map(|word| word.load(Relaxed)).all(|word| word == 0)
}

/// Gives one frame back.
pub fn free(frame: Frame) {
    free::give(frame, disown);
}

/// Gives back a block as it came from [`alloc_order`].
pub fn free_order(frame: Frame, order: usize) {
    free::give_block(frame, order, disown);
}

/// Makes a frame one that nobody has.
#[inline(always)]
fn disown(frame: Frame) {
    disown_as_it_is(frame);
    if cfg!(debug_assertions) {
        poison(frame);
    }
}

/// The same where its contents are to stay.
#[inline(always)]
fn disown_as_it_is(frame: Frame) {
    let info = info(frame);
    let owner = info.owner();
    assert!(
        owner != Owner::Free && owner != Owner::Firmware,
        "only an owned frame is freed: {frame:?} is {owner:?}"
    );
    info.set_owner(Owner::Free);
}

/// Fills a freed frame with a pattern that makes any later use through a stale pointer obvious.
fn poison(frame: Frame) {
    physmap::table(frame)
        .iter()
        .for_each(|word| word.store(0xcccc_cccc_cccc_cccc, Relaxed));
}

/// Adds a reference to an anonymous, page-cache or pipe frame that the caller already has one of.
pub fn get(frame: Frame) {
    let before = info(frame).refs.fetch_add(1, Relaxed);
    assert!(
        before > 0 && before < u32::MAX / 2,
        "a reference is only taken from one that exists: {frame:?}"
    );
}

/// Drops a reference; the last one frees the frame.
pub fn put(frame: Frame) {
    let before = info(frame).refs.fetch_sub(1, AcqRel);
    assert!(
        before > 0,
        "a frame's references are never dropped twice: {frame:?}"
    );
    if before == 1 {
        free(frame);
    }
}

/// Returns how many references `frame` has.
pub fn refs(frame: Frame) -> u32 {
    info(frame).refs.load(Acquire)
}

/// Counts the frames of `owner`.
pub fn count(owner: Owner) -> u64 {
    tally(owner as u8).sum().max(0) as u64
}

/// Counts the frames that are RAM, free or used.
pub fn total() -> u64 {
    table_len() - count(Owner::Firmware)
}

/// Counts the pages of files that some address space shows.
pub fn count_mapped() -> u64 {
    let frames = (0..table_len()).map(|number| info(Frame::new(number)));
    let mapped = frames.filter(|info| info.owner() == Owner::PageCache && info.is_shared());
    mapped.count() as u64
}

/// Returns how many frames programs must leave free.
pub fn kept_back() -> u64 {
    reserve(Owner::Anon)
}

/// Counts the free blocks of each order, when all that can be merged is.
pub fn free_blocks() -> [u64; buddy::MAX_ORDER + 1] {
    free::blocks()
}

/// Checks that the allocator's lists agree with the table, and that the owners add up to it (for audits).
///
/// Checks nothing where the allocator's lock is held by whoever was interrupted (panic).
pub fn check() -> Result<(), &'static str> {
    free::check(|| {
        let owned: u64 = OWNERS.iter().map(|&(owner, _)| count(owner)).sum();
        match owned == table_len() {
            true => Ok(()),
            false => Err("the frames' owners do not add up to the frame table"),
        }
    })
}

/// Makes the frames that each CPU keeps for itself few enough for so many CPUs.
pub fn share_among(cpus: usize) {
    free::share_among(cpus);
}

impl FrameInfo {
    /// Returns the frame's owner.
    pub fn owner(&self) -> Owner {
        OWNERS[usize::from(self.owner.load(Relaxed))].0
    }

    fn set_owner(&self, owner: Owner) {
        let before = self.owner.swap(owner as u8, Relaxed);
        tally(before).add(-1);
        tally(owner as u8).inc();
        self.refs.store(0, Relaxed);
    }

    /// Whether there is more than one reference.
    fn is_shared(&self) -> bool {
        self.refs.load(Relaxed) > 1
    }

    /// The reference word, for page tables (entries in use) and slabs (free list).
    pub fn word(&self) -> &AtomicU32 {
        &self.refs
    }

    /// The two links, next and previous: of a slab in its class. In anonymous and page-cache frames
    /// nobody uses them, and `fsck` counts there.
    pub fn links(&self) -> (&AtomicU32, &AtomicU32) {
        (&self.next, &self.prev)
    }

    /// The CPU in whose lists a slab is.
    pub fn home(&self) -> &AtomicU8 {
        &self.home
    }

    /// Returns what the buddy allocator keeps here.
    pub(super) fn node(&self) -> Node {
        Node {
            next: self.next.load(Relaxed),
            prev: self.prev.load(Relaxed),
            order: self.order.load(Relaxed),
            free: self.head.load(Relaxed) != 0,
        }
    }

    /// Keeps it.
    pub(super) fn set_node(&self, node: Node) {
        self.next.store(node.next, Relaxed);
        self.prev.store(node.prev, Relaxed);
        self.order.store(node.order, Relaxed);
        self.head.store(node.free.into(), Relaxed);
    }
}
