//! Where a mapping goes: the checks of addresses and lengths, and the choice of a free place (VM-4).

use addr::{MMAP_MIN_ADDR, PAGE_SIZE, Page, PageRange, USER_END, VirtAddr};
use vma::{STACK_GUARD_GAP, VmFlags};

use super::mm_struct::AddressSpace;
use super::mmap::{MapError, MapKind, MapRequest};

/// `MAP_32BIT`: the second GiB.
const LOW: (u64, u64) = (1 << 30, 1 << 31);

/// Every page that user space may have.
pub const ALL_USER: PageRange = PageRange {
    start: Page::new(0),
    end: Page::new(USER_END / PAGE_SIZE),
};

/// Rounds a length up to pages.
pub(super) fn checked_pages(len: u64) -> Result<u64, MapError> {
    match len.checked_next_multiple_of(PAGE_SIZE) {
        _ if len == 0 => Err(MapError::Invalid),
        Some(bytes) if bytes <= USER_END => Ok(bytes / PAGE_SIZE),
        _ => Err(MapError::NoMemory),
    }
}

/// The pages of `addr .. addr + len`, if `addr` is aligned and all of it is user space.
pub fn user_pages(addr: u64, len: u64) -> Option<PageRange> {
    let len = len.checked_next_multiple_of(PAGE_SIZE)?;
    let range = addr::user_range(addr, len)?;
    let (start, end) = (VirtAddr::new(range.start), VirtAddr::new(range.end));
    (start.page_offset() == 0).then(|| PageRange::new(start.page(), end.page()))
}

/// The first page boundary at or above `addr`.
pub(super) fn page_above(addr: u64) -> Page {
    VirtAddr::new(addr.next_multiple_of(PAGE_SIZE)).page()
}

/// Chooses the place for `request`, which has `pages` pages.
pub(super) fn place(
    map: &AddressSpace,
    request: &MapRequest,
    pages: u64,
) -> Result<PageRange, MapError> {
    match request.kind {
        MapKind::Hint => free_place(map, request.addr, pages).ok_or(MapError::NoMemory),
        MapKind::Low => low_place(map, request.addr, pages).ok_or(MapError::NoMemory),
        kind => {
            let range = fixed_range(request.addr, pages)?;
            if kind == MapKind::FixedNoReplace && !map.vmas.is_free(range) {
                return Err(MapError::Exists);
            }
            Ok(range)
        }
    }
}

/// Exactly there. Low addresses are allowed, as to whoever has CAP_SYS_RAWIO (VM-15).
fn fixed_range(addr: u64, pages: u64) -> Result<PageRange, MapError> {
    addr::user_range(addr, pages * PAGE_SIZE).ok_or(MapError::NoMemory)?;
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(MapError::Invalid);
    }
    PageRange::from_len(VirtAddr::new(addr).page(), pages).ok_or(MapError::NoMemory)
}

/// VM-4: the hint if it is free, else top-down below the stack's room, else bottom-up from a third of user space on.
pub(super) fn free_place(map: &AddressSpace, hint: u64, pages: u64) -> Option<PageRange> {
    hinted(map, hint, pages, USER_END).or_else(|| {
        let floor = VirtAddr::new(MMAP_MIN_ADDR).page();
        let start = map
            .vmas
            .find_gap(pages, floor, map.mmap_top())
            .or_else(|| lowest_gap(map, pages))?;
        PageRange::from_len(start, pages)
    })
}

/// The last resort, where nothing below the stack's room is large enough: the lowest gap that is. Looks at one
/// mapping after the other, for a program that has used up terabytes.
fn lowest_gap(map: &AddressSpace, pages: u64) -> Option<Page> {
    let all = PageRange::new(page_above(USER_END / 3), VirtAddr::new(USER_END).page());
    let mut at = all.start.number();
    for vma in map.vmas.overlapping(all) {
        let kept = match vma.flags.contains(VmFlags::GROWSDOWN) {
            true => STACK_GUARD_GAP,
            false => 0,
        };
        if at + pages + kept <= vma.range.start.number() {
            return Some(Page::new(at));
        }
        at = vma.range.end.number();
    }
    (at + pages <= all.end.number()).then(|| Page::new(at))
}

fn low_place(map: &AddressSpace, hint: u64, pages: u64) -> Option<PageRange> {
    hinted(map, hint, pages, LOW.1).or_else(|| {
        let (floor, ceiling) = (VirtAddr::new(LOW.0).page(), VirtAddr::new(LOW.1).page());
        PageRange::from_len(map.vmas.find_gap(pages, floor, ceiling)?, pages)
    })
}

fn hinted(map: &AddressSpace, hint: u64, pages: u64, end: u64) -> Option<PageRange> {
    let rounded = hint & !(PAGE_SIZE - 1);
    if rounded == 0 {
        return None;
    }
    let start = rounded.max(MMAP_MIN_ADDR);
    let bytes = addr::user_range(start, pages * PAGE_SIZE)?;
    if bytes.end > end {
        return None;
    }
    let range = PageRange::from_len(VirtAddr::new(start).page(), pages)?;
    map.vmas.hint_ok(range).then_some(range)
}
