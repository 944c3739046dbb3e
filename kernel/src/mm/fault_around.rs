//! Fault-around: a read of a file page also maps the neighbours that are in memory already (HF-14).
//!
//! The window is 64 KiB, aligned, cut to the VMA. Only empty entries of a table that exists are
//! filled, read-only, and nothing is read in for it: it costs no sleep and cannot fail.

use addr::{Frame, Page, PageRange};
use arrayvec::ArrayVec;
use pte::PteFlags;
use vma::Vma;

use super::Mm;
use super::backing::MapBacking;
use super::counters::FAULT_AROUND;
use super::fault::leaf;
use super::frame;

/// Pages of the window, a power of two.
const WINDOW: u64 = 16;

/// Maps what is cached around `page`, which was just mapped itself; mmap_lock is held.
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
    // Looked up before the page-table lock is taken: the source has a lock of its own.
    let mut cached = ArrayVec::<(Page, Frame), { WINDOW as usize }>::new();
    for near in window {
        let index = first + (near.number() - vma.range.start.number());
        if let Some(frame) = source.cached(index) {
            cached.push((near, frame));
        }
    }
    let tables = mm.tables.lock();
    for (near, frame) in cached {
        match tables.find(near).filter(|slot| slot.load().is_none()) {
            Some(slot) => {
                // Not accessed yet: the program has not asked for it.
                let new = leaf(frame, vma, PteFlags::empty(), false).mkold();
                slot.swap(new);
                mm.rss.charge(new);
                FAULT_AROUND.inc();
            }
            None => frame::put(frame),
        }
    }
}
