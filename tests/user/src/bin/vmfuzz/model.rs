//! What should be at each page of the arena: protection, backing, contents, flags, as Linux would have it.
//!
//! The model knows pages, not mappings. Where two equal neighbours may or may not be one mapping (Linux keeps some
//! apart that it could join, VM-6), the second has a `seam`, and no request is made whose answer would depend on it.

/// The pages of the arena.
pub(crate) const PAGES: usize = 64;

/// Protection bits, as in `mmap`.
pub(crate) const READ: u8 = 1;
/// Writing.
pub(crate) const WRITE: u8 = 2;
/// Executing.
pub(crate) const EXEC: u8 = 4;

/// Is an `errno` as the answers carry it.
pub(crate) const fn errno(code: i32) -> u64 {
    (-(code as i64)) as u64
}

/// Is a signal with its code, as the answers carry it.
pub(crate) const fn signal(number: i32, code: i32) -> u64 {
    0xfa17_0000_0000_0000 | (number as u64) << 8 | code as u64
}

const MAPERR: u64 = signal(libc::SIGSEGV, 1);
const ACCERR: u64 = signal(libc::SIGSEGV, 2);
const BEYOND: u64 = signal(libc::SIGBUS, 2);

/// Says where a page's bytes come from before the process writes its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// Private anonymous memory.
    Anon,
    /// A page of shared anonymous memory: which object, which page of it.
    Shared(usize, usize),
    /// A page of this program's own file, counted from [`File::first`].
    File {
        /// Which page.
        page: usize,
        /// Whether the mapping is shared.
        shared: bool,
    },
}

/// Is what the process has written to a private page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// Nothing.
    Fresh,
    /// This.
    Is(u64),
    /// This, or nothing: MADV_FREE leaves the choice to the kernel.
    Perhaps(u64),
}

/// Is whether a page is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    No,
    Full,
    OnFault,
}

/// Is what is known about a thing that only `mincore` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    No,
    Yes,
    Unsure,
}

/// Is one mapped page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) back: Back,
    pub(crate) prot: u8,
    pub(crate) data: Data,
    pub(crate) lock: Lock,
    pub(crate) dont_fork: bool,
    pub(crate) wipe: bool,
    /// The advice about huge pages, 0 if there was none.
    pub(crate) huge: u8,
    /// A marker of MADV_GUARD_INSTALL.
    pub(crate) guard: bool,
    pub(crate) present: Known,
    /// A border between mappings may lie below this page.
    pub(crate) seam: bool,
}

/// Is shared anonymous memory: contents and residence of each of its pages. 0 is a page of zeros.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) pages: Vec<(u64, Known)>,
}

/// Is what is known of the program's own file: the first and last word of its last pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// The index of the first page that is used.
    pub(crate) first: u64,
    /// First and last word of each page from there to the end of the file.
    pub(crate) words: Vec<(u64, u64)>,
}

/// Is the whole state.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) pages: [Option<Page>; PAGES],
    pub(crate) objects: Vec<Object>,
    pub(crate) file: File,
    /// A child knows less about borders and residence.
    pub(crate) is_child: bool,
}

/// Is a way to touch a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    Fetch,
}

/// Says how two neighbours are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    Yes,
    No,
    Unsure,
}

impl Model {
    /// Starts with nothing mapped.
    pub(crate) fn new(file: File) -> Self {
        Self {
            pages: [None; PAGES],
            objects: Vec::new(),
            file,
            is_child: false,
        }
    }

    /// Puts a fresh page at each place of a range and borders around it.
    pub(crate) fn map(&mut self, at: usize, count: usize, prot: u8, back: impl Fn(usize) -> Back) {
        for index in 0..count {
            self.pages[at + index] = Some(Page {
                back: back(index),
                prot,
                data: Data::Fresh,
                lock: Lock::No,
                dont_fork: false,
                wipe: false,
                huge: 0,
                guard: false,
                present: Known::No,
                seam: index == 0,
            });
        }
        self.seam(at + count);
    }

    /// Notes that a border may lie below a page.
    pub(crate) fn seam(&mut self, at: usize) {
        if let Some(Some(page)) = self.pages.get_mut(at) {
            page.seam = true;
        }
    }

    /// Takes a range away.
    pub(crate) fn unmap(&mut self, at: usize, count: usize) {
        self.pages[at..at + count].fill(None);
    }

    /// Says whether every page of a range is free.
    pub(crate) fn is_free(&self, at: usize, count: usize) -> bool {
        self.pages[at..at + count].iter().all(Option::is_none)
    }

    /// Says whether every page of a range is mapped.
    pub(crate) fn is_full(&self, at: usize, count: usize) -> bool {
        self.pages[at..at + count].iter().all(Option::is_some)
    }

    /// Says whether a page and the one below it belong to one mapping.
    pub(crate) fn joined(&self, at: usize) -> Joined {
        let (Some(low), Some(high)) = (self.pages[at - 1], self.pages[at]) else {
            return Joined::No;
        };
        if !low.alike(&high) {
            Joined::No
        } else if high.seam || self.is_child {
            Joined::Unsure
        } else {
            Joined::Yes
        }
    }

    /// Says whether a range lies in one mapping.
    pub(crate) fn in_one(&self, at: usize, count: usize) -> Joined {
        if self.pages[at].is_none() {
            return Joined::No;
        }
        let borders: Vec<Joined> = (at + 1..at + count).map(|page| self.joined(page)).collect();
        if borders.contains(&Joined::No) {
            Joined::No
        } else if borders.contains(&Joined::Unsure) {
            Joined::Unsure
        } else {
            Joined::Yes
        }
    }

    /// Says whether a page lies past the end of what backs it.
    pub(crate) fn is_beyond(&self, page: &Page) -> bool {
        match page.back {
            Back::Anon => false,
            Back::Shared(object, index) => index >= self.objects[object].pages.len(),
            Back::File { page, .. } => page >= self.file.words.len(),
        }
    }

    /// Gives the signal that an access raises, if any.
    pub(crate) fn raises(&self, at: usize, access: Access) -> Option<u64> {
        let Some(page) = &self.pages[at] else {
            return Some(MAPERR);
        };
        let allowed = match access {
            Access::Write => page.prot & WRITE != 0,
            Access::Read | Access::Fetch => page.prot != 0,
        };
        if !allowed {
            return Some(ACCERR);
        }
        if page.guard {
            return Some(MAPERR);
        }
        if self.is_beyond(page) {
            return Some(BEYOND);
        }
        // PF-9: the page is found first, and then the fetch fails.
        (access == Access::Fetch && page.prot & EXEC == 0).then_some(ACCERR)
    }

    /// Notes that a page was found for an access.
    pub(crate) fn touch(&mut self, at: usize) {
        let Some(page) = &mut self.pages[at] else {
            return;
        };
        page.present = Known::Yes;
        if let Back::Shared(object, index) = page.back
            && let Some(resident) = self.objects[object].pages.get_mut(index)
        {
            resident.1 = Known::Yes;
        }
    }

    /// Writes a value to a page that may be written.
    pub(crate) fn write(&mut self, at: usize, value: u64) {
        self.touch(at);
        let Some(page) = &mut self.pages[at] else {
            return;
        };
        match page.back {
            Back::Shared(object, index) => self.objects[object].pages[index].0 = value,
            Back::Anon | Back::File { .. } => page.data = Data::Is(value),
        }
    }

    /// Gives a page's first and last word, twice if there is a choice.
    pub(crate) fn words(&self, at: usize) -> [(u64, u64); 2] {
        let written = |value: u64| (value, !value);
        let Some(page) = &self.pages[at] else {
            return [(0, 0); 2];
        };
        let below = match page.back {
            Back::Anon => (0, 0),
            Back::Shared(object, index) => match self.objects[object].pages[index].0 {
                0 => (0, 0),
                value => written(value),
            },
            Back::File { page, .. } => self.file.words[page],
        };
        match page.data {
            Data::Fresh => [below; 2],
            Data::Is(value) => [written(value); 2],
            Data::Perhaps(value) => [written(value), below],
        }
    }

    /// Makes the child's view.
    pub(crate) fn fork(&self) -> Self {
        let mut child = self.clone();
        child.is_child = true;
        for slot in &mut child.pages {
            if slot.is_some_and(|page| page.dont_fork) {
                *slot = None;
            }
            let Some(page) = slot else { continue };
            page.lock = Lock::No;
            if page.wipe {
                page.data = Data::Fresh;
                page.guard = false;
            }
        }
        child
    }
}

impl Page {
    /// Says whether memory behind it is the process's own.
    pub(crate) fn is_private(&self) -> bool {
        !matches!(
            self.back,
            Back::Shared(..) | Back::File { shared: true, .. }
        )
    }

    /// Says whether it may become writable.
    pub(crate) fn may_write(&self) -> bool {
        !matches!(self.back, Back::File { shared: true, .. })
    }

    /// Says whether `next`, the page above, could belong to the same mapping.
    fn alike(&self, next: &Page) -> bool {
        let flags = |page: &Page| (page.prot, page.lock, page.dont_fork, page.wipe, page.huge);
        flags(self) == flags(next) && self.continues(next)
    }

    /// Says whether `next` shows what follows in the same object.
    pub(crate) fn continues(&self, next: &Page) -> bool {
        match (self.back, next.back) {
            (Back::Anon, Back::Anon) => true,
            (Back::Shared(object, index), Back::Shared(other, next)) => {
                object == other && index + 1 == next
            }
            (
                Back::File { page, shared },
                Back::File {
                    page: next,
                    shared: other,
                },
            ) => shared == other && page + 1 == next,
            _ => false,
        }
    }

    /// Makes the page that follows this one when its mapping grows.
    pub(crate) fn grown(&self, by: usize) -> Page {
        Page {
            back: match self.back {
                Back::Anon => Back::Anon,
                Back::Shared(object, index) => Back::Shared(object, index + by),
                Back::File { page, shared } => Back::File {
                    page: page + by,
                    shared,
                },
            },
            data: Data::Fresh,
            guard: false,
            present: Known::No,
            seam: false,
            ..*self
        }
    }
}
