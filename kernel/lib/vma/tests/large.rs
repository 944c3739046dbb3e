//! Random operations on thousands of mappings, next to a sorted map that is walked one by one.
//!
//! `model` compares every page of a small address space; here the set is large enough to be
//! a tree of several levels, and every answer is compared with that of the plain walk.

mod common;

use std::collections::BTreeMap;

use addr::{Page, PageRange};
use common::{Source, TestVma, mapping, pages};
use proptest::prelude::*;
use vma::{STACK_GUARD_GAP, VmFlags, VmaSet};

/// Pages of the modelled address space.
const PAGES: u64 = 100_000;
const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);

/// Mappings that never join, by their first page.
#[derive(Default)]
struct Walked(BTreeMap<u64, TestVma>);

impl Walked {
    fn first_above(&self, page: u64) -> Option<&TestVma> {
        self.0.values().find(|vma| page < vma.range.end.number())
    }

    fn last_up_to(&self, page: u64) -> Option<&TestVma> {
        let mut below = self.0.range(..page).rev().map(|(_, vma)| vma);
        below.find(|vma| vma.range.end.number() <= page)
    }

    /// The first gap from above that is wide enough.
    fn find_gap(&self, len: u64, floor: u64, ceiling: u64) -> Option<u64> {
        let kept = |vma: &TestVma| {
            let grows = vma.flags.contains(VmFlags::GROWSDOWN);
            let gap = if grows { STACK_GUARD_GAP } else { 0 };
            vma.range.start.number().saturating_sub(gap)
        };
        let mut top = self
            .first_above(ceiling)
            .map_or(ceiling, |vma| kept(vma).min(ceiling));
        let place = |end: u64, top: u64| {
            let start = top.checked_sub(len)?;
            (end.max(floor) <= start).then_some(start)
        };
        for (_, vma) in self.0.range(..ceiling).rev() {
            if let Some(start) = place(vma.range.end.number(), top) {
                return Some(start);
            }
            top = kept(vma).min(ceiling);
        }
        place(floor, top)
    }
}

/// What happens next. Numbers stand for places where there is something or nothing.
#[derive(Clone, Debug)]
enum Step {
    /// Map this many pages as high as possible below a ceiling.
    Place { len: u64, ceiling: u64, grows: bool },
    /// Map one page for every so many from a place on.
    Comb { start: u64, stride: u64, count: u64 },
    /// Unmap.
    Unmap { start: u64, len: u64 },
    /// Unmap one page for every so many.
    Thin { start: u64, stride: u64, count: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let comb = (0..PAGES, 1_u64..9, 0_u64..2000);
    prop_oneof![
        6 => (1_u64..40, 0..PAGES, any::<bool>())
            .prop_map(|(len, ceiling, grows)| Step::Place { len, ceiling, grows }),
        3 => comb.clone().prop_map(|(start, stride, count)| Step::Comb { start, stride, count }),
        3 => (0..PAGES, 0_u64..3000).prop_map(|(start, len)| Step::Unmap { start, len }),
        2 => comb.prop_map(|(start, stride, count)| Step::Thin { start, stride, count }),
    ]
}

#[derive(Default)]
struct Pair {
    set: VmaSet<Source>,
    walked: Walked,
    /// Each mapping shows another file, so that none joins its neighbour.
    files: u32,
}

impl Pair {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Place {
                len,
                ceiling,
                grows,
            } => self.place(len, ceiling, grows),
            Step::Comb {
                start,
                stride,
                count,
            } => self.each_of(start, stride, count, |pair, page| {
                pair.insert(page, 1, RW);
            }),
            Step::Unmap { start, len } => self.unmap(start, len),
            Step::Thin {
                start,
                stride,
                count,
            } => self.each_of(start, stride, count, |pair, page| pair.unmap(page, 1)),
        }
    }

    fn each_of(&mut self, start: u64, stride: u64, count: u64, act: impl Fn(&mut Self, u64)) {
        let last = (start + stride * count).min(PAGES);
        for page in (start..last).step_by(stride as usize) {
            act(self, page);
        }
    }

    fn insert(&mut self, start: u64, len: u64, flags: VmFlags) {
        self.files += 1;
        let vma = mapping(start, len, flags, Source::File(self.files, 0));
        let next = self.walked.first_above_fast(start);
        let free = next.is_none_or(|next| start + len <= next);
        assert_eq!(self.set.insert(vma.clone()).is_ok(), free);
        if free {
            self.walked.0.insert(start, vma);
        }
    }

    fn place(&mut self, len: u64, ceiling: u64, grows: bool) {
        let floor = ceiling / 3;
        let found = self.set.find_gap(len, Page::new(floor), Page::new(ceiling));
        let found = found.map(Page::number);
        assert_eq!(found, self.walked.find_gap(len, floor, ceiling));
        if let Some(start) = found {
            let flags = if grows { RW | VmFlags::GROWSDOWN } else { RW };
            self.insert(start, len, flags);
        }
    }

    /// Unmaps the pages, cutting what sticks out.
    fn unmap(&mut self, start: u64, len: u64) {
        let range = pages(start, len.min(PAGES - start));
        self.set.unmap_each(range, drop);
        let hit: Vec<TestVma> = self
            .walked
            .0
            .range(..range.end.number())
            .rev()
            .map(|(_, vma)| vma)
            .take_while(|vma| range.start < vma.range.end)
            .cloned()
            .collect();
        for vma in hit.iter().filter(|vma| vma.range.overlaps(&range)) {
            self.walked.0.remove(&vma.range.start.number());
            for rest in [
                (vma.range.start, range.start.min(vma.range.end)),
                (range.end.max(vma.range.start), vma.range.end),
            ] {
                if rest.0 < rest.1 {
                    let moved = rest.0.number() - vma.range.start.number();
                    let mut part = vma.clone();
                    part.range = PageRange::new(rest.0, rest.1);
                    part.backing = vma::Backing::advance(&vma.backing, moved);
                    self.walked.0.insert(rest.0.number(), part);
                }
            }
        }
    }

    fn compare(&self, page: u64) {
        assert_eq!(self.set.check(), Ok(()));
        assert!(self.set.iter().eq(self.walked.0.values()));
        assert_eq!(self.set.len(), self.walked.0.len());
        let at = Page::new(page);
        assert_eq!(self.set.find_from(at), self.walked.first_above(page));
        assert_eq!(self.set.prev_of(at), self.walked.last_up_to(page));
        let copy = self.set.copy_with(|vma| Some(vma.flags));
        assert_eq!(copy.check(), Ok(()));
        assert!(copy.iter().eq(self.set.iter()));
    }
}

impl Walked {
    /// Returns where the first mapping that ends above `page` starts.
    fn first_above_fast(&self, page: u64) -> Option<u64> {
        let over = self.0.range(..=page).next_back();
        let over = over.filter(|(_, vma)| page < vma.range.end.number());
        let next = over.or_else(|| self.0.range(page..).next());
        next.map(|(start, _)| *start)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_large_set_answers_like_a_walk_over_all_mappings(
        history in prop::collection::vec((any_step(), 0..PAGES), 20..80)
    ) {
        let mut pair = Pair::default();
        for (step, page) in &history {
            pair.take(step);
            pair.compare(*page);
        }
    }
}

/// Every set of mappings on a few places, and every question where something fits. A place is
/// half the gap that a stack keeps.
#[test]
fn every_small_set_finds_the_place_that_a_walk_finds() {
    const PLACE: u64 = STACK_GUARD_GAP / 2;
    const PLACES: u64 = 7;
    for shape in 0..3_u64.pow(PLACES as u32) {
        let mut pair = Pair::default();
        for place in 0..PLACES {
            match shape / 3_u64.pow(place as u32) % 3 {
                0 => {}
                1 => pair.insert(place * PLACE, PLACE, RW),
                _ => pair.insert(place * PLACE, PLACE, RW | VmFlags::GROWSDOWN),
            }
        }
        for (floor, ceiling) in
            (0..=PLACES).flat_map(|low| (low..=PLACES).map(move |top| (low, top)))
        {
            for len in [1, PLACE, PLACE + 1, 2 * PLACE, 3 * PLACE] {
                let (floor, ceiling) = (floor * PLACE, ceiling * PLACE);
                let found = pair.set.find_gap(len, Page::new(floor), Page::new(ceiling));
                let expected = pair.walked.find_gap(len, floor, ceiling);
                assert_eq!(
                    found.map(Page::number),
                    expected,
                    "{shape} {floor} {ceiling}"
                );
            }
        }
    }
}
