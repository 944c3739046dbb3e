//! What both test files map: anonymous memory and pages of numbered files.

use addr::{Page, PageRange};
use vma::{Backing, VmFlags, Vma};

/// A test mapping.
pub(crate) type TestVma = Vma<Source>;

/// Where the pages of a test mapping come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// Nowhere.
    Anon,
    /// The file with this number, from this page on.
    File(u32, u64),
}

impl Backing for Source {
    fn advance(&self, pages: u64) -> Self {
        match *self {
            Self::Anon => Self::Anon,
            Self::File(file, first) => Self::File(file, first.wrapping_add(pages)),
        }
    }

    fn retreat(&self, pages: u64) -> Self {
        match *self {
            Self::Anon => Self::Anon,
            Self::File(file, first) => Self::File(file, first.wrapping_sub(pages)),
        }
    }

    fn continues(&self, prev: &Self, prev_pages: u64) -> bool {
        prev.advance(prev_pages) == *self
    }
}

/// Makes the range of `len` pages that begins with page number `start`.
pub(crate) fn pages(start: u64, len: u64) -> PageRange {
    PageRange::from_len(Page::new(start), len).expect("tests use small numbers")
}

/// Makes a mapping of `len` pages that begins with page number `start`.
pub(crate) fn mapping(start: u64, len: u64, flags: VmFlags, backing: Source) -> TestVma {
    Vma {
        range: pages(start, len),
        flags,
        backing,
    }
}
