//! `mremap` (VM-11): which answers, and where the pages go.

use crate::locks;
use crate::model::{Data, Joined, Known, Lock, Model, PAGES, Page};
use crate::ops::Op;
use crate::plan::{Act, Arg, EFAULT, EINVAL, ENOMEM, Plan, Want, at, is_unsure};

const MAYMOVE: u64 = libc::MREMAP_MAYMOVE as u64;
const FIXED: u64 = libc::MREMAP_FIXED as u64;
const DONTUNMAP: u64 = libc::MREMAP_DONTUNMAP as u64;

fn call(page: usize, old: usize, new: usize, flags: u64, to: usize) -> Act {
    let sizes = [Arg::N(at(old)), Arg::N(at(new))];
    let args = [
        Arg::At(page),
        sizes[0],
        sizes[1],
        Arg::N(flags),
        Arg::At(to),
        Arg::N(0),
    ];
    Act::Call(libc::SYS_mremap, args)
}

fn overlap(page: usize, count: usize, other: usize, size: usize) -> bool {
    page < other + size && other < page + count
}

/// Gives the pages of a range, with the borders at its ends marked.
fn lift(model: &Model, page: usize, count: usize) -> Vec<Option<Page>> {
    let mut lifted = model.pages[page..page + count].to_vec();
    if let Some(Some(first)) = lifted.first_mut() {
        first.seam = true;
    }
    lifted
}

/// Adds the pages that a longer mapping has behind `count`.
fn lengthen(pages: &mut Vec<Option<Page>>, size: usize) {
    if let Some(Some(last)) = pages.last().copied() {
        let count = pages.len();
        pages.extend((count..size).map(|index| Some(last.grown(index + 1 - count))));
    }
}

fn put(model: &mut Model, to: usize, pages: &[Option<Page>]) {
    for (index, page) in pages.iter().enumerate() {
        model.pages[to + index] = *page;
    }
    model.seam(to);
    model.seam(to + pages.len());
}

/// Moves without a change of size, over several mappings if need be; what lies under the gaps stays.
pub(crate) fn move_only(model: &mut Model, op: &Op) -> Plan {
    let (page, count) = (op.page, op.count);
    let to = op.other.min(PAGES - count);
    let keep = op.dice & 3 == 0;
    let flags = MAYMOVE | FIXED | if keep { DONTUNMAP } else { 0 };
    let want = if overlap(page, count, to, count) {
        EINVAL
    } else if model.pages[page].is_none() {
        EFAULT
    } else {
        if keep && !unlock_whole(model, page, count, to) {
            return Vec::new();
        }
        for (index, slot) in lift(model, page, count).into_iter().enumerate() {
            let Some(slot) = slot else { continue };
            model.pages[to + index] = Some(slot);
            model.pages[page + index] = keep.then(|| left_behind(&slot));
            // What lies above either place may be another mapping.
            model.seam(to + index + 1);
            model.seam(page + index + 1);
        }
        model.seam(to);
        model.seam(page);
        at(to)
    };
    vec![(call(page, count, count, flags, to), Want::Is(want))]
}

/// DONTUNMAP unlocks the whole of each mapping it takes from, also what lies outside the range; false if nobody can say
/// how far they reach.
fn unlock_whole(model: &mut Model, page: usize, count: usize, to: usize) -> bool {
    // A new place inside the same mapping cuts it, and may be joined with what is left of it.
    let is_target = |at: usize| (to..to + count).contains(&at);
    let is_locked =
        |model: &Model, at: usize| model.pages[at].is_some_and(|page| page.lock != Lock::No);
    let mut outside = Vec::new();
    let mut low = page;
    while low > 0 && is_locked(model, low) {
        if is_target(low - 1) {
            return false;
        }
        match model.joined(low) {
            Joined::Yes => low -= 1,
            Joined::No => break,
            Joined::Unsure => return false,
        }
        outside.push(low);
    }
    let mut high = page + count;
    while high < PAGES && is_locked(model, high - 1) {
        if is_target(high) {
            return false;
        }
        match model.joined(high) {
            Joined::Yes => outside.push(high),
            Joined::No => break,
            Joined::Unsure => return false,
        }
        high += 1;
    }
    for at in outside {
        if let Some(page) = &mut model.pages[at] {
            page.lock = Lock::No;
        }
    }
    model.seam(low);
    model.seam(high);
    true
}

/// DONTUNMAP leaves the mapping, empty and no longer locked.
fn left_behind(page: &Page) -> Page {
    Page {
        data: Data::Fresh,
        guard: false,
        present: Known::No,
        lock: Lock::No,
        ..*page
    }
}

/// Grows a mapping and lets it move; what moved is brought back by a second call.
pub(crate) fn grow(model: &mut Model, op: &Op) -> Plan {
    let (page, count) = (op.page, op.count);
    let size = count + op.size;
    if page + size > PAGES {
        return Vec::new();
    }
    let to = op.other.min(PAGES - size);
    let one = model.in_one(page, count);
    if is_unsure(one) {
        return Vec::new();
    }
    let act = Act::Grow {
        page,
        count,
        size,
        to,
    };
    if one == Joined::No {
        return vec![(act, Want::Is(EFAULT))];
    }
    let mut pages = lift(model, page, count);
    lengthen(&mut pages, size);
    if model.is_free(page + count, op.size) {
        put(model, page, &pages);
        fill_growth(model, page, count, size);
        return vec![(act, Want::Is(at(page)))];
    }
    model.unmap(page, count);
    model.unmap(to, size);
    put(model, to, &pages);
    fill_growth(model, to, count, size);
    vec![(act, Want::Is(at(to)))]
}

/// Locked memory is filled where it grew.
fn fill_growth(model: &mut Model, page: usize, count: usize, size: usize) {
    if model.pages[page].is_some_and(|page| page.lock != Lock::No) {
        let _ = locks::populate(model, page + count, size - count);
    }
}

/// Grows a mapping that may not move.
pub(crate) fn grow_in_place(model: &mut Model, op: &Op) -> Plan {
    let (page, count) = (op.page, op.count);
    let size = count + op.size;
    let one = model.in_one(page, count);
    if page + size > PAGES || is_unsure(one) {
        return Vec::new();
    }
    let want = if one == Joined::No {
        EFAULT
    } else if model.is_free(page + count, op.size) {
        let mut pages = lift(model, page, count);
        lengthen(&mut pages, size);
        put(model, page, &pages);
        fill_growth(model, page, count, size);
        at(page)
    } else {
        ENOMEM
    };
    vec![(call(page, count, size, 0, 0), Want::Is(want))]
}

/// Shrinks in place: the tail is unmapped, whatever it is.
pub(crate) fn shrink(model: &mut Model, op: &Op) -> Plan {
    let (page, count) = (op.page, op.count);
    let size = 1 + op.dice as usize % count;
    let want = if model.pages[page].is_none() {
        EFAULT
    } else {
        model.unmap(page + size, count - size);
        at(page)
    };
    vec![(
        call(page, count, size, op.dice >> 9 & MAYMOVE, 0),
        Want::Is(want),
    )]
}

/// Moves to a fixed place with another size.
pub(crate) fn resize(model: &mut Model, op: &Op) -> Plan {
    let (page, count, size) = (op.page, op.count, op.size);
    let to = op.other.min(PAGES - size);
    if count == size {
        return Vec::new();
    }
    let one = model.in_one(page, count.min(size));
    let want = if overlap(page, count, to, size) {
        EINVAL
    } else if is_unsure(one) {
        return Vec::new();
    } else if one == Joined::No {
        EFAULT
    } else {
        let mut pages = lift(model, page, count.min(size));
        lengthen(&mut pages, size);
        model.unmap(page, count);
        put(model, to, &pages);
        if size > count {
            fill_growth(model, to, count, size);
        }
        at(to)
    };
    vec![(call(page, count, size, MAYMOVE | FIXED, to), Want::Is(want))]
}

/// An old size of nothing maps shared memory a second time.
pub(crate) fn duplicate(model: &mut Model, op: &Op) -> Plan {
    let (page, size) = (op.page, op.size);
    let to = op.other.min(PAGES - size);
    if to == page {
        return Vec::new();
    }
    let source = model.pages[page];
    let want = if to < page && page < to + size {
        EINVAL
    } else if let Some(source) = source {
        if source.is_private() {
            EINVAL
        } else {
            let first = Page {
                seam: true,
                ..source.grown(0)
            };
            let mut pages = vec![Some(first)];
            lengthen(&mut pages, size);
            put(model, to, &pages);
            fill_growth(model, to, 0, size);
            at(to)
        }
    } else {
        EFAULT
    };
    vec![(call(page, 0, size, MAYMOVE | FIXED, to), Want::Is(want))]
}

/// Requests that are refused whatever is mapped.
pub(crate) fn bad(op: &Op) -> Plan {
    let (page, count) = (op.page, op.count);
    let to = op.other;
    let (old, new, flags) = match op.dice % 5 {
        0 => (count, 0, MAYMOVE),
        1 => (count, count, 8),
        2 => (count, count, FIXED),
        3 => (count, count + 1, MAYMOVE | DONTUNMAP),
        _ => (count, count, DONTUNMAP),
    };
    vec![(call(page, old, new, flags, to), Want::Is(EINVAL))]
}
