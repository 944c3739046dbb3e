//! Which pages are in memory, are to be, or need not: madvise, mlock and its family, mincore, msync.

use abi::Errno;
use abi::linux::{
    MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED,
    MADV_DONTNEED_LOCKED, MADV_FREE, MADV_HUGEPAGE, MADV_KEEPONFORK, MADV_MERGEABLE,
    MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
    MADV_RANDOM, MADV_REMOVE, MADV_SEQUENTIAL, MADV_UNMERGEABLE, MADV_WILLNEED, MADV_WIPEONFORK,
    MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, MS_ASYNC, MS_INVALIDATE, MS_SYNC,
};
use addr::{PAGE_SIZE, PageRange, USER_END, VirtAddr};
use pte::Access;
use vma::VmFlags;

use super::SysResult;
use super::memory::{mm, mm_to_change};
use crate::arch::trapframe::TrapFrame;
use crate::mm::madvise::Advice;
use crate::mm::mincore::NotMapped;
use crate::mm::place::user_pages;
use crate::mm::uaccess::copy_to_user;

/// Not in every set of Linux's headers yet.
const MADV_GUARD_INSTALL: u32 = 102;
const MADV_GUARD_REMOVE: u32 = 103;

/// `madvise(addr, len, advice)` (VM-12).
pub fn madvise(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, advice, ..] = frame.args();
    let advice = u32::try_from(advice & 0xffff_ffff)
        .ok()
        .and_then(decode)
        .ok_or(Errno::EINVAL)?;
    let rounded = len
        .checked_next_multiple_of(PAGE_SIZE)
        .ok_or(Errno::EINVAL)?;
    if !addr.is_multiple_of(PAGE_SIZE) || addr.checked_add(rounded).is_none() {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let (range, is_whole) = user_part(addr, rounded);
    mm_to_change()?.advise(range, advice)?;
    if is_whole { Ok(0) } else { Err(Errno::ENOMEM) }
}

fn decode(advice: u32) -> Option<Advice> {
    let flags = |set, clear| Advice::Flags { set, clear };
    let reads = VmFlags::RAND_READ | VmFlags::SEQ_READ;
    let none = VmFlags::empty();
    Some(match advice {
        MADV_NORMAL => flags(none, reads),
        MADV_RANDOM => flags(VmFlags::RAND_READ, reads),
        MADV_SEQUENTIAL => flags(VmFlags::SEQ_READ, reads),
        MADV_DONTFORK => flags(VmFlags::DONTFORK, none),
        MADV_DOFORK => flags(none, VmFlags::DONTFORK),
        MADV_WIPEONFORK => flags(VmFlags::WIPEONFORK, none),
        MADV_KEEPONFORK => flags(none, VmFlags::WIPEONFORK),
        MADV_DONTDUMP => flags(VmFlags::DONTDUMP, none),
        MADV_DODUMP => flags(none, VmFlags::DONTDUMP),
        MADV_HUGEPAGE => flags(VmFlags::HUGEPAGE, VmFlags::NOHUGEPAGE),
        MADV_NOHUGEPAGE => flags(VmFlags::NOHUGEPAGE, VmFlags::HUGEPAGE),
        MADV_WILLNEED | MADV_MERGEABLE | MADV_UNMERGEABLE => Advice::Hint { evicts: false },
        MADV_COLD | MADV_PAGEOUT => Advice::Hint { evicts: true },
        MADV_DONTNEED => Advice::DontNeed { locked: false },
        MADV_DONTNEED_LOCKED => Advice::DontNeed { locked: true },
        MADV_FREE => Advice::Free,
        MADV_REMOVE => Advice::Remove,
        MADV_POPULATE_READ => Advice::Populate(Access::Read),
        MADV_POPULATE_WRITE => Advice::Populate(Access::Write),
        MADV_GUARD_INSTALL => Advice::GuardInstall,
        MADV_GUARD_REMOVE => Advice::GuardRemove,
        _ => return None,
    })
}

/// The part of a range that user space could have mapped, and whether that is all of it.
fn user_part(addr: u64, len: u64) -> (PageRange, bool) {
    let end = VirtAddr::new(USER_END).page();
    match user_pages(addr, len) {
        Some(range) => (range, true),
        None if addr < USER_END => (PageRange::new(VirtAddr::new(addr).page(), end), false),
        None => (PageRange::new(end, end), false),
    }
}

/// `mlock(addr, len)`.
pub fn mlock(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, ..] = frame.args();
    lock(addr, len, false)
}

/// `mlock2(addr, len, flags)`.
pub fn mlock2(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, flags, ..] = frame.args();
    match flags as u32 & !MLOCK_ONFAULT {
        0 => lock(addr, len, flags as u32 & MLOCK_ONFAULT != 0),
        _ => Err(Errno::EINVAL),
    }
}

/// `munlock(addr, len)`.
pub fn munlock(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, ..] = frame.args();
    let (range, is_whole) = touched(addr, len)?;
    mm()?.unlock(range)?;
    if is_whole { Ok(0) } else { Err(Errno::ENOMEM) }
}

/// `mlockall(flags)`.
pub fn mlockall(frame: &mut TrapFrame) -> SysResult {
    let [flags, ..] = frame.args();
    let flags = flags as u32;
    let known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
    if flags == 0 || flags & !known != 0 || flags == MCL_ONFAULT {
        return Err(Errno::EINVAL);
    }
    let has = |flag| flags & flag != 0;
    mm_to_change()?.lock_all(has(MCL_CURRENT), has(MCL_FUTURE), has(MCL_ONFAULT))?;
    Ok(0)
}

/// `munlockall()`.
pub fn munlockall(_: &mut TrapFrame) -> SysResult {
    mm()?.unlock_all();
    Ok(0)
}

fn lock(addr: u64, len: u64, on_fault: bool) -> SysResult {
    let (range, is_whole) = touched(addr, len)?;
    mm_to_change()?.lock(range, on_fault)?;
    if is_whole { Ok(0) } else { Err(Errno::ENOMEM) }
}

/// The pages that the bytes touch. A length that only wraps when it is rounded is none.
fn touched(addr: u64, len: u64) -> Result<(PageRange, bool), Errno> {
    let offset = addr % PAGE_SIZE;
    let start = addr - offset;
    let len = len
        .wrapping_add(offset)
        .checked_next_multiple_of(PAGE_SIZE)
        .unwrap_or(0);
    start.checked_add(len).ok_or(Errno::EINVAL)?;
    if len == 0 {
        // Nothing, wherever that is.
        let nowhere = VirtAddr::new(0).page();
        return Ok((PageRange::new(nowhere, nowhere), true));
    }
    Ok(user_part(start, len))
}

/// `mincore(addr, len, vec)`: one byte for each page, bit 0 set if it is in memory.
pub fn mincore(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, vec, ..] = frame.args();
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let end = addr.checked_add(len).filter(|end| *end <= USER_END);
    let pages = len.div_ceil(PAGE_SIZE);
    end.ok_or(Errno::ENOMEM)?;
    addr::user_range(vec, pages).ok_or(Errno::EFAULT)?;
    let mut at = VirtAddr::new(addr).page();
    let mut done = 0;
    while done < pages {
        let mut piece = [0; 256];
        let piece = &mut piece[..(pages - done).min(256) as usize];
        let count = mm()?
            .residency(at, piece)
            .map_err(|NotMapped| Errno::ENOMEM)?;
        copy_to_user(vec + done, &piece[..count])?;
        done += count as u64;
        at = addr::Page::new(at.number() + count as u64);
    }
    Ok(0)
}

/// `msync(addr, len, flags)`: what a shared mapping changes is in the file at once.
pub fn msync(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, flags, ..] = frame.args();
    let flags = flags as u32;
    let contradictory = flags & (MS_SYNC | MS_ASYNC) == MS_SYNC | MS_ASYNC;
    if flags & !(MS_SYNC | MS_ASYNC | MS_INVALIDATE) != 0
        || contradictory
        || !addr.is_multiple_of(PAGE_SIZE)
    {
        return Err(Errno::EINVAL);
    }
    // A length that wraps when it is rounded is none.
    let len = len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(0);
    let end = addr.checked_add(len).ok_or(Errno::ENOMEM)?;
    if end == addr {
        return Ok(0);
    }
    let (range, is_whole) = user_part(addr, len);
    let invalidates = flags & MS_INVALIDATE != 0;
    match mm()?.sync(range, invalidates)? {
        () if is_whole => Ok(0),
        () => Err(Errno::ENOMEM),
    }
}
