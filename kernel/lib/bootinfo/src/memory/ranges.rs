//! A sorted table of disjoint, non-adjacent frame ranges, of fixed size.

use arrayvec::ArrayVec;
use core::slice;

use super::MAX_RANGES;
use addr::FrameRange;

/// The table.
#[derive(Clone, Debug)]
pub(super) struct Ranges(ArrayVec<FrameRange, MAX_RANGES>);

impl Ranges {
    pub(super) const fn new() -> Self {
        Self(ArrayVec::new_const())
    }

    pub(super) fn iter(&self) -> slice::Iter<'_, FrameRange> {
        self.0.iter()
    }

    pub(super) fn overlaps(&self, range: FrameRange) -> bool {
        self.iter().any(|other| other.overlaps(&range))
    }

    /// Adds a range that is not empty, merged with what it touches; `false` when there is no room.
    pub(super) fn insert(&mut self, range: FrameRange) -> bool {
        let first = self.0.partition_point(|other| other.end < range.start);
        let end = self.0.partition_point(|other| other.start <= range.end);
        if first == end {
            return self.0.try_insert(first, range).is_ok();
        }
        let merged = hull(hull(self.0[first], range), self.0[end - 1]);
        self.0.drain(first + 1..end);
        self.0[first] = merged;
        true
    }

    /// Adds a range like [`insert`](Self::insert); without room, a neighbour grows over it and
    /// over the gap between them.
    pub(super) fn insert_or_cover(&mut self, range: FrameRange) -> bool {
        if self.insert(range) {
            return true;
        }
        let next = self.0.partition_point(|other| other.start < range.start);
        let neighbour = self.0[next.min(self.0.len() - 1)];
        self.insert(hull(neighbour, range));
        false
    }
}

/// Returns the smallest range around both.
fn hull(one: FrameRange, other: FrameRange) -> FrameRange {
    FrameRange::new(one.start.min(other.start), one.end.max(other.end))
}
