//! mremap: other lengths and other places for what is mapped (VM-11).
//!
//! Pages are moved, not copied: their PTEs change place with the bits they have. The VMA of the new
//! place is there before that of the old one goes, and mmap_lock is held throughout.

use addr::{PAGE_SIZE, Page, PageRange, USER_END, VirtAddr};
use vma::{VmFlags, Vma};

use super::backing::MapBacking;
use super::mlock::LOCK;
use super::mm_struct::{AddressSpace, MapGuard, is_data};
use super::place::{free_place, user_pages};
use super::{Mm, commit, frame, move_pages};

/// What is asked for. Lengths are in bytes and not rounded yet.
#[derive(Clone, Copy, Debug)]
pub struct RemapRequest {
    /// Where the old mapping is.
    pub addr: u64,
    /// How long its part in question is; 0 makes a second mapping of a shared one.
    pub old_len: u64,
    /// How long it is to be.
    pub new_len: u64,
    /// Whether it may go elsewhere.
    pub may_move: bool,
    /// Whether it goes exactly to `new_addr`, replacing what is there.
    pub fixed: bool,
    /// Whether the old mapping stays, empty.
    pub dont_unmap: bool,
    /// The place, if `fixed`; a hint, if only `dont_unmap`.
    pub new_addr: u64,
}

/// Why nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemapError {
    /// The arguments contradict each other or the mapping.
    Invalid,
    /// The old range is not one mapping.
    Fault,
    /// No room, or against a limit.
    NoMemory,
    /// It would be locked in memory, and too much is already.
    TooMuchLocked,
}

/// Where the mapping is now, and what of it is to be brought in.
type Remapped = (Page, Option<PageRange>);

/// The request in pages, with its own contradictions sorted out.
struct Plan {
    old: Page,
    old_pages: u64,
    new_pages: u64,
    /// Whether `new_addr` matters.
    places: bool,
}

impl Mm {
    /// Resizes or moves a mapping and returns where it is.
    pub fn remap(&self, request: &RemapRequest) -> Result<u64, RemapError> {
        let plan = check(request)?;
        let mut map = self.map.write();
        let (start, populate) = match plan.places {
            true => self.remap_to(&mut map, request, &plan)?,
            false => self.resize(&mut map, request, &plan)?,
        };
        drop(map);
        if let Some(added) = populate {
            let _ = self.populate_as_locked(added);
        }
        Ok(start.start().as_u64())
    }

    /// Without a place of its own: shrink, grow where it is, or move to wherever there is room.
    fn resize(
        &self,
        map: &mut MapGuard<'_>,
        request: &RemapRequest,
        plan: &Plan,
    ) -> Result<Remapped, RemapError> {
        let vma = find(map, plan)?;
        if plan.old_pages >= plan.new_pages {
            self.cut_tail(map, plan)?;
            return Ok((plan.old, None));
        }
        let piece = checked_growth(map, &vma, plan)?;
        let grown = PageRange::from_len(plan.old, plan.new_pages).ok_or(RemapError::NoMemory)?;
        let added = PageRange::new(piece.end, grown.end);
        if !piece.is_empty() && piece.end == vma.range.end && is_room(map, added) {
            charge(&vma, added.len())?;
            map.vmas.resize_end(vma.range.start, grown.end);
            return Ok((plan.old, locked(&vma, added)));
        }
        if !request.may_move {
            return Err(RemapError::NoMemory);
        }
        let place = free_place(map, 0, plan.new_pages).ok_or(RemapError::NoMemory)?;
        self.move_mapping(map, &vma, piece, place, false)?;
        Ok(moved(&vma, piece, place))
    }

    /// To a place that the caller names, or with the old mapping staying behind.
    fn remap_to(
        &self,
        map: &mut MapGuard<'_>,
        request: &RemapRequest,
        plan: &Plan,
    ) -> Result<Remapped, RemapError> {
        let vma = find(map, plan)?;
        if map.vmas.len() + 5 >= super::mmap::max_map_count() {
            return Err(RemapError::NoMemory);
        }
        let is_move = plan.old_pages == plan.new_pages;
        if is_move && request.fixed && plan.old_pages > vma.range.end.number() - plan.old.number() {
            return self.move_several(map, request, plan);
        }
        let piece = match plan.new_pages.cmp(&plan.old_pages) {
            core::cmp::Ordering::Greater => checked_growth(map, &vma, plan)?,
            _ => checked_piece(&vma, plan)?,
        };
        let place = match request.fixed {
            true => user_pages(request.new_addr, plan.new_pages * PAGE_SIZE)
                .ok_or(RemapError::Invalid)?,
            false => {
                free_place(map, request.new_addr, plan.new_pages).ok_or(RemapError::NoMemory)?
            }
        };
        self.unhook(map, place);
        // A second mapping may have been asked for in the place of the first.
        if map.vmas.find(plan.old).is_none() {
            return Err(RemapError::Fault);
        }
        self.cut_tail(map, plan)?;
        self.move_mapping(map, &vma, piece, place, request.dont_unmap)?;
        Ok(moved(&vma, piece, place))
    }

    /// A range of several mappings, moved without a change of size; holes stay holes.
    fn move_several(
        &self,
        map: &mut MapGuard<'_>,
        request: &RemapRequest,
        plan: &Plan,
    ) -> Result<Remapped, RemapError> {
        let to =
            user_pages(request.new_addr, plan.new_pages * PAGE_SIZE).ok_or(RemapError::Invalid)?;
        let whole = PageRange::from_len(plan.old, plan.old_pages).ok_or(RemapError::Invalid)?;
        let mut rest = whole;
        while let Some(vma) = map.vmas.find_from(rest.start).cloned()
            && let Some(piece) = vma.range.intersection(&rest)
        {
            let offset = piece.start.number() - whole.start.number();
            let place = PageRange::from_len(Page::new(to.start.number() + offset), piece.len())
                .ok_or(RemapError::Invalid)?;
            self.unhook(map, place);
            self.move_mapping(map, &vma, piece, place, request.dont_unmap)?;
            rest = PageRange::new(piece.end, whole.end);
        }
        Ok((to.start, None))
    }

    /// Unmaps what the old range has beyond the new length.
    fn cut_tail(&self, map: &mut MapGuard<'_>, plan: &Plan) -> Result<(), RemapError> {
        if plan.old_pages <= plan.new_pages {
            return Ok(());
        }
        let start = (plan.old.number() + plan.new_pages) * PAGE_SIZE;
        let len = (plan.old_pages - plan.new_pages) * PAGE_SIZE;
        let tail = user_pages(start, len).ok_or(RemapError::Invalid)?;
        if !map.has_room_for(map.splits_of_unmap(tail)) {
            return Err(RemapError::NoMemory);
        }
        self.unhook(map, tail);
        Ok(())
    }

    /// Makes `piece` of `vma` appear at `place`, which is free. All checks are done but the charge
    /// and the page tables.
    fn move_mapping(
        &self,
        map: &mut MapGuard<'_>,
        vma: &Vma<MapBacking>,
        piece: PageRange,
        place: PageRange,
        keep_old: bool,
    ) -> Result<(), RemapError> {
        if !map.has_room_for(4) || !frame::can_spare(1) {
            return Err(RemapError::NoMemory);
        }
        if keep_old && !map.allows(place.len(), is_data(vma.flags)) {
            return Err(RemapError::NoMemory);
        }
        charge(vma, place.len())?;
        if move_pages::move_pages(self, piece, place.start).is_err() {
            uncharge(vma, place.len());
            return Err(RemapError::NoMemory);
        }
        let offset = piece.start.number() - vma.range.start.number();
        let moved = Vma {
            range: place,
            flags: vma.flags - (VmFlags::STACK | VmFlags::HEAP),
            backing: vma::Backing::advance(&vma.backing, offset),
        };
        // All of what the mapping is by now, not just the piece, is no longer locked.
        let whole = map.vmas.find(piece.start).map_or(piece, |old| old.range);
        map.vmas.insert(moved).expect("the new place is free");
        if keep_old {
            map.vmas.change_flags(whole, |old| old.flags - LOCK);
        } else if !piece.is_empty() {
            self.unhook(map, piece);
        }
        Ok(())
    }
}

/// What can be said without looking at the mappings, in Linux's order.
fn check(request: &RemapRequest) -> Result<Plan, RemapError> {
    let round = |len: u64| len.checked_next_multiple_of(PAGE_SIZE).unwrap_or(0) / PAGE_SIZE;
    let (old_pages, new_pages) = (round(request.old_len), round(request.new_len));
    let is_aligned = request.addr.is_multiple_of(PAGE_SIZE);
    if !is_aligned || new_pages == 0 || new_pages > USER_END / PAGE_SIZE {
        return Err(RemapError::Invalid);
    }
    let places = request.fixed || request.dont_unmap;
    if places {
        let new_bytes = new_pages * PAGE_SIZE;
        let fits =
            request.new_addr.is_multiple_of(PAGE_SIZE) && request.new_addr <= USER_END - new_bytes;
        let same_size = !request.dont_unmap || old_pages == new_pages;
        if !fits || !request.may_move || !same_size || overlaps(request, old_pages, new_bytes) {
            return Err(RemapError::Invalid);
        }
    }
    Ok(Plan {
        old: VirtAddr::new(request.addr).page(),
        old_pages,
        new_pages,
        places,
    })
}

fn overlaps(request: &RemapRequest, old_pages: u64, new_bytes: u64) -> bool {
    let old_end = request
        .addr
        .saturating_add(old_pages.saturating_mul(PAGE_SIZE));
    old_end > request.new_addr && request.new_addr + new_bytes > request.addr
}

/// The mapping at the old address; only a shared one can be mapped a second time.
fn find(map: &AddressSpace, plan: &Plan) -> Result<Vma<MapBacking>, RemapError> {
    if !VirtAddr::new(plan.old.start().as_u64()).is_user() {
        return Err(RemapError::Fault);
    }
    let vma = map.vmas.find(plan.old).ok_or(RemapError::Fault)?;
    if plan.old_pages == 0 && !vma.flags.contains(VmFlags::SHARED) {
        return Err(RemapError::Invalid);
    }
    Ok(vma.clone())
}

/// The old pages that stay, which have to lie in one mapping.
fn checked_piece(vma: &Vma<MapBacking>, plan: &Plan) -> Result<PageRange, RemapError> {
    // What is cut off may be anything.
    PageRange::from_len(plan.old, plan.old_pages.min(plan.new_pages))
        .filter(|piece| vma.range.contains_range(piece))
        .ok_or(RemapError::Fault)
}

/// As [`checked_piece`], for a mapping that becomes longer: the limits have to allow it.
fn checked_growth(
    map: &AddressSpace,
    vma: &Vma<MapBacking>,
    plan: &Plan,
) -> Result<PageRange, RemapError> {
    let piece = checked_piece(vma, plan)?;
    let added = plan.new_pages - plan.old_pages;
    if vma.flags.contains(VmFlags::LOCKED) && !map.allows_locked(added) {
        return Err(RemapError::TooMuchLocked);
    }
    if !map.allows(added, is_data(vma.flags)) {
        return Err(RemapError::NoMemory);
    }
    Ok(piece)
}

/// The outcome where `piece` of `vma` has become `place`.
fn moved(vma: &Vma<MapBacking>, piece: PageRange, place: PageRange) -> Remapped {
    let added = PageRange::new(Page::new(place.start.number() + piece.len()), place.end);
    (place.start, locked(vma, added))
}

fn is_room(map: &AddressSpace, added: PageRange) -> bool {
    added.end.start().as_u64() <= USER_END && map.vmas.is_free(added)
}

fn charge(vma: &Vma<MapBacking>, pages: u64) -> Result<(), RemapError> {
    match vma.flags.contains(VmFlags::ACCOUNT) {
        true => commit::charge(pages).map_err(|_| RemapError::NoMemory),
        false => Ok(()),
    }
}

fn uncharge(vma: &Vma<MapBacking>, pages: u64) {
    if vma.flags.contains(VmFlags::ACCOUNT) {
        commit::uncharge(pages);
    }
}

/// What has to be brought in because the mapping is locked.
fn locked(vma: &Vma<MapBacking>, added: PageRange) -> Option<PageRange> {
    let at_once = vma.flags.contains(VmFlags::LOCKED) && !vma.flags.contains(VmFlags::LOCKONFAULT);
    (at_once && !added.is_empty()).then_some(added)
}
