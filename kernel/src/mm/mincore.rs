//! mincore: which pages are in memory.

use addr::{Page, PageRange};
use vma::Vma;

use super::backing::MapBacking;
use super::pgtable::Tables;
use super::{Mm, frame};

/// Something in the range is not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotMapped;

impl Mm {
    /// Sets `out[i]` to 1 where page `start + i` is in memory, else to 0, and returns how many pages
    /// that were: all of `out`, or those of the first mapping.
    pub fn residency(&self, start: Page, out: &mut [u8]) -> Result<usize, NotMapped> {
        let map = self.map.read();
        let vma = map.vmas.find(start).ok_or(NotMapped)?;
        let end = Page::new(start.number() + out.len() as u64).min(vma.range.end);
        let pages = PageRange::new(start, end);
        for (page, out) in pages.iter().zip(&mut *out) {
            let mapped = is_mapped(&self.tables.lock(), page);
            *out = (mapped || is_cached(vma, page)).into();
        }
        Ok(pages.len() as usize)
    }
}

fn is_mapped(tables: &Tables, page: Page) -> bool {
    let pte = tables.pte(page);
    !pte.is_none() && !pte.is_guard()
}

/// A page that is not mapped counts if its file has it.
fn is_cached(vma: &Vma<MapBacking>, page: Page) -> bool {
    let MapBacking::File {
        source,
        page: first,
    } = &vma.backing
    else {
        return false;
    };
    let index = first + (page.number() - vma.range.start.number());
    source.cached(index).map(frame::put).is_some()
}
