//! Fault-around: a read of a file page also maps the neighbours that are in memory already (HF-14).
//!
//! The window is 64 KiB, aligned, cut to the VMA. Only empty entries of a table that exists are
//! filled, read-only, and nothing is read in for it: it costs no sleep and cannot fail.

use addr::{Frame, Page, PageRange};
use arrayvec::ArrayVec;
use pte::PteFlags;
use vma::Vma;

use super::backing::MapBacking;
use super::counters::FAULT_AROUND;
use super::fault::leaf;
use super::{Mm, frame, rss};

/// Pages of the window, a power of two.
const WINDOW: u64 = 16;

/// Maps what is cached around `page`, which was just mapped itself; within the same peek, or under the same mmap_lock.
pub(super) fn map_around(mm: &Mm, vma: &Vma<MapBacking>, page: Page) {
    let MapBacking::File {
        source,
        page: first,
    } = &vma.backing
    else {
        return;
    };
    let start = page.number() & !(WINDOW - 1);
    let window = PageRange::new(Page::new(start), Page::new(start + WINDOW));
    let Some(window) = window.intersection(&vma.range) else {
        return;
    };
    let below = vma.range.start.number();
    let indices = first + (window.start.number() - below)..first + (window.end.number() - below);
    let base = indices.start;
    // Looked up before the page-table lock is taken: the source has a lock of its own.
    let mut cached = ArrayVec::<(u64, Frame), { WINDOW as usize }>::new();
    source.cached_in(indices, &mut |index, frame| cached.push((index, frame)));
    // Not accessed yet: the program has not asked for it.
    let entry = |frame| leaf(frame, vma, PteFlags::empty(), false).mkold();
    // All frames of a source count as the same.
    let kind = cached
        .first()
        .and_then(|(_, frame)| rss::kind(entry(*frame)));
    let tables = mm.tables.entries(page);
    let here = tables.small_slot(page);
    let mut mapped = 0;
    for (index, frame) in cached {
        let near = Page::new(window.start.number() + (index - base));
        let slot = here.map(|slot| slot.sibling(near));
        match slot.filter(|slot| slot.load().is_none()) {
            Some(slot) => {
                slot.swap(entry(frame));
                mapped += 1;
            }
            None => frame::put(frame),
        }
    }
    if let Some(kind) = kind {
        mm.tables.rss(page).add(kind, mapped);
    }
    FAULT_AROUND.add(mapped);
}
