//! Random operations on a set of mappings and on an array with one cell per page.
//!
//! The array knows nothing of mappings. Grouping its cells into the longest runs that could
//! be one mapping must give the set exactly: that is both invariants of the crate at once.

mod common;

use addr::{Page, PageRange};
use common::{Source, TestVma, mapping, pages};
use proptest::prelude::*;
use pte::Prot;
use vma::{Backing, Overlap, ProtectError, STACK_GUARD_GAP, Totals, VmFlags, VmaSet};

/// Pages of the modelled address space; more than twice the gap below a stack.
const PAGES: u64 = 640;

/// What is promised for one page.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Cell {
    flags: VmFlags,
    source: Source,
}

/// One cell for every page.
struct Model {
    cells: Vec<Option<Cell>>,
}

/// The result of protecting a range: the changed pages and how it ended.
type Protected = (Vec<(u64, VmFlags, VmFlags)>, Result<(), ProtectError>);

impl Model {
    fn new() -> Self {
        Self {
            cells: vec![None; PAGES as usize],
        }
    }

    fn cell(&self, page: u64) -> Option<Cell> {
        self.cells.get(page as usize).copied().flatten()
    }

    fn is_free(&self, range: PageRange) -> bool {
        range.iter().all(|page| self.cell(page.number()).is_none())
    }

    /// Sets the pages of `vma`.
    fn fill(&mut self, vma: &TestVma) {
        for (index, page) in vma.range.iter().enumerate() {
            let source = vma.backing.advance(index as u64);
            self.cells[page.number() as usize] = Some(Cell {
                flags: vma.flags,
                source,
            });
        }
    }

    /// Clears the pages of `range` and returns what was there.
    fn erase(&mut self, range: PageRange) -> Vec<(u64, Cell)> {
        let mut erased = Vec::new();
        for page in range.iter().map(Page::number) {
            if let Some(cell) = self.cells[page as usize].take() {
                erased.push((page, cell));
            }
        }
        erased
    }

    /// Protects page by page and stops at the first that refuses (VM-10).
    fn protect(&mut self, range: PageRange, prot: Prot) -> Protected {
        let mut changed = Vec::new();
        for page in range.iter().map(Page::number) {
            let Some(cell) = &mut self.cells[page as usize] else {
                return (changed, Err(ProtectError::Hole));
            };
            let may = [
                (Prot::READ, VmFlags::MAYREAD),
                (Prot::WRITE, VmFlags::MAYWRITE),
                (Prot::EXEC, VmFlags::MAYEXEC),
            ];
            if may
                .iter()
                .any(|(right, may)| prot.contains(*right) && !cell.flags.contains(*may))
            {
                return (changed, Err(ProtectError::Denied));
            }
            let old = cell.flags;
            cell.flags.set(VmFlags::READ, prot.contains(Prot::READ));
            cell.flags.set(VmFlags::WRITE, prot.contains(Prot::WRITE));
            cell.flags.set(VmFlags::EXEC, prot.contains(Prot::EXEC));
            if cell.flags != old {
                changed.push((page, old, cell.flags));
            }
        }
        (changed, Ok(()))
    }

    /// Whether the range is free and does not crowd the stack above it (SG-4).
    fn may_place(&self, range: PageRange) -> bool {
        let next = (range.end.number()..PAGES).find(|page| self.cell(*page).is_some());
        let crowds = next.is_some_and(|page| {
            let grows = self
                .cell(page)
                .is_some_and(|cell| cell.flags.contains(VmFlags::GROWSDOWN));
            grows && page < range.end.number() + STACK_GUARD_GAP
        });
        self.is_free(range) && !crowds
    }

    /// Tries every place from above (VM-4).
    fn find_gap(&self, len: u64, floor: u64, ceiling: u64) -> Option<u64> {
        let highest = ceiling.checked_sub(len)?;
        (floor..=highest)
            .rev()
            .find(|start| self.may_place(pages(*start, len)))
    }

    /// Sets the flags of the mapped pages to what `flags` says; returns how many there are.
    fn change_flags(&mut self, range: PageRange, flags: impl Fn(VmFlags) -> VmFlags) -> u64 {
        let mut covered = 0;
        for page in range.iter().map(Page::number) {
            if let Some(cell) = &mut self.cells[page as usize] {
                cell.flags = flags(cell.flags);
                covered += 1;
            }
        }
        covered
    }

    /// Spreads the flags that mappings share out when they are joined.
    fn spread(&mut self) {
        for vma in self.mappings() {
            self.fill(&vma);
        }
    }

    /// Counts the pages one by one.
    fn totals(&self) -> Totals {
        let count = |what: &dyn Fn(VmFlags) -> bool| {
            let cells = self.cells.iter().flatten();
            cells.filter(|cell| what(cell.flags)).count() as u64
        };
        let has = |flags: VmFlags, what: VmFlags| flags.contains(what);
        Totals {
            total: count(&|_| true),
            data: count(&|flags| {
                has(flags, VmFlags::WRITE)
                    && !has(flags, VmFlags::SHARED)
                    && !has(flags, VmFlags::GROWSDOWN)
            }),
            stack: count(&|flags| has(flags, VmFlags::GROWSDOWN)),
            exec: count(&|flags| {
                has(flags, VmFlags::EXEC)
                    && !has(flags, VmFlags::WRITE)
                    && !has(flags, VmFlags::GROWSDOWN)
            }),
            locked: count(&|flags| has(flags, VmFlags::LOCKED)),
            account: count(&|flags| has(flags, VmFlags::ACCOUNT)),
        }
    }

    /// Groups the cells into the longest runs that could be one mapping (VM-6).
    fn mappings(&self) -> Vec<TestVma> {
        let mut mappings: Vec<TestVma> = Vec::new();
        for page in 0..PAGES {
            let Some(cell) = self.cell(page) else {
                continue;
            };
            match mappings.last_mut() {
                Some(last)
                    if last.range.end.number() == page
                        && last.flags - VmFlags::GUARDED == cell.flags - VmFlags::GUARDED
                        && last.backing.advance(last.pages()) == cell.source =>
                {
                    last.range.end = Page::new(page + 1);
                    last.flags |= cell.flags;
                }
                _ => mappings.push(mapping(page, 1, cell.flags, cell.source)),
            }
        }
        mappings
    }
}

/// One step of a random history. `pick` chooses one of the mappings that there are.
#[derive(Clone, Debug)]
enum Step {
    Insert(TestVma),
    /// Like a mapping at a fixed address: unmap, then insert.
    Replace(TestVma),
    Unmap(PageRange),
    Protect(PageRange, Prot),
    Flip(PageRange, VmFlags),
    Fork(VmFlags),
    Place {
        len: u64,
        floor: u64,
        ceiling: u64,
        flags: VmFlags,
    },
    Grow {
        pick: prop::sample::Index,
        by: prop::sample::Index,
    },
    Resize {
        pick: prop::sample::Index,
        to: prop::sample::Index,
    },
    Clear,
}

fn any_range() -> impl Strategy<Value = PageRange> {
    let short = (0..PAGES, 0_u64..24);
    let long = (0..PAGES, 0..PAGES);
    // Most ranges crowd together, so that they touch, overlap and split each other.
    let crowded = (0_u64..60, 0_u64..16);
    prop_oneof![4 => crowded, 2 => short, 1 => long]
        .prop_map(|(start, len)| pages(start, len.min(PAGES - start)))
}

fn any_flags() -> impl Strategy<Value = VmFlags> {
    let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
    let read_write = may | VmFlags::READ | VmFlags::WRITE;
    prop_oneof![
        4 => Just(read_write),
        2 => Just(may | VmFlags::READ),
        1 => Just(may),
        1 => Just(VmFlags::MAYREAD | VmFlags::READ | VmFlags::SHARED),
        1 => Just(read_write | VmFlags::GROWSDOWN),
    ]
}

fn any_mapping() -> impl Strategy<Value = TestVma> {
    let kind = prop_oneof![2 => Just(None), 1 => (0_u32..2, 0_u64..2).prop_map(Some)];
    let range = any_range().prop_filter("a mapping has a page", |range| !range.is_empty());
    (range, any_flags(), kind).prop_map(|(range, flags, kind)| {
        // A file's page number follows from the address but for a small shift, so that
        // mappings of one file often continue each other. Stacks are anonymous.
        let file = kind.filter(|_| !flags.contains(VmFlags::GROWSDOWN));
        let backing = file.map_or(Source::Anon, |(file, shift)| {
            Source::File(file, range.start.number() + shift)
        });
        mapping(range.start.number(), range.len(), flags, backing)
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    let prot = (0_u8..8).prop_map(Prot::from_bits_truncate);
    let advice = prop::sample::select(vec![
        VmFlags::LOCKED,
        VmFlags::ACCOUNT,
        VmFlags::GUARDED,
        VmFlags::DONTFORK,
    ]);
    let place = (1_u64..40, 0..PAGES, 0..PAGES, any_flags());
    let two = any::<(prop::sample::Index, prop::sample::Index)>();
    prop_oneof![
        6 => any_mapping().prop_map(Step::Insert),
        3 => any_mapping().prop_map(Step::Replace),
        4 => any_range().prop_map(Step::Unmap),
        6 => (any_range(), prot).prop_map(|(range, prot)| Step::Protect(range, prot)),
        4 => (any_range(), advice.clone()).prop_map(|(range, flags)| Step::Flip(range, flags)),
        1 => advice.prop_map(Step::Fork),
        4 => place.prop_map(|(len, floor, ceiling, flags)| Step::Place { len, floor, ceiling, flags }),
        2 => two.clone().prop_map(|(pick, by)| Step::Grow { pick, by }),
        2 => two.prop_map(|(pick, to)| Step::Resize { pick, to }),
        1 => Just(Step::Clear),
    ]
}

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
        self.model
            .fill(&mapping(new_start, whole, stack.flags, stack.backing));
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
        assert_eq!(self.set.clear(), self.model.mappings());
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
