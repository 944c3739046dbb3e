//! mmap and munmap.
//!
//! Both run under mmap_lock for writing. What happens to VMAs is planned by the pure crate `vma`;
//! page tables follow through a gather, so that nothing is freed before the flush.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use addr::PageRange;
use pte::Prot;
use vma::{VmFlags, Vma};

use super::backing::MapBacking;
use super::mm_struct::{AddressSpace, MapGuard, is_data};
use super::place::{self, user_pages};
use super::{Mm, commit, frame, zap};

/// The most mappings an address space may have unless `/proc/sys/vm/max_map_count` says otherwise.
const DEFAULT_MAX_MAP_COUNT: u64 = 65530;

static MAX_MAP_COUNT: AtomicU64 = AtomicU64::new(DEFAULT_MAX_MAP_COUNT);

/// Returns how many mappings one address space may have.
pub fn max_map_count() -> usize {
    MAX_MAP_COUNT.load(Relaxed) as usize
}

/// Sets how many mappings one address space may have; who has more keeps them.
pub fn set_max_map_count(count: u32) {
    MAX_MAP_COUNT.store(count.into(), Relaxed);
}

/// How the address of a mapping is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapKind {
    /// Exactly there, replacing what is there (VM-5).
    Fixed,
    /// Exactly there, or fail.
    FixedNoReplace,
    /// There if it is free, else wherever there is room (VM-4).
    Hint,
    /// As `Hint`, but below 2 GiB.
    Low,
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
    /// Whether its pages are brought in at once (`MAP_POPULATE`); locked ones are anyway.
    pub populate: bool,
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
    /// It would be locked in memory, and too much is already.
    TooMuchLocked,
}

/// Why an unmapping was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnmapError {
    /// Unaligned, empty or above the limit.
    Invalid,
    /// It would split a mapping, and there are too many already.
    TooMany,
}

impl Mm {
    /// Maps what `request` says and returns where. A request to bring the pages in is a wish: that
    /// it fails is not told.
    pub fn map(&self, request: &MapRequest) -> Result<u64, MapError> {
        let pages = place::checked_pages(request.len)?;
        let mut map = self.map.write();
        let (range, flags) = self.map_locked(&mut map, request, pages)?;
        drop(map);
        let locked = flags.contains(VmFlags::LOCKED) && !flags.contains(VmFlags::LOCKONFAULT);
        if request.populate || locked {
            let _ = self.populate_as_locked(range);
        }
        Ok(range.start.start().as_u64())
    }

    /// The part of `map` under mmap_lock: all checks first, then the change, which cannot fail.
    fn map_locked(
        &self,
        map: &mut MapGuard<'_>,
        request: &MapRequest,
        pages: u64,
    ) -> Result<(PageRange, VmFlags), MapError> {
        if !map.has_room_for_mapping() || !frame::can_spare(1) {
            return Err(MapError::NoMemory);
        }
        let range = place::place(map, request, pages)?;
        if !map.has_room_for(map.splits_of_unmap(range)) {
            return Err(MapError::NoMemory);
        }
        let mut flags = (request.flags | map.lock_flags).with_prot(request.prot);
        flags.set(VmFlags::ACCOUNT, commit::is_charged(flags));
        if flags.contains(VmFlags::LOCKED) && !map.allows_locked(pages) {
            return Err(MapError::TooMuchLocked);
        }
        if !map.allows_instead(range, is_data(flags)) {
            return Err(MapError::NoMemory);
        }
        if flags.contains(VmFlags::ACCOUNT) {
            commit::charge(pages).map_err(|_| MapError::NoMemory)?;
        }
        self.unhook(map, range);
        let backing = request.backing.clone().placed_at(range.start);
        if let Some(source) = backing.source() {
            source.mappings().add(self);
        }
        let vma = Vma {
            range,
            flags,
            backing,
        };
        map.vmas
            .insert(vma)
            .expect("a range that was just cleared is free");
        Ok((range, flags))
    }

    /// Unmaps `len` bytes from `addr` on; holes are fine (VM-8).
    pub fn unmap(&self, addr: u64, len: u64) -> Result<(), UnmapError> {
        let range = user_pages(addr, len)
            .filter(|range| !range.is_empty())
            .ok_or(UnmapError::Invalid)?;
        let mut map = self.map.write();
        if !map.has_room_for(map.splits_of_unmap(range)) {
            return Err(UnmapError::TooMany);
        }
        self.unhook(&mut map, range);
        Ok(())
    }

    /// Takes every mapping and every page out of `range`, and the charge for them back.
    ///
    /// Pages go when no mapping has them any more: faults elsewhere go on meanwhile, and those in `range` wait.
    pub(super) fn unhook(&self, map: &mut MapGuard<'_>, range: PageRange) {
        if map.vmas.is_free(range) {
            return;
        }
        self.note_vm_peak(map);
        let charged = map.vmas.totals().account;
        map.vmas.unmap_each(range, drop);
        commit::uncharge(charged - map.vmas.totals().account);
        map.opened(|_| zap::zap_pages(self, range));
    }
}

impl AddressSpace {
    /// Whether one mapping may be added. The limit is what this asks for, not what it leaves: there may be one more
    /// (VM-1), which cannot be split off from another.
    pub(super) fn has_room_for_mapping(&self) -> bool {
        self.vmas.len() <= max_map_count()
    }

    /// Whether `added` mappings more are allowed by splits.
    pub(super) fn has_room_for(&self, added: usize) -> bool {
        added == 0 || self.vmas.len() + added <= max_map_count()
    }

    /// How many mappings more there are when `range` has been taken out: one, if it lies inside one.
    pub(super) fn splits_of_unmap(&self, range: PageRange) -> usize {
        usize::from(
            self.vmas.splits_needed(range) == 2 && self.vmas.overlapping(range).count() == 1,
        )
    }

    /// Whether every page of `range` is mapped.
    pub(super) fn covers(&self, range: PageRange) -> bool {
        let parts = self
            .vmas
            .overlapping(range)
            .filter_map(|vma| vma.range.intersection(&range));
        parts.map(|part| part.len()).sum::<u64>() == range.len()
    }
}
