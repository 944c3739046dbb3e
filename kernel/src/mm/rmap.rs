//! The way back: from a source to the page tables that show its pages.
//!
//! A source remembers the address spaces that map it, not where: who wants its pages gone looks
//! through their VMAs. An mm is noted when it gets such a VMA and forgotten when its user memory ends.
//!
//! A page is taken away in this order: the source forgets it, so that no fault finds it any more; then
//! [`unmap_pages`] takes each mmap_lock for writing, which waits for the faults that had found it
//! before, and removes their PTEs; then the source drops its reference.

use alloc::collections::BTreeMap;
use alloc::sync::Weak;
use core::ops::Range;

use addr::{Page, PageRange};
use vma::{VmFlags, Vma};

use super::backing::{MapBacking, PageSource};
use super::mm_struct::{MmUserRef, UserMemory};
use super::{Mm, zap};
use crate::locks::{SpinLock, rank};

/// The address spaces that map a source.
pub struct Mappings {
    users: SpinLock<BTreeMap<u64, Weak<UserMemory>>, { rank::MAPPINGS }>,
}

impl Default for Mappings {
    fn default() -> Self {
        Self::new()
    }
}

impl Mappings {
    /// Nobody maps it.
    pub const fn new() -> Self {
        Self {
            users: SpinLock::new(BTreeMap::new()),
        }
    }

    /// Notes that `mm` has, or is about to have, a VMA of the source.
    pub(super) fn add(&self, mm: &Mm) {
        if let Some(user) = mm.weak_user() {
            self.users.lock().insert(mm.id().as_u64(), user);
        }
    }

    /// Forgets `mm`, whose user memory is going.
    pub(super) fn remove(&self, mm: &Mm) {
        self.users.lock().remove(&mm.id().as_u64());
    }

    /// Calls `each` for every address space that may map the source, with no lock held.
    fn for_each(&self, mut each: impl FnMut(&MmUserRef)) {
        let mut after = 0;
        while let Some((id, user)) = self.next(after) {
            after = id;
            if let Some(user) = user.upgrade() {
                each(&MmUserRef::from_memory(user));
            }
        }
    }

    fn next(&self, after: u64) -> Option<(u64, Weak<UserMemory>)> {
        let users = self.users.lock();
        let (id, user) = users.range(after + 1..).next()?;
        Some((*id, user.clone()))
    }
}

/// Which PTEs of a file's mappings are removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Those that show the file's own pages.
    FilePages,
    /// Those that show copies made by private mappings as well: the file has become shorter (HF-13).
    CopiesToo,
}

/// Removes the PTEs of the pages `pages` of `source` from every address space.
///
/// Takes each mmap_lock for writing: the caller holds no lock and is in process context.
pub fn unmap_pages(source: &dyn PageSource, pages: Range<u64>, scope: Scope) {
    source.mappings().for_each(|mm| {
        let map = mm.map.write();
        for vma in map.vmas.iter() {
            if let Some(range) = shown(vma, source, &pages) {
                zap::zap_source(mm, range, scope);
            }
        }
    });
}

/// Returns whether a mapping of `source` lets somebody store to it, or may come to.
pub fn may_be_stored_to(source: &dyn PageSource) -> bool {
    any_mapping(source, |flags| {
        flags.contains(VmFlags::SHARED | VmFlags::MAYWRITE)
    })
}

/// Returns whether `source` is mapped at all.
pub fn is_mapped(source: &dyn PageSource) -> bool {
    any_mapping(source, |_| true)
}

fn any_mapping(source: &dyn PageSource, is_meant: impl Fn(VmFlags) -> bool) -> bool {
    let mut found = false;
    source.mappings().for_each(|mm| {
        let map = mm.map.read();
        found |= map
            .vmas
            .iter()
            .any(|vma| is_meant(vma.flags) && shown(vma, source, &(0..u64::MAX)).is_some());
    });
    found
}

/// Returns the part of `vma` that shows some of the pages `pages` of `source`.
fn shown(vma: &Vma<MapBacking>, source: &dyn PageSource, pages: &Range<u64>) -> Option<PageRange> {
    let MapBacking::File {
        source: mapped,
        page: first,
    } = &vma.backing
    else {
        return None;
    };
    if !core::ptr::addr_eq(mapped.as_ref(), source) {
        return None;
    }
    let start = pages.start.max(*first);
    let end = pages.end.min(first + vma.pages());
    let at = |index: u64| Page::new(vma.range.start.number() + (index - first));
    (start < end).then(|| PageRange::new(at(start), at(end)))
}
