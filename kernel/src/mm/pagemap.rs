//! `/proc/PID/pagemap`: one word for each page of an address space, with Linux's bits.

use addr::{Page, PageRange, USER_END, VirtAddr};
use pte::Pte;

use super::Mm;
use super::rss::{self, Kind};

/// The page is in memory.
const PRESENT: u64 = 1 << 63;
/// There is something else than a page.
const SWAPPED: u64 = 1 << 62;
/// It is a file's, or shared anonymous memory.
const FILE: u64 = 1 << 61;
/// It is a guard marker.
const GUARD: u64 = 1 << 58;
/// Nobody else maps it.
const EXCLUSIVE: u64 = 1 << 56;

impl Mm {
    /// Fills `out` with the words of the pages from number `first` on, and returns how many these are:
    /// none beyond the user half. Takes mmap_lock for reading.
    pub fn page_words(&self, first: u64, out: &mut [u64]) -> usize {
        let end = VirtAddr::new(USER_END).page().number();
        let len = (out.len() as u64).min(end.saturating_sub(first));
        let out = &mut out[..len as usize];
        out.fill(0);
        if len > 0 {
            let _map = self.map.read();
            let pages = PageRange::new(Page::new(first), Page::new(first + len));
            self.tables.lock().read(pages, |page, pte, _| {
                out[(page.number() - first) as usize] = word(pte);
            });
        }
        out.len()
    }
}

fn word(pte: Pte) -> u64 {
    if pte.is_guard() {
        return SWAPPED | GUARD;
    }
    let number = pte.frame().number() | PRESENT;
    match rss::kind(pte) {
        // The zero page.
        None => number,
        Some(kind) => {
            let file = if kind == Kind::Anon { 0 } else { FILE };
            let exclusive = match rss::mappings(pte, kind) {
                0 | 1 => EXCLUSIVE,
                _ => 0,
            };
            number | file | exclusive
        }
    }
}
