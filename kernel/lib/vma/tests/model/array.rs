//! The model: one cell for every page.

use addr::{Page, PageRange};
use pte::Prot;
use vma::{Backing, ProtectError, STACK_GUARD_GAP, Totals, VmFlags};

use crate::common::{Source, TestVma, mapping, pages};

/// Pages of the modelled address space; more than twice the gap below a stack.
pub(crate) const PAGES: u64 = 640;

/// What is promised for one page.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cell {
    pub(crate) flags: VmFlags,
    source: Source,
}

/// One cell for every page.
pub(crate) struct Model {
    pub(crate) cells: Vec<Option<Cell>>,
}

/// The result of protecting a range: the changed pages and how it ended.
pub(crate) type Protected = (Vec<(u64, VmFlags, VmFlags)>, Result<(), ProtectError>);

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            cells: vec![None; PAGES as usize],
        }
    }

    pub(crate) fn cell(&self, page: u64) -> Option<Cell> {
        self.cells.get(page as usize).copied().flatten()
    }

    pub(crate) fn is_free(&self, range: PageRange) -> bool {
        range.iter().all(|page| self.cell(page.number()).is_none())
    }

    /// Sets the pages of `vma`.
    pub(crate) fn fill(&mut self, vma: &TestVma) {
        for (index, page) in vma.range.iter().enumerate() {
            let source = vma.backing.advance(index as u64);
            self.cells[page.number() as usize] = Some(Cell {
                flags: vma.flags,
                source,
            });
        }
    }

    /// Clears the pages of `range` and returns what was there.
    pub(crate) fn erase(&mut self, range: PageRange) -> Vec<(u64, Cell)> {
        let mut erased = Vec::new();
        for page in range.iter().map(Page::number) {
            if let Some(cell) = self.cells[page as usize].take() {
                erased.push((page, cell));
            }
        }
        erased
    }

    /// Protects page by page and stops at the first that refuses (VM-10).
    pub(crate) fn protect(&mut self, range: PageRange, prot: Prot) -> Protected {
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
    pub(crate) fn may_place(&self, range: PageRange) -> bool {
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
    pub(crate) fn find_gap(&self, len: u64, floor: u64, ceiling: u64) -> Option<u64> {
        let highest = ceiling.checked_sub(len)?;
        (floor..=highest)
            .rev()
            .find(|start| self.may_place(pages(*start, len)))
    }

    /// Sets the flags of the mapped pages to what `flags` says; returns how many there are.
    pub(crate) fn change_flags(
        &mut self,
        range: PageRange,
        flags: impl Fn(VmFlags) -> VmFlags,
    ) -> u64 {
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
    pub(crate) fn spread(&mut self) {
        for vma in self.mappings() {
            self.fill(&vma);
        }
    }

    /// Counts the pages one by one.
    pub(crate) fn totals(&self) -> Totals {
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
    pub(crate) fn mappings(&self) -> Vec<TestVma> {
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
