//! Memory: mmap, munmap, mprotect, brk, madvise.

use abi::Errno;
use abi::linux::{
    MADV_DODUMP, MADV_DONTDUMP, MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_NORMAL,
    MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MS_ASYNC, MS_INVALIDATE, MS_SYNC,
};
use abi::memory::{MapFlags, ProtFlags};
use addr::PAGE_SIZE;
use pte::Prot;
use vma::VmFlags;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::{Mapping, OpenFile};
use crate::mm::shared_anon::SharedAnon;
use crate::mm::{MapBacking, MapKind, MapRequest, MmUserRef};
use crate::task;

/// `mmap(addr, len, prot, flags, fd, offset)`; the order of the checks is Linux's (VM-1).
pub fn mmap(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, prot, flags, fd, offset] = frame.args();
    let map_flags = MapFlags::from_bits_retain(flags & !MapFlags::TYPE);
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let file = match map_flags.contains(MapFlags::ANONYMOUS) {
        true => None,
        false => Some(args::file(fd)?),
    };
    let pages = checked_len(len, offset)?;
    let prot = Prot::from_bits_truncate(prot as u8);
    let shared = is_shared(flags, file.is_some())?;
    check_supported(map_flags, file.is_some() || shared)?;
    let (flags, backing) = match &file {
        None => anonymous(pages, shared),
        Some(file) => of_file(file, prot, shared, pages, offset)?,
    };
    let request = MapRequest {
        addr,
        len,
        prot,
        kind: kind(map_flags),
        flags: flags | extra(map_flags),
        backing,
    };
    Ok(mm()?.map(&request)?)
}

/// `munmap(addr, len)`.
pub fn munmap(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, ..] = frame.args();
    mm()?.unmap(addr, len)?;
    Ok(0)
}

/// `mprotect(addr, len, prot)`.
pub fn mprotect(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, prot, ..] = frame.args();
    let prot = ProtFlags::from_bits(prot).ok_or(Errno::EINVAL)?;
    if prot.intersects(ProtFlags::GROWSDOWN | ProtFlags::GROWSUP) {
        return Err(Errno::EINVAL);
    }
    mm()?.protect(addr, len, Prot::from_bits_truncate(prot.bits() as u8))?;
    Ok(0)
}

/// `brk(addr)`: returns where the break is, moved or not (VM-9).
pub fn brk(frame: &mut TrapFrame) -> SysResult {
    let [addr, ..] = frame.args();
    Ok(mm()?.brk(addr))
}

/// `madvise(addr, len, advice)`.
pub fn madvise(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, advice, ..] = frame.args();
    let is_known = matches!(
        advice as u32,
        MADV_NORMAL
            | MADV_RANDOM
            | MADV_SEQUENTIAL
            | MADV_WILLNEED
            | MADV_DONTNEED
            | MADV_HUGEPAGE
            | MADV_NOHUGEPAGE
            | MADV_DONTDUMP
            | MADV_DODUMP
    );
    let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
    if !is_known
        || !addr.is_multiple_of(PAGE_SIZE)
        || end.checked_next_multiple_of(PAGE_SIZE).is_none()
    {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    // The others are hints about reading ahead, large pages and core files: there are none of these.
    let is_mapped = match advice as u32 {
        MADV_DONTNEED => mm()?.discard(addr, len)?,
        _ => mm()?.is_mapped(addr, len),
    };
    if is_mapped { Ok(0) } else { Err(Errno::ENOMEM) }
}

/// `msync(addr, len, flags)`: no mapping can have changed a file.
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
    if len == 0 || mm()?.is_mapped(addr, len) {
        Ok(0)
    } else {
        Err(Errno::ENOMEM)
    }
}

/// The address space of the program that called.
fn mm() -> Result<MmUserRef, Errno> {
    task::current_mm().ok_or(Errno::ENOMEM)
}

/// Checks a length and an offset and returns the pages.
fn checked_len(len: u64, offset: u64) -> Result<u64, Errno> {
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let pages = len
        .checked_next_multiple_of(PAGE_SIZE)
        .ok_or(Errno::ENOMEM)?
        / PAGE_SIZE;
    let end = (offset / PAGE_SIZE)
        .checked_add(pages)
        .filter(|end| end.checked_mul(PAGE_SIZE).is_some());
    end.map(|_| pages).ok_or(Errno::EOVERFLOW)
}

/// Reads the mapping's type (VM-2).
fn is_shared(flags: u64, has_file: bool) -> Result<bool, Errno> {
    match flags & MapFlags::TYPE {
        MapFlags::PRIVATE => Ok(false),
        MapFlags::SHARED => Ok(true),
        MapFlags::SHARED_VALIDATE if has_file => {
            match flags & !(MapFlags::TYPE | MapFlags::LEGACY) {
                0 => Ok(true),
                _ => Err(Errno::EOPNOTSUPP),
            }
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Refuses what would change the mapping's meaning and cannot be done.
fn check_supported(flags: MapFlags, shared_or_file: bool) -> Result<(), Errno> {
    let impossible = flags.intersects(MapFlags::HUGETLB | MapFlags::BIT32);
    if impossible || flags.contains(MapFlags::GROWSDOWN) && shared_or_file {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

fn kind(flags: MapFlags) -> MapKind {
    match flags {
        flags if flags.contains(MapFlags::FIXED_NOREPLACE) => MapKind::FixedNoReplace,
        flags if flags.contains(MapFlags::FIXED) => MapKind::Fixed,
        _ => MapKind::Hint,
    }
}

fn extra(flags: MapFlags) -> VmFlags {
    let pairs = [
        (MapFlags::GROWSDOWN, VmFlags::GROWSDOWN),
        (MapFlags::NORESERVE, VmFlags::NORESERVE),
        (MapFlags::LOCKED, VmFlags::LOCKED),
    ];
    pairs
        .into_iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .map(|(_, vm_flag)| vm_flag)
        .collect()
}

fn anonymous(pages: u64, shared: bool) -> (VmFlags, MapBacking) {
    let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
    match shared {
        true => (
            may | VmFlags::SHARED,
            MapBacking::File {
                source: SharedAnon::new(pages * PAGE_SIZE),
                page: 0,
            },
        ),
        false => (may, MapBacking::ANON),
    }
}

/// Checks what a file may be mapped for (VM-3) and says what the mapping shows.
fn of_file(
    file: &OpenFile,
    prot: Prot,
    shared: bool,
    pages: u64,
    offset: u64,
) -> Result<(VmFlags, MapBacking), Errno> {
    let flags = file.flags();
    if !flags.reads() || shared && prot.contains(Prot::WRITE) && !flags.writes() {
        return Err(Errno::EACCES);
    }
    let source = match file.file().mapping().ok_or(Errno::ENODEV)? {
        Mapping::Zeros => return Ok(anonymous(pages, shared)),
        Mapping::Source(source) => source,
    };
    let mut may = VmFlags::MAYREAD | VmFlags::MAYEXEC;
    may.set(VmFlags::MAYWRITE, !shared || flags.writes());
    may.set(VmFlags::SHARED, shared);
    Ok((
        may,
        MapBacking::File {
            source,
            page: offset / PAGE_SIZE,
        },
    ))
}
