//! An address space: for each mapped page what it shows and what may be done with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use pte::Access;
use vma::{STACK_GUARD_GAP, VmFlags};

/// The parts of a page that programs write: 8 bytes at each of these offsets.
pub const OFFSETS: [usize; 4] = [0, 1368, 2744, 4088];
/// Their values.
pub type Cells = [u64; OFFSETS.len()];
/// RLIMIT_STACK, in pages.
const STACK_PAGES: u64 = crate::mm::mm_struct::DEFAULT_STACK_LIMIT / addr::PAGE_SIZE;

/// A file, or a piece of shared anonymous memory: its pages' contents.
#[derive(Debug)]
pub struct Object {
    /// The number that `/proc/PID/maps` shows.
    pub ino: u64,
    /// Whether it is a file.
    pub is_file: bool,
    /// The contents.
    pub pages: Vec<Cells>,
    /// Pages that are charged to the commitment as long as it is mapped somewhere.
    pub charged: u64,
}

/// Where a page's contents come from while it has none of its own.
#[derive(Clone, Debug)]
pub enum Shown {
    /// Zeros; the number is that of the page where the memory was first mapped.
    Zeros(u64),
    /// A page of an object.
    Of(Rc<RefCell<Object>>, u64),
}

impl Shown {
    /// Returns what the page `pages` further on shows.
    fn further(&self, pages: u64) -> Self {
        match self {
            Self::Zeros(first) => Self::Zeros(first.wrapping_add(pages)),
            Self::Of(object, index) => Self::Of(object.clone(), index + pages),
        }
    }

    /// Returns what the page `pages` before shows, in a mapping that grows down.
    fn nearer(&self, pages: u64) -> Self {
        match self {
            Self::Zeros(first) => Self::Zeros(first.wrapping_sub(pages)),
            Self::Of(object, index) => Self::Of(object.clone(), index.wrapping_sub(pages)),
        }
    }

    /// Says whether `self` goes on `pages` pages further where `other` does.
    fn continues(&self, other: &Self, pages: u64) -> bool {
        match (self, other) {
            (Self::Zeros(first), Self::Zeros(before)) => before.wrapping_add(pages) == *first,
            (Self::Of(object, index), Self::Of(other, before)) => {
                Rc::ptr_eq(object, other) && before + pages == *index
            }
            _ => false,
        }
    }
}

/// One mapped page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Rights and everything else.
    pub flags: VmFlags,
    /// What it shows.
    pub shown: Shown,
    /// What was written to it privately.
    pub own: Option<Cells>,
    /// Whether a marker makes every access fail.
    pub guard: bool,
    /// Whether what was written may be lost when memory is short, until the next write.
    pub given_up: bool,
}

impl Page {
    /// A page that nobody has touched.
    pub fn new(flags: VmFlags, shown: Shown) -> Self {
        Self {
            flags,
            shown,
            own: None,
            guard: false,
            given_up: false,
        }
    }

    /// Returns the page that follows `pages` further on if the mapping goes on so far.
    pub fn further(&self, pages: u64) -> Self {
        Self::new(self.flags, self.shown.further(pages))
    }

    /// Whether what is written to it is the program's own.
    pub fn is_private(&self) -> bool {
        !self.flags.contains(VmFlags::SHARED)
    }

    /// Returns what a program reads; `None` beyond the object's end.
    pub fn contents(&self) -> Option<Cells> {
        match (&self.own, &self.shown) {
            (Some(cells), _) => Some(*cells),
            (None, Shown::Zeros(_)) => Some(Cells::default()),
            (None, Shown::Of(object, index)) => object.borrow().pages.get(*index as usize).copied(),
        }
    }

    fn write(&mut self, cell: usize, value: u64) {
        let mut cells = self.contents().expect("a page that is written exists");
        cells[cell] = value;
        match &self.shown {
            Shown::Of(object, index) if self.flags.contains(VmFlags::SHARED) => {
                object.borrow_mut().pages[*index as usize] = cells;
            }
            _ => {
                self.own = Some(cells);
                self.given_up = false;
            }
        }
    }
}

/// An address space.
#[derive(Clone, Default, Debug)]
pub struct Space {
    /// The mapped pages by number.
    pub pages: BTreeMap<u64, Page>,
    /// The heap's start, in bytes.
    pub brk_start: u64,
    /// Its end, in bytes.
    pub brk: u64,
    /// How mappings made from now on are locked.
    pub future: VmFlags,
}

/// What an access leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// It succeeds.
    Yes,
    /// SIGSEGV, nothing is mapped.
    NotMapped,
    /// SIGSEGV, it is not allowed.
    NotAllowed,
    /// SIGBUS.
    BeyondEnd,
}

/// A mapping as `/proc/PID/maps` shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// First page and the one after the last.
    pub range: (u64, u64),
    /// `rwxp` and so on.
    pub rights: String,
    /// Offset in the object, in bytes.
    pub offset: u64,
    /// The object's number, or 0.
    pub ino: u64,
}

impl Space {
    /// Says what an access to `page` leads to; a stack that may grow does so first.
    pub fn access(&mut self, page: u64, access: Access) -> Reach {
        if !self.pages.contains_key(&page) && !self.grow_stack(page) {
            return Reach::NotMapped;
        }
        let found = &self.pages[&page];
        let allowed = match access {
            Access::Write => found.flags.contains(VmFlags::WRITE),
            // A page that is not there yet is brought in before anybody asks whether it is code.
            Access::Read | Access::Fetch => found.flags.is_accessible(),
        };
        match found.contents() {
            _ if !allowed => Reach::NotAllowed,
            _ if found.guard => Reach::NotMapped,
            None => Reach::BeyondEnd,
            Some(_) if access == Access::Fetch && !found.flags.contains(VmFlags::EXEC) => {
                Reach::NotAllowed
            }
            Some(_) => Reach::Yes,
        }
    }

    /// SG-1 to SG-5: extends the stack above `page` down to it.
    fn grow_stack(&mut self, page: u64) -> bool {
        let Some((&above, first)) = self.pages.range(page..).next() else {
            return false;
        };
        let (flags, first_shown) = (first.flags, first.shown.clone());
        let below = self.pages.range(..page).next_back();
        let crowded = below.is_some_and(|(number, below)| {
            below.flags.is_accessible()
                && !below.flags.contains(VmFlags::GROWSDOWN)
                && page - (number + 1) < STACK_GUARD_GAP
        });
        let end = self.run_end(above);
        if !flags.contains(VmFlags::GROWSDOWN)
            || crowded
            || page < addr::MMAP_MIN_ADDR / addr::PAGE_SIZE
            || end - page > STACK_PAGES
        {
            return false;
        }
        for number in page..above {
            let shown = first_shown.nearer(above - number);
            self.pages.insert(number, Page::new(flags, shown));
        }
        true
    }

    /// Writes a cell of a page that an access has reached.
    pub fn write(&mut self, page: u64, cell: usize, value: u64) {
        let page = self
            .pages
            .get_mut(&page)
            .expect("only a mapped page is written");
        page.write(cell, value);
    }

    /// Returns the first page of the mapping that `page` lies in.
    pub fn run_start(&self, page: u64) -> u64 {
        let mut start = page;
        while let (Some(here), Some(below)) = (
            self.pages.get(&start),
            start
                .checked_sub(1)
                .and_then(|below| self.pages.get(&below)),
        ) && joins(below, here)
        {
            start -= 1;
        }
        start
    }

    /// Returns the page after the last of the mapping that `start` lies in.
    pub fn run_end(&self, start: u64) -> u64 {
        let mut end = start;
        while let (Some(here), Some(next)) = (self.pages.get(&end), self.pages.get(&(end + 1)))
            && joins(here, next)
        {
            end += 1;
        }
        end + 1
    }

    /// Returns the mappings: as few as the pages allow (VM-6).
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut before: Option<(u64, &Page)> = None;
        for (&number, page) in &self.pages {
            match (before, runs.last_mut()) {
                (Some((last, previous)), Some(run))
                    if last + 1 == number && joins(previous, page) =>
                {
                    run.range.1 = number + 1;
                }
                _ => runs.push(run(number, page)),
            }
            before = Some((number, page));
        }
        runs
    }
}

fn joins(page: &Page, next: &Page) -> bool {
    page.flags == next.flags && next.shown.continues(&page.shown, 1)
}

fn run(number: u64, page: &Page) -> Run {
    let letter = |flag, letter| {
        if page.flags.contains(flag) {
            letter
        } else {
            '-'
        }
    };
    let (offset, ino) = match &page.shown {
        Shown::Zeros(_) => (0, 0),
        Shown::Of(object, index) => (index * addr::PAGE_SIZE, object.borrow().ino),
    };
    let kind = if page.flags.contains(VmFlags::SHARED) {
        's'
    } else {
        'p'
    };
    Run {
        range: (number, number + 1),
        rights: [
            letter(VmFlags::READ, 'r'),
            letter(VmFlags::WRITE, 'w'),
            letter(VmFlags::EXEC, 'x'),
            kind,
        ]
        .iter()
        .collect(),
        offset,
        ino,
    }
}
