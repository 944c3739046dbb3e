//! What the operations do, to one page after the other, and what they refuse.

use addr::{MMAP_MIN_ADDR, PAGE_SIZE, PageRange, USER_END};
use pte::Prot;
use vma::{STACK_GUARD_GAP, VmFlags};

use super::space::{Page, Shown, Space};
use crate::mm::MapKind;

/// Why an operation is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// EINVAL.
    Invalid,
    /// ENOMEM.
    NoMemory,
    /// EEXIST.
    Exists,
    /// EACCES.
    Access,
    /// EFAULT.
    Fault,
    /// EAGAIN.
    TryAgain,
}

/// Where a new mapping goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spot {
    /// To this page.
    There(u64),
    /// To the highest place that is free.
    Anywhere,
}

/// The highest page that placement chooses from: room is left for the stack (VM-4).
const TOP: u64 = (USER_END - (128 << 20)) / PAGE_SIZE - STACK_GUARD_GAP;

impl Space {
    /// Says where a mapping of `len` bytes would go.
    ///
    /// # Errors
    /// As mmap.
    pub fn place(&self, at: u64, len: u64, kind: MapKind) -> Result<(Spot, u64), Refusal> {
        if len == 0 {
            return Err(Refusal::Invalid);
        }
        let bytes = rounded(len).filter(|bytes| *bytes <= USER_END);
        let pages = bytes.ok_or(Refusal::NoMemory)? / PAGE_SIZE;
        if kind == MapKind::Hint {
            let page = (at / PAGE_SIZE).max(MMAP_MIN_ADDR / PAGE_SIZE);
            let wanted = at >= PAGE_SIZE && self.is_good(page, pages);
            let spot = if wanted {
                Spot::There(page)
            } else {
                Spot::Anywhere
            };
            return Ok((spot, pages));
        }
        if at
            .checked_add(pages * PAGE_SIZE)
            .is_none_or(|end| end > USER_END)
        {
            return Err(Refusal::NoMemory);
        }
        if !at.is_multiple_of(PAGE_SIZE) {
            return Err(Refusal::Invalid);
        }
        let page = at / PAGE_SIZE;
        if kind == MapKind::FixedNoReplace && self.pages.range(page..page + pages).next().is_some()
        {
            return Err(Refusal::Exists);
        }
        Ok((Spot::There(page), pages))
    }

    /// Says whether `pages` pages from `page` on are free and keep away from the stack above them.
    fn is_good(&self, page: u64, pages: u64) -> bool {
        let end = page + pages;
        let next = self.pages.range(page..).next();
        end <= USER_END / PAGE_SIZE
            && next.is_none_or(|(&next, above)| {
                let grows = above.flags.contains(VmFlags::GROWSDOWN);
                end <= next.saturating_sub(if grows { STACK_GUARD_GAP } else { 0 })
            })
    }

    /// Returns the highest good place, tried one after the other below everything mapped.
    pub fn highest(&self, pages: u64) -> Option<u64> {
        let starts = self.pages.iter().map(|(&number, page)| {
            let grows = page.flags.contains(VmFlags::GROWSDOWN);
            number.saturating_sub(if grows { STACK_GUARD_GAP } else { 0 })
        });
        let mut tops: Vec<u64> = starts.chain([TOP]).filter(|top| *top <= TOP).collect();
        tops.sort_unstable();
        let low = MMAP_MIN_ADDR / PAGE_SIZE;
        tops.iter()
            .rev()
            .filter_map(|top| top.checked_sub(pages))
            .find(|start| *start >= low && self.is_good(*start, pages))
    }

    /// Maps `pages` pages, taking away what was there.
    pub fn map(&mut self, page: u64, pages: u64, flags: VmFlags, shown: impl Fn(u64) -> Shown) {
        self.clear(page, pages);
        for at in 0..pages {
            self.pages.insert(page + at, Page::new(flags, shown(at)));
        }
    }

    pub(super) fn clear(&mut self, page: u64, pages: u64) {
        let gone: Vec<u64> = self
            .pages
            .range(page..page + pages)
            .map(|(at, _)| *at)
            .collect();
        gone.iter().for_each(|at| drop(self.pages.remove(at)));
    }

    /// Takes a range away.
    ///
    /// # Errors
    /// As munmap.
    pub fn unmap(&mut self, at: u64, len: u64) -> Result<(), Refusal> {
        let (page, pages) = range(at, len)
            .filter(|(_, pages)| *pages > 0)
            .ok_or(Refusal::Invalid)?;
        self.clear(page, pages);
        Ok(())
    }

    /// Changes rights up to the first page where that is not possible.
    ///
    /// # Errors
    /// As mprotect.
    pub fn protect(&mut self, at: u64, len: u64, prot: Prot) -> Result<(), Refusal> {
        if !at.is_multiple_of(PAGE_SIZE) {
            return Err(Refusal::Invalid);
        }
        if len == 0 {
            return Ok(());
        }
        let end = rounded(len).and_then(|bytes| at.checked_add(bytes));
        let end = end.ok_or(Refusal::NoMemory)? / PAGE_SIZE;
        // A range may be much longer than what is mapped, and reach beyond user space: nobody counts up to its end.
        let mut next = at / PAGE_SIZE;
        while next < end {
            let found = self.pages.get_mut(&next).ok_or(Refusal::NoMemory)?;
            if !found.flags.may(prot) {
                return Err(Refusal::Access);
            }
            let new = found.flags.with_prot(prot);
            let is_new = !found.flags.intersects(VmFlags::ACCOUNT | VmFlags::WRITE);
            found.flags = new;
            if is_new && charged(new).contains(VmFlags::ACCOUNT) {
                found.flags |= VmFlags::ACCOUNT;
            }
            next += 1;
        }
        Ok(())
    }

    /// Moves the end of the heap and returns where it is.
    pub fn brk(&mut self, new: u64, flags: VmFlags, frames: u64) -> u64 {
        if new < self.brk_start || new > USER_END {
            return self.brk;
        }
        let (old_end, new_end) = (self.brk.div_ceil(PAGE_SIZE), new.div_ceil(PAGE_SIZE));
        if new_end > old_end {
            let clear = self
                .pages
                .range(old_end..)
                .next()
                .is_none_or(|(&next, above)| {
                    let grows = above.flags.contains(VmFlags::GROWSDOWN);
                    new_end + 1 + if grows { STACK_GUARD_GAP } else { 0 } <= next
                });
            if !clear || new_end - old_end > frames {
                return self.brk;
            }
            self.map(old_end, new_end - old_end, flags, |at| {
                Shown::Zeros(old_end + at)
            });
        } else {
            self.clear(new_end, old_end - new_end);
        }
        self.brk = new;
        new
    }

    /// Returns what a forked child gets.
    pub fn fork(&self) -> Self {
        let mut child = self.clone();
        child.future = VmFlags::empty();
        child
            .pages
            .retain(|_, page| !page.flags.contains(VmFlags::DONTFORK));
        for page in child.pages.values_mut() {
            page.flags -= VmFlags::LOCKED | VmFlags::LOCKONFAULT;
            page.given_up = false;
            if page.flags.contains(VmFlags::WIPEONFORK) {
                page.own = None;
                page.guard = false;
            }
        }
        child
    }
}

/// Returns the flags of a mapping with the mark of what is charged.
#[must_use]
pub fn charged(mut flags: VmFlags) -> VmFlags {
    let is_charged =
        flags.contains(VmFlags::WRITE) && !flags.intersects(VmFlags::SHARED | VmFlags::NORESERVE);
    flags.set(VmFlags::ACCOUNT, is_charged);
    flags
}

pub(super) fn numbers(range: PageRange) -> std::ops::Range<u64> {
    range.start.number()..range.end.number()
}

fn rounded(len: u64) -> Option<u64> {
    len.checked_next_multiple_of(PAGE_SIZE)
}

/// The pages of a range that begins on a boundary and lies in user space.
fn range(at: u64, len: u64) -> Option<(u64, u64)> {
    let bytes = rounded(len)?;
    let end = at.checked_add(bytes)?;
    (at.is_multiple_of(PAGE_SIZE) && end <= USER_END).then_some((at / PAGE_SIZE, bytes / PAGE_SIZE))
}
