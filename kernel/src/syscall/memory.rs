//! Memory: mmap, munmap, mprotect, mremap, brk.

use abi::Errno;
use abi::memory::{MapFlags, ProtFlags, RemapFlags};
use addr::{PAGE_SIZE, USER_END};
use pte::Prot;
use vma::{Overcommit, VmFlags};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::mount::MountFlags;
use crate::fs::seals::BeingMapped;
use crate::fs::{InodeRef, Mapping, OpenFile, filesystem};
use crate::mm::mremap::RemapRequest;
use crate::mm::shared_anon::SharedAnon;
use crate::mm::{MapBacking, MapKind, MapRequest, MmUserRef, commit, reclaim};
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
    let pages = checked_len(len)?;
    if let Some(file) = &file {
        check_offset(file, pages, offset)?;
    }
    let prot = Prot::from_bits_truncate(prot as u8);
    let shared = is_shared(flags, file.is_some())?;
    let is_droppable = flags & MapFlags::TYPE == MapFlags::DROPPABLE;
    check_supported(map_flags, file.is_some(), shared, is_droppable)?;
    let reserve = !is_unreserved(map_flags);
    let shared_file = file.as_ref().filter(|_| shared);
    let _announced = shared_file
        .and_then(|file| file.file().inode())
        .map(|inode| BeingMapped::new(&inode));
    let (vm_flags, backing) = match &file {
        None => anonymous(pages, shared, reserve)?,
        Some(file) => {
            let of_file = of_file(file, prot, shared, pages, offset)?;
            if map_flags.contains(MapFlags::GROWSDOWN) {
                return Err(Errno::EINVAL);
            }
            of_file
        }
    };
    let droppable = match is_droppable {
        true => VmFlags::DROPPABLE | VmFlags::NORESERVE | VmFlags::WIPEONFORK | VmFlags::DONTDUMP,
        false => VmFlags::empty(),
    };
    let request = MapRequest {
        addr,
        len,
        prot,
        kind: kind(map_flags),
        flags: vm_flags | extra(map_flags) | droppable,
        populate: map_flags.contains(MapFlags::POPULATE) && !map_flags.contains(MapFlags::NONBLOCK),
        backing,
    };
    Ok(mm_to_change()?.map(&request)?)
}

/// `munmap(addr, len)`.
pub fn munmap(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, ..] = frame.args();
    mm_to_change()?.unmap(addr, len)?;
    Ok(0)
}

/// `mprotect(addr, len, prot)`; PROT_GROWSDOWN extends the range down to the start of its mapping.
pub fn mprotect(frame: &mut TrapFrame) -> SysResult {
    let [addr, len, prot, ..] = frame.args();
    let (grows, rights) = split_growth(prot);
    if grows == (ProtFlags::GROWSDOWN | ProtFlags::GROWSUP) || !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let end = len
        .checked_next_multiple_of(PAGE_SIZE)
        .and_then(|len| addr.checked_add(len));
    if end.is_none_or(|end| end <= addr) {
        return Err(Errno::ENOMEM);
    }
    // No mapping grows up, so GROWSUP never fits one.
    let rights = ProtFlags::from_bits(rights).ok_or(Errno::EINVAL)?;
    if grows.contains(ProtFlags::GROWSUP) {
        return Err(match mm()?.is_mapped_at(addr) {
            true => Errno::EINVAL,
            false => Errno::ENOMEM,
        });
    }
    let prot = Prot::from_bits_truncate(rights.bits() as u8);
    mm_to_change()?.protect(addr, len, prot, grows.contains(ProtFlags::GROWSDOWN))?;
    Ok(0)
}

/// Splits the two bits that change the range from those that change the rights.
fn split_growth(prot: u64) -> (ProtFlags, u64) {
    let both = ProtFlags::GROWSDOWN | ProtFlags::GROWSUP;
    (
        ProtFlags::from_bits_truncate(prot & both.bits()),
        prot & !both.bits(),
    )
}

/// `mremap(addr, old_len, new_len, flags, new_addr)`.
pub fn mremap(frame: &mut TrapFrame) -> SysResult {
    let [addr, old_len, new_len, flags, new_addr, ..] = frame.args();
    let flags = RemapFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    Ok(mm_to_change()?.remap(&RemapRequest {
        addr,
        old_len,
        new_len,
        may_move: flags.contains(RemapFlags::MAYMOVE),
        fixed: flags.contains(RemapFlags::FIXED),
        dont_unmap: flags.contains(RemapFlags::DONTUNMAP),
        new_addr,
    })?)
}

/// `brk(addr)`: returns where the break is, moved or not (VM-9).
pub fn brk(frame: &mut TrapFrame) -> SysResult {
    let [addr, ..] = frame.args();
    Ok(mm_to_change()?.brk(addr))
}

/// The address space of the program that called.
pub(super) fn mm() -> Result<MmUserRef, Errno> {
    task::current_mm().ok_or(Errno::ENOMEM)
}

/// The same, for a call that may need memory to do its work: clean pages go before it says ENOMEM.
pub(super) fn mm_to_change() -> Result<MmUserRef, Errno> {
    reclaim::if_low();
    mm()
}

/// Checks a length and returns the pages.
fn checked_len(len: u64) -> Result<u64, Errno> {
    match len.checked_next_multiple_of(PAGE_SIZE) {
        _ if len == 0 => Err(Errno::EINVAL),
        Some(bytes) if bytes <= USER_END => Ok(bytes / PAGE_SIZE),
        _ => Err(Errno::ENOMEM),
    }
}

/// Checks that a file could be as long as offset and length say.
fn check_offset(file: &OpenFile, pages: u64, offset: u64) -> Result<(), Errno> {
    let longest = match file.file().mapping() {
        Some(Mapping::Source(_)) => i64::MAX as u64,
        _ => u64::MAX,
    };
    let last = (longest - pages * PAGE_SIZE) / PAGE_SIZE;
    match offset / PAGE_SIZE > last {
        true => Err(Errno::EOVERFLOW),
        false => Ok(()),
    }
}

/// Reads the mapping's type (VM-2).
fn is_shared(flags: u64, has_file: bool) -> Result<bool, Errno> {
    match flags & MapFlags::TYPE {
        MapFlags::PRIVATE => Ok(false),
        MapFlags::DROPPABLE if !has_file => Ok(false),
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

/// Refuses what makes no sense for the mapping, and large pages, of which none are set aside.
fn check_supported(
    flags: MapFlags,
    has_file: bool,
    shared: bool,
    is_droppable: bool,
) -> Result<(), Errno> {
    if flags.contains(MapFlags::HUGETLB) {
        return Err(match has_file {
            true => Errno::EINVAL,
            false => Errno::ENOMEM,
        });
    }
    let shared_growth = flags.contains(MapFlags::GROWSDOWN) && shared && !has_file;
    let kept = flags.intersects(MapFlags::GROWSDOWN | MapFlags::LOCKED);
    match shared_growth || is_droppable && kept {
        true => Err(Errno::EINVAL),
        false => Ok(()),
    }
}

fn kind(flags: MapFlags) -> MapKind {
    match flags {
        flags if flags.contains(MapFlags::FIXED_NOREPLACE) => MapKind::FixedNoReplace,
        flags if flags.contains(MapFlags::FIXED) => MapKind::Fixed,
        flags if flags.contains(MapFlags::BIT32) => MapKind::Low,
        _ => MapKind::Hint,
    }
}

fn extra(flags: MapFlags) -> VmFlags {
    let pairs = [
        (MapFlags::GROWSDOWN, VmFlags::GROWSDOWN),
        (MapFlags::LOCKED, VmFlags::LOCKED),
    ];
    let extra: VmFlags = pairs
        .into_iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .map(|(_, vm_flag)| vm_flag)
        .collect();
    extra
        | match is_unreserved(flags) {
            true => VmFlags::NORESERVE,
            false => VmFlags::empty(),
        }
}

/// Where nothing may be promised in excess, nobody is let off reserving.
fn is_unreserved(flags: MapFlags) -> bool {
    flags.contains(MapFlags::NORESERVE) && commit::mode() != Overcommit::Never
}

fn anonymous(pages: u64, shared: bool, reserve: bool) -> Result<(VmFlags, MapBacking), Errno> {
    let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
    if !shared {
        return Ok((may, MapBacking::ANON));
    }
    let source = SharedAnon::new(pages * PAGE_SIZE, reserve)?;
    Ok((may | VmFlags::SHARED, MapBacking::File { source, page: 0 }))
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
    let forbids_exec = forbids_exec(file);
    if forbids_exec && prot.contains(Prot::EXEC) {
        return Err(Errno::EPERM);
    }
    let source = match file.file().mapping().ok_or(Errno::ENODEV)? {
        Mapping::Zeros => return anonymous(pages, shared, true),
        Mapping::Source(source) => source,
    };
    let is_sealed = |inode: InodeRef| inode.refuses_stores();
    let is_sealed = shared && file.file().inode().is_some_and(is_sealed);
    if is_sealed && prot.contains(Prot::WRITE) {
        return Err(Errno::EPERM);
    }
    let mut may = VmFlags::MAYREAD;
    may.set(VmFlags::MAYEXEC, !forbids_exec);
    may.set(VmFlags::MAYWRITE, !shared || flags.writes() && !is_sealed);
    may.set(VmFlags::SHARED, shared);
    Ok((
        may,
        MapBacking::File {
            source,
            page: offset / PAGE_SIZE,
        },
    ))
}

/// Whether a file lies where nothing may be executed: pipes, sockets and their like lie on file systems of that kind.
fn forbids_exec(file: &OpenFile) -> bool {
    file.location().is_none_or(|location| {
        location.mount.flags().contains(MountFlags::NO_EXEC) || location.fs.is(&filesystem::PIPES)
    })
}
