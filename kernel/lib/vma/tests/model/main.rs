//! Random operations on a set of mappings and on an array with one cell per page.
//!
//! The array knows nothing of mappings. Grouping its cells into the longest runs that could
//! be one mapping must give the set exactly: that is both invariants of the crate at once.

mod array;
#[path = "../common/mod.rs"]
mod common;
mod steps;

use addr::{Page, PageRange};
use array::{Model, PAGES};
use common::{Source, TestVma, mapping, pages};
use proptest::prelude::*;
use pte::Prot;
use steps::{Step, any_range, any_step};
use vma::{Backing, Overlap, VmFlags, VmaSet};

/// A set and its model, which go through the same history.
struct Pair {
    set: VmaSet<Source>,
    model: Model,
}

impl Pair {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Insert(vma) => self.insert(vma),
            Step::Replace(vma) => {
                self.unmap(vma.range);
                self.insert(vma);
            }
            Step::Unmap(range) => self.unmap(*range),
            Step::Protect(range, prot) => self.protect(*range, *prot),
            Step::Flip(range, flags) => self.flip(*range, *flags),
            Step::Fork(cleared) => self.fork(*cleared),
            Step::Place {
                len,
                floor,
                ceiling,
                flags,
            } => self.place(*len, *floor, *ceiling, *flags),
            Step::Grow { pick, by } => self.grow(pick, by),
            Step::Resize { pick, to } => self.resize(pick, to),
            Step::Clear => self.clear(),
        }
    }

    fn insert(&mut self, vma: &TestVma) {
        let free = self.model.is_free(vma.range);
        let expected = if free { Ok(()) } else { Err(Overlap) };
        assert_eq!(self.set.insert(vma.clone()), expected);
        if free {
            self.model.fill(vma);
        }
    }

    fn unmap(&mut self, range: PageRange) {
        let (before, splits) = (self.set.len(), self.set.splits_needed(range));
        let removed = self.set.unmap(range);
        assert!(removed.is_sorted_by_key(|vma| vma.range.start));
        let mut taken = Model::new();
        for vma in &removed {
            taken.fill(vma);
        }
        assert_eq!(taken.erase(pages(0, PAGES)), self.model.erase(range));
        assert!(self.set.len() + removed.len() <= before + splits);
    }

    fn protect(&mut self, range: PageRange, prot: Prot) {
        let allowed = self.set.len() + self.set.splits_needed(range);
        let outcome = self.set.protect(range, prot);
        let each = |(range, old, new): &(PageRange, VmFlags, VmFlags)| {
            let (old, new) = (*old, *new);
            range
                .iter()
                .map(move |page| (page.number(), old, new))
                .collect::<Vec<_>>()
        };
        let changed = outcome.changed.iter().flat_map(each).collect();
        assert_eq!((changed, outcome.result), self.model.protect(range, prot));
        assert!(self.set.len() <= allowed);
    }

    fn flip(&mut self, range: PageRange, flags: VmFlags) {
        let allowed = self.set.len() + self.set.splits_needed(range);
        let covered = self
            .set
            .change_flags(range, |vma| vma.flags.symmetric_difference(flags));
        let flipped = |old: VmFlags| old.symmetric_difference(flags);
        assert_eq!(covered, self.model.change_flags(range, flipped));
        assert!(self.set.len() <= allowed);
    }

    /// Carries on with the child.
    fn fork(&mut self, cleared: VmFlags) {
        let parent = self.set.clone();
        self.set = parent
            .copy_with(|vma| (!vma.flags.contains(VmFlags::DONTFORK)).then(|| vma.flags - cleared));
        for cell in &mut self.model.cells {
            *cell = cell.filter(|cell| !cell.flags.contains(VmFlags::DONTFORK));
        }
        self.model
            .change_flags(pages(0, PAGES), |old| old - cleared);
    }

    fn place(&mut self, len: u64, floor: u64, ceiling: u64, flags: VmFlags) {
        let found = self.set.find_gap(len, Page::new(floor), Page::new(ceiling));
        assert_eq!(
            found.map(Page::number),
            self.model.find_gap(len, floor, ceiling)
        );
        if let Some(start) = found {
            self.insert(&mapping(start.number(), len, flags, Source::Anon));
        }
    }

    fn grow(&mut self, pick: &prop::sample::Index, by: &prop::sample::Index) {
        let grows = |vma: &&TestVma| vma.flags.contains(VmFlags::GROWSDOWN);
        let stacks: Vec<_> = self.set.iter().filter(grows).cloned().collect();
        if stacks.is_empty() {
            return;
        }
        let stack = pick.get(&stacks);
        let lowest = self
            .set
            .prev_of(stack.range.start)
            .map_or(0, |prev| prev.range.end.number());
        let room = stack.range.start.number() - lowest;
        let new_start = stack.range.start.number() - by.index(room as usize + 1) as u64;
        self.set.grow_down(stack.range.start, Page::new(new_start));
        let whole = stack.range.end.number() - new_start;
        let backing = stack
            .backing
            .retreat(stack.range.start.number() - new_start);
        self.model
            .fill(&mapping(new_start, whole, stack.flags, backing));
    }

    fn resize(&mut self, pick: &prop::sample::Index, to: &prop::sample::Index) {
        let all: Vec<_> = self.set.iter().cloned().collect();
        if all.is_empty() {
            return;
        }
        let index = pick.index(all.len());
        let vma = &all[index];
        let highest = all
            .get(index + 1)
            .map_or(PAGES, |next| next.range.start.number());
        let start = vma.range.start.number();
        let len = to.index((highest - start) as usize + 1) as u64;
        self.set.resize_end(vma.range.start, Page::new(start + len));
        self.model.erase(vma.range);
        self.model
            .fill(&mapping(start, len, vma.flags, vma.backing));
    }

    fn clear(&mut self) {
        assert_eq!(self.set.unmap(pages(0, PAGES)), self.model.mappings());
        self.model = Model::new();
    }

    /// Compares the whole state and every answer about `range`.
    fn compare(&self, range: PageRange) {
        let expected = self.model.mappings();
        assert_eq!(self.set.iter().cloned().collect::<Vec<_>>(), expected);
        assert_eq!(self.set.len(), expected.len());
        assert_eq!(self.set.is_empty(), expected.is_empty());
        assert_eq!(self.set.check(), Ok(()));
        assert_eq!(self.set.totals(), self.model.totals());

        let found: Vec<_> = self.set.overlapping(range).cloned().collect();
        let hit = |vma: &&TestVma| vma.range.iter().any(|page| range.contains(page));
        assert_eq!(
            found,
            expected.iter().filter(hit).cloned().collect::<Vec<_>>()
        );
        assert_eq!(self.set.is_free(range), self.model.is_free(range));
        if !range.is_empty() {
            assert_eq!(self.set.hint_ok(range), self.model.may_place(range));
            let inside = |page: Page| {
                let cut = |vma: &&TestVma| vma.range.start < page && page < vma.range.end;
                expected.iter().filter(cut).count()
            };
            let splits = inside(range.start) + inside(range.end);
            assert_eq!(self.set.splits_needed(range), splits);
        }
        self.compare_lookups(&expected);
    }

    /// Compares the look-ups at every page.
    fn compare_lookups(&self, expected: &[TestVma]) {
        for page in (0..=PAGES).map(Page::new) {
            let find = expected.iter().find(|vma| vma.range.contains(page));
            assert_eq!(self.set.find(page), find);
            let from = expected.iter().find(|vma| page < vma.range.end);
            assert_eq!(self.set.find_from(page), from);
            let prev = expected.iter().rfind(|vma| vma.range.end <= page);
            assert_eq!(self.set.prev_of(page), prev);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn a_set_of_mappings_behaves_like_an_array_of_pages(
        history in prop::collection::vec((any_step(), any_range()), 1..40)
    ) {
        let mut pair = Pair { set: VmaSet::new(), model: Model::new() };
        for (step, range) in &history {
            pair.take(step);
            pair.model.spread();
            pair.compare(*range);
        }
    }
}
