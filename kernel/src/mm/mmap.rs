//! Changing an address space: map, unmap, protect, brk.
//!
//! All of it runs under mmap_lock for writing. What happens to VMAs is planned by the pure crate
//! `vma`; page tables follow through a [`Gather`], so that nothing is freed before the flush.

use addr::{MMAP_MIN_ADDR, PAGE_SIZE, Page, PageRange, USER_END, VirtAddr};
use pte::Prot;
use vma::{STACK_GUARD_GAP, VmFlags, Vma};

use super::backing::MapBacking;
use super::gather::Gather;
use super::mm_struct::{AddressSpace, is_data};
use super::{Mm, frame, zap};

/// Mappings taken out of the set at a time.
const UNMAP_BATCH: usize = 64;
/// The most mappings one address space may have.
pub const MAX_MAP_COUNT: usize = 65530;

/// How the address of a mapping is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapKind {
    /// Exactly there, replacing what is there (VM-5).
    Fixed,
    /// Exactly there, or fail.
    FixedNoReplace,
    /// There if it is free, else wherever there is room (VM-4).
    Hint,
}

/// What is to be mapped.
#[derive(Clone)]
pub struct MapRequest {
    /// Address or hint.
    pub addr: u64,
    /// Length in bytes; rounded up to pages.
    pub len: u64,
    /// Protection.
    pub prot: Prot,
    /// How `addr` is meant.
    pub kind: MapKind,
    /// Everything else the VMA is to have; `MAY*` are the caller's to set.
    pub flags: VmFlags,
    /// What it shows.
    pub backing: MapBacking,
}

/// Why a mapping was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// Unaligned fixed address, or no length.
    Invalid,
    /// No room, above the limit, or too many mappings.
    NoMemory,
    /// Something is mapped there and must not be replaced.
    Exists,
    /// Below the lowest address that may be mapped.
    Permission,
}

/// Why an unmapping was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnmapError {
    /// Unaligned, empty or above the limit.
    Invalid,
    /// It would split a mapping, and there are too many already.
    TooMany,
}

/// Why a protection was not, or only partly, changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProtectError {
    /// Unaligned.
    Invalid,
    /// Something in the range is not mapped; what lies before it is changed (VM-10).
    NoMemory,
    /// A mapping must not get these rights.
    Access,
}

impl Mm {
    /// Maps what `request` says and returns where.
    pub fn map(&self, request: &MapRequest) -> Result<u64, MapError> {
        let pages = checked_pages(request.len)?;
        let mut map = self.map.write();
        if map.vmas.len() >= MAX_MAP_COUNT || exceeds_memory(request, pages) || !frame::can_spare(1)
        {
            return Err(MapError::NoMemory);
        }
        let range = place(&map, request, pages)?;
        let flags = request.flags.with_prot(request.prot);
        if !map.allows(pages, is_data(flags)) {
            return Err(MapError::NoMemory);
        }
        self.unhook(&mut map, range);
        let vma = Vma {
            range,
            flags,
            backing: request.backing.clone().placed_at(range.start),
        };
        if let Some(source) = vma.backing.source() {
            source.mappings().add(self);
        }
        map.vmas
            .insert(vma)
            .expect("a range that was just cleared is free");
        Ok(range.start.start().as_u64())
    }

    /// Unmaps `len` bytes from `addr` on; holes are fine (VM-8).
    pub fn unmap(&self, addr: u64, len: u64) -> Result<(), UnmapError> {
        let range = user_pages(addr, len).ok_or(UnmapError::Invalid)?;
        if range.is_empty() {
            return Err(UnmapError::Invalid);
        }
        let mut map = self.map.write();
        if map.vmas.len() + map.vmas.splits_needed(range) > MAX_MAP_COUNT {
            return Err(UnmapError::TooMany);
        }
        self.unhook(&mut map, range);
        Ok(())
    }

    /// Takes every mapping and every page out of `range`; a few mappings at a time, since listing
    /// tens of thousands of them would need memory to free memory.
    fn unhook(&self, map: &mut AddressSpace, range: PageRange) {
        let mut rest = range;
        while !rest.is_empty() {
            let next = map.vmas.overlapping(rest).nth(UNMAP_BATCH);
            let part = PageRange::new(rest.start, next.map_or(rest.end, |vma| vma.range.start));
            let removed = map.vmas.unmap(part);
            if !removed.is_empty() {
                zap::zap_pages(self, part);
            }
            rest = PageRange::new(part.end, rest.end);
        }
    }

    /// Changes the protection of `len` bytes from `addr` on, as far as they are mapped (VM-10).
    pub fn protect(&self, addr: u64, len: u64, prot: Prot) -> Result<(), ProtectError> {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(ProtectError::Invalid);
        }
        if len == 0 {
            return Ok(());
        }
        let range = user_pages(addr, len).ok_or(ProtectError::NoMemory)?;
        let mut map = self.map.write();
        let splits = map.vmas.splits_needed(range);
        if map.vmas.len() + splits > MAX_MAP_COUNT || splits > 0 && !frame::can_spare(1) {
            return Err(ProtectError::NoMemory);
        }
        let outcome = map.vmas.protect(range, prot);
        for (changed, _, _) in &outcome.changed {
            self.protect_pages(*changed, prot);
        }
        outcome.result.map_err(|error| match error {
            vma::ProtectError::Hole => ProtectError::NoMemory,
            vma::ProtectError::Denied => ProtectError::Access,
        })
    }

    /// Forgets the contents of `len` bytes from `addr` on: private memory reads zero or the file
    /// again (MADV_DONTNEED). Returns false where part of it is not mapped.
    pub fn discard(&self, addr: u64, len: u64) -> Result<bool, UnmapError> {
        let range = user_pages(addr, len).ok_or(UnmapError::Invalid)?;
        let map = self.map.read();
        let mut mapped = 0;
        for vma in map.vmas.overlapping(range) {
            let part = vma
                .range
                .intersection(&range)
                .expect("an overlapping VMA overlaps");
            mapped += part.len();
            zap::zap_pages(self, part);
        }
        Ok(mapped == range.len())
    }

    /// Returns whether all of the `len` bytes from `addr` on are mapped.
    pub fn is_mapped(&self, addr: u64, len: u64) -> bool {
        let Some(range) = user_pages(addr, len) else {
            return false;
        };
        let map = self.map.read();
        let parts = map
            .vmas
            .overlapping(range)
            .filter_map(|vma| vma.range.intersection(&range));
        parts.map(|part| part.len()).sum::<u64>() == range.len()
    }

    /// Puts the empty heap at `addr`, a page boundary.
    pub fn set_brk_start(&self, addr: u64) {
        let mut map = self.map.write();
        map.brk_start = addr;
        map.brk = addr;
    }

    /// Moves the break to `new` if that is possible and returns where it is (VM-9).
    pub fn brk(&self, new: u64) -> u64 {
        let mut map = self.map.write();
        if new < map.brk_start || new > USER_END {
            return map.brk;
        }
        let (old_end, new_end) = (page_above(map.brk), page_above(new));
        let moved = if new_end > old_end {
            extend_heap(&mut map, PageRange::new(old_end, new_end))
        } else {
            let range = PageRange::new(new_end, old_end);
            if !map.vmas.unmap(range).is_empty() {
                zap::zap_pages(self, range);
            }
            true
        };
        if moved {
            map.brk = new;
        }
        map.brk
    }

    /// Rewrites the PTEs of `range` for `prot`; never grants W, that is the fault's to decide (HF-18).
    fn protect_pages(&self, range: PageRange, prot: Prot) {
        let mut gather = Gather::new(self);
        self.tables.lock().visit(range, |page, slot| {
            let old = slot.load();
            let new = old.with_prot(prot);
            if old != new {
                // Flushed even if it only gains rights: a stale NX would look like a forbidden
                // fetch, which PF-9 answers with SIGSEGV before the entry is looked at again.
                let had = slot.swap(slot.load().with_prot(prot));
                if had.is_present() {
                    gather.touch(page);
                }
            }
            true
        });
        gather.finish();
    }
}

fn checked_pages(len: u64) -> Result<u64, MapError> {
    match len.checked_next_multiple_of(PAGE_SIZE) {
        _ if len == 0 => Err(MapError::Invalid),
        Some(bytes) if bytes <= USER_END => Ok(bytes / PAGE_SIZE),
        _ => Err(MapError::NoMemory),
    }
}

/// The pages of `addr .. addr + len`, if `addr` is aligned and all of it is user space.
fn user_pages(addr: u64, len: u64) -> Option<PageRange> {
    let len = len.checked_next_multiple_of(PAGE_SIZE)?;
    let range = addr::user_range(addr, len)?;
    let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
    (start.page_offset() == 0).then(|| PageRange::new(start.page(), end.page()))
}

fn page_above(addr: u64) -> Page {
    VirtAddr::new(addr.next_multiple_of(PAGE_SIZE)).page()
}

/// Refuses a single private writable request that no machine this size could fill (VM-14, mode 0).
fn exceeds_memory(request: &MapRequest, pages: u64) -> bool {
    let charged = request.prot.contains(Prot::WRITE)
        && !request
            .flags
            .intersects(VmFlags::SHARED | VmFlags::NORESERVE);
    charged && pages > frame::total()
}

fn place(map: &AddressSpace, request: &MapRequest, pages: u64) -> Result<PageRange, MapError> {
    match request.kind {
        MapKind::Hint => place_freely(map, request.addr, pages).ok_or(MapError::NoMemory),
        kind => {
            let range = fixed_range(request.addr, pages)?;
            if kind == MapKind::FixedNoReplace && !map.vmas.is_free(range) {
                return Err(MapError::Exists);
            }
            if map.vmas.len() + map.vmas.splits_needed(range) >= MAX_MAP_COUNT {
                return Err(MapError::NoMemory);
            }
            Ok(range)
        }
    }
}

fn fixed_range(addr: u64, pages: u64) -> Result<PageRange, MapError> {
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(MapError::Invalid);
    }
    addr::user_range(addr, pages * PAGE_SIZE).ok_or(MapError::NoMemory)?;
    if addr < MMAP_MIN_ADDR {
        return Err(MapError::Permission);
    }
    PageRange::from_len(VirtAddr::new(addr).page(), pages).ok_or(MapError::NoMemory)
}

/// VM-4: the hint if it is free, else top-down below the stack's room, else anywhere above the floor.
fn place_freely(map: &AddressSpace, hint: u64, pages: u64) -> Option<PageRange> {
    hinted(map, hint, pages).or_else(|| {
        let floor = VirtAddr::new(MMAP_MIN_ADDR).page();
        let all = VirtAddr::new(USER_END).page();
        let start = map
            .vmas
            .find_gap(pages, floor, map.mmap_top())
            .or_else(|| map.vmas.find_gap(pages, floor, all))?;
        PageRange::from_len(start, pages)
    })
}

fn hinted(map: &AddressSpace, hint: u64, pages: u64) -> Option<PageRange> {
    let rounded = hint & !(PAGE_SIZE - 1);
    if rounded == 0 {
        return None;
    }
    let start = rounded.max(MMAP_MIN_ADDR);
    addr::user_range(start, pages * PAGE_SIZE)?;
    let range = PageRange::from_len(VirtAddr::new(start).page(), pages)?;
    map.vmas.hint_ok(range).then_some(range)
}

/// Grows the heap by `added`, unless something is in the way or too close (VM-9).
fn extend_heap(map: &mut AddressSpace, added: PageRange) -> bool {
    let clear = match map.vmas.find_from(added.start) {
        None => true,
        Some(next) => {
            let gap = if next.flags.contains(VmFlags::GROWSDOWN) {
                STACK_GUARD_GAP
            } else {
                0
            };
            added.end.number() + 1 + gap <= next.range.start.number()
        }
    };
    if !clear
        || !map.allows(added.len(), true)
        || added.len() > frame::total()
        || map.vmas.len() >= MAX_MAP_COUNT
    {
        return false;
    }
    let flags = VmFlags::HEAP.with_prot(Prot::READ | Prot::WRITE)
        | VmFlags::MAYREAD
        | VmFlags::MAYWRITE
        | VmFlags::MAYEXEC;
    map.vmas
        .insert(Vma {
            range: added,
            flags,
            backing: MapBacking::ANON.placed_at(added.start),
        })
        .is_ok()
}
