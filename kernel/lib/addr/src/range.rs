//! Half-open ranges of pages and of frames.
//!
//! Both ranges are the same arithmetic over two unit types that must never mix, so one
//! macro states it once. (A generic type would read as well, but its methods could not be
//! `const` and the kernel's memory map is a table of constants.)

use core::fmt;

use crate::{Frame, Page};

/// Defines the half-open range `$Range` of `$Unit`s and its iterator `$Iter`.
macro_rules! define_range {
    ($Range:ident, $Iter:ident, $Unit:ident, $units:literal) => {
        #[doc = concat!("A half-open range of ", $units, ": `start` is inside, `end` is not.")]
        ///
        /// A range whose `end` does not lie above its `start` is empty.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Range {
            /// The first one inside.
            pub start: $Unit,
            /// The first one above.
            pub end: $Unit,
        }

        impl $Range {
            /// Makes the range from `start` up to but not including `end`.
            ///
            /// # Panics
            /// If `end` lies below `start`.
            pub const fn new(start: $Unit, end: $Unit) -> Self {
                assert!(
                    start.number() <= end.number(),
                    "a range ends below its start"
                );
                Self { start, end }
            }

            #[doc = concat!("Makes the range of `len` ", $units, " that begins at `start`, or ")]
            /// `None` if it would leave the address space.
            pub const fn from_len(start: $Unit, len: u64) -> Option<Self> {
                match start.checked_add(len) {
                    Some(end) => Some(Self { start, end }),
                    None => None,
                }
            }

            #[doc = concat!("Returns the number of ", $units, " inside.")]
            pub const fn len(&self) -> u64 {
                self.end.number().saturating_sub(self.start.number())
            }

            /// Says whether nothing is inside.
            pub const fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Says whether `unit` lies inside.
            pub const fn contains(&self, unit: $Unit) -> bool {
                self.start.number() <= unit.number() && unit.number() < self.end.number()
            }

            /// Says whether all of `other` lies inside; an empty range lies inside every range.
            pub const fn contains_range(&self, other: &Self) -> bool {
                other.is_empty()
                    || self.start.number() <= other.start.number()
                        && other.end.number() <= self.end.number()
            }

            /// Says whether anything lies inside both.
            pub const fn overlaps(&self, other: &Self) -> bool {
                self.intersection(other).is_some()
            }

            /// Returns what lies inside both, or `None` if that is nothing.
            pub const fn intersection(&self, other: &Self) -> Option<Self> {
                let start = if self.start.number() > other.start.number() {
                    self.start
                } else {
                    other.start
                };
                let end = if self.end.number() < other.end.number() {
                    self.end
                } else {
                    other.end
                };
                if start.number() < end.number() {
                    Some(Self { start, end })
                } else {
                    None
                }
            }

            #[doc = concat!("Visits the ", $units, " inside, lowest first.")]
            pub const fn iter(&self) -> $Iter {
                $Iter {
                    next: self.start.number(),
                    end: self.end.number(),
                }
            }
        }

        impl IntoIterator for $Range {
            type Item = $Unit;
            type IntoIter = $Iter;

            fn into_iter(self) -> $Iter {
                self.iter()
            }
        }

        impl fmt::Debug for $Range {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}..{:?}", self.start, self.end)
            }
        }

        #[doc = concat!("Visits the ", $units, " of a [`", stringify!($Range), "`].")]
        #[derive(Clone, Debug)]
        pub struct $Iter {
            next: u64,
            end: u64,
        }

        impl Iterator for $Iter {
            type Item = $Unit;

            fn next(&mut self) -> Option<$Unit> {
                (self.next < self.end).then(|| {
                    self.next += 1;
                    $Unit::new(self.next - 1)
                })
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                let left = self.end.saturating_sub(self.next) as usize;
                (left, Some(left))
            }
        }

        impl DoubleEndedIterator for $Iter {
            fn next_back(&mut self) -> Option<$Unit> {
                (self.next < self.end).then(|| {
                    self.end -= 1;
                    $Unit::new(self.end)
                })
            }
        }

        impl ExactSizeIterator for $Iter {}
    };
}

define_range!(PageRange, PageRangeIter, Page, "pages");
define_range!(FrameRange, FrameRangeIter, Frame, "frames");
