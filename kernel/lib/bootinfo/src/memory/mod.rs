//! The memory map: which frames the kernel may use.
//!
//! Firmware maps overlap, end inside pages, and are sometimes plain wrong. Usable memory shrinks
//! to whole pages, reserved memory grows to them, and where both are claimed reserved wins. What
//! does not fit into the fixed tables is lost in the safe direction: less memory, never memory
//! that is not there. Nothing is allocated, since this runs before there is a heap.

mod ranges;

use core::fmt;
use core::slice;

use addr::{Frame, FrameRange, PAGE_SIZE};
use ranges::Ranges;

/// How many ranges of each kind are kept.
pub const MAX_RANGES: usize = 256;

/// What firmware says about a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Free for the kernel.
    Usable,
    /// In use by somebody: firmware, a device, the boot loader.
    Reserved,
}

/// The usable frames of the machine.
#[derive(Clone, Debug)]
pub struct MemoryMap {
    usable: Ranges,
    reserved: Ranges,
    problems: Problems,
}

/// How many entries of the map were wrong, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// They end before they begin, and are left out.
    pub backwards: u32,
    /// They have no byte, or a usable one no whole page, and are left out.
    pub empty: u32,
    /// They reach beyond physical addresses (2^52) and are cut off.
    pub beyond: u32,
    /// They overlap an earlier one of the same kind.
    pub overlapping: u32,
    /// They did not fit into the table.
    pub too_many: u32,
}

impl MemoryMap {
    /// Makes a map without memory.
    pub const fn new() -> Self {
        Self {
            usable: Ranges::new(),
            reserved: Ranges::new(),
            problems: Problems::NONE,
        }
    }

    /// Reads entries `(start, end, kind)`, in bytes, `end` exclusive, in any order.
    pub fn from_entries(entries: impl IntoIterator<Item = (u64, u64, Kind)>) -> Self {
        let mut map = Self::new();
        for (start, end, kind) in entries {
            map.add(start, end, kind);
        }
        map
    }

    /// Reads one entry, in bytes, `end` exclusive.
    pub fn add(&mut self, start: u64, end: u64, kind: Kind) {
        self.problems.note(start, end);
        if start >= end {
            return;
        }
        let frames = match kind {
            Kind::Usable => frame_range(start.div_ceil(PAGE_SIZE), end / PAGE_SIZE),
            Kind::Reserved => frame_range(start / PAGE_SIZE, end.div_ceil(PAGE_SIZE)),
        };
        match frames {
            Some(frames) => self.insert(frames, kind),
            None => self.problems.empty += 1,
        }
    }

    /// Takes frames out of the usable ones.
    pub fn reserve(&mut self, frames: FrameRange) {
        if let Some(frames) = frame_range(frames.start.number(), frames.end.number()) {
            self.insert(frames, Kind::Reserved);
        }
    }

    /// Finds the lowest run of `frames` usable frames, reserves it and returns it.
    pub fn carve(&mut self, frames: u64) -> Option<FrameRange> {
        let fitting = |run: &FrameRange| frames > 0 && run.len() >= frames;
        let run = self.usable().find(fitting)?;
        let carved = FrameRange::from_len(run.start, frames)?;
        self.reserve(carved);
        Some(carved)
    }

    /// Walks over the usable frames that are not reserved: disjoint, ascending.
    pub fn usable(&self) -> impl Iterator<Item = FrameRange> {
        self.usable.iter().flat_map(|range| Without {
            left: *range,
            cuts: self.reserved.iter(),
        })
    }

    /// Returns how many frames are usable.
    pub fn total_frames(&self) -> u64 {
        self.usable().map(|range| range.len()).sum()
    }

    /// Returns the highest frame that firmware calls usable, reserved since or not.
    pub fn highest_frame(&self) -> Option<Frame> {
        self.usable.iter().last()?.end.checked_sub(1)
    }

    /// Returns what was wrong with the entries.
    pub fn problems(&self) -> Problems {
        self.problems
    }

    fn insert(&mut self, frames: FrameRange, kind: Kind) {
        let ranges = match kind {
            Kind::Usable => &mut self.usable,
            Kind::Reserved => &mut self.reserved,
        };
        self.problems.overlapping += u32::from(ranges.overlaps(frames));
        let fits = match kind {
            Kind::Usable => ranges.insert(frames),
            Kind::Reserved => ranges.insert_or_cover(frames),
        };
        self.problems.too_many += u32::from(!fits);
    }
}

impl Default for MemoryMap {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a range of the frames that exist; `None` when it is empty.
fn frame_range(start: u64, end: u64) -> Option<FrameRange> {
    let end = end.min(Frame::END.number());
    (start < end).then(|| FrameRange::new(Frame::new(start), Frame::new(end)))
}

/// One range without all cuts, which are disjoint and ascending.
struct Without<'a> {
    left: FrameRange,
    cuts: slice::Iter<'a, FrameRange>,
}

impl Iterator for Without<'_> {
    type Item = FrameRange;

    fn next(&mut self) -> Option<FrameRange> {
        while !self.left.is_empty() {
            let end = self.left.end;
            let cut = self.cuts.find(|cut| cut.overlaps(&self.left));
            let (stop, resume) = cut.map_or((end, end), |cut| (cut.start, cut.end.min(end)));
            let piece = FrameRange::new(self.left.start, stop.max(self.left.start));
            self.left = FrameRange::new(resume, end);
            if !piece.is_empty() {
                return Some(piece);
            }
        }
        None
    }
}

impl Problems {
    /// Nothing was wrong.
    pub const NONE: Self = Self {
        backwards: 0,
        empty: 0,
        beyond: 0,
        overlapping: 0,
        too_many: 0,
    };

    fn note(&mut self, start: u64, end: u64) {
        self.backwards += u32::from(end < start);
        self.empty += u32::from(end == start);
        self.beyond += u32::from(start < end && end > Frame::END.number() * PAGE_SIZE);
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.backwards, "end before they begin"),
            (self.empty, "are empty"),
            (self.beyond, "reach beyond 2^52"),
            (self.overlapping, "overlap"),
            (self.too_many, "are too many"),
        ];
        let mut separator = "";
        for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {what}")?;
            separator = ", ";
        }
        Ok(())
    }
}
