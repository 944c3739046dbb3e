//! The whole program: its segments in order, its entry point and what the stack must say.
//!
//! # Invariants
//! The segments of a [`LoadPlan`] are disjoint, ascending and inside [`LoadPlan::span`],
//! which lies below [`USER_END`]; none is empty; their file parts lie inside the file.

use alloc::vec::Vec;

use addr::{PAGE_SIZE, PageRange, USER_END, VirtAddr};
use elf::abi::{PF_X, PT_GNU_STACK, PT_LOAD};
use elf::segment::ProgramHeader;
use pte::Prot;

use crate::ExecError;
use crate::header::{Headers, PHDR_SIZE};
use crate::segment::{FIXED_FLOOR, Segment};

/// Whether a program runs at one place only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `ET_EXEC`: at the addresses in the file.
    Fixed,
    /// `ET_DYN`: anywhere; the addresses are relative until [`LoadPlan::relocated`].
    Pie,
}

/// What to map, and what to tell the program about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadPlan<'a> {
    /// Whether the addresses below are final.
    pub kind: Kind,
    /// What to map, lowest first.
    pub segments: Vec<Segment>,
    /// From the lowest page to the highest.
    pub span: PageRange,
    /// Alignment the file asks for; a power of two, at least a page.
    pub align: u64,
    /// The first instruction.
    pub entry: u64,
    /// Where the program headers are in memory, if a segment contains them.
    pub phdr: Option<u64>,
    /// Number of program headers.
    pub phnum: u16,
    /// Bytes of one program header.
    pub phent: u16,
    /// Where the heap may begin: the first page above everything.
    pub brk_start: u64,
    /// Whether the stack must be executable.
    pub exec_stack: bool,
    /// The program that is to load this one.
    pub interpreter: Option<&'a [u8]>,
}

/// Reads the program whose first bytes are `head` out of a file of `file_len` bytes.
///
/// `head` must hold the program headers and the interpreter's name.
pub fn plan(head: &[u8], file_len: u64) -> Result<LoadPlan<'_>, ExecError> {
    let headers = Headers::parse(head)?;
    let floor = match headers.kind {
        Kind::Fixed => FIXED_FLOOR,
        Kind::Pie => 0,
    };
    let segments = segments(&headers, file_len, floor)?;
    let span = span(&segments).ok_or(ExecError::NoSegments)?;
    if headers.entry >= USER_END {
        return Err(ExecError::OutsideUserSpace);
    }
    Ok(LoadPlan {
        kind: headers.kind,
        segments,
        span,
        align: align(&headers),
        entry: headers.entry,
        phdr: phdr_address(&headers),
        phnum: headers.phnum,
        phent: PHDR_SIZE,
        brk_start: span.end.start().as_u64(),
        exec_stack: headers
            .of_type(PT_GNU_STACK)
            .any(|header| header.p_flags & PF_X != 0),
        interpreter: headers.interpreter(head)?,
    })
}

impl LoadPlan<'_> {
    /// Returns the plan for a position-independent program loaded with its lowest page at
    /// `base`, a multiple of the page size.
    pub fn relocated(mut self, base: VirtAddr) -> Result<Self, ExecError> {
        let bias = base
            .as_u64()
            .checked_sub(self.span.start.start().as_u64())
            .filter(|bias| bias % PAGE_SIZE == 0)
            .ok_or(ExecError::OutsideUserSpace)?;
        self.shift(bias)
            .filter(|()| self.brk_start <= USER_END && self.entry < USER_END)
            .ok_or(ExecError::OutsideUserSpace)?;
        Ok(self)
    }

    /// Returns how many pages lie between the beginning of the first executable segment and the end of
    /// the last.
    pub fn code_pages(&self) -> u64 {
        let code = || {
            let segments = self.segments.iter();
            segments.filter(|segment| segment.prot.contains(Prot::EXEC))
        };
        let start = code().map(|segment| segment.pages.start.number()).min();
        let end = code().map(|segment| segment.pages.end.number()).max();
        start.zip(end).map_or(0, |(start, end)| end - start)
    }

    fn shift(&mut self, bias: u64) -> Option<()> {
        for segment in &mut self.segments {
            segment.relocate(bias)?;
        }
        self.span = span(&self.segments)?;
        self.entry = self.entry.checked_add(bias)?;
        self.phdr = match self.phdr {
            Some(address) => Some(address.checked_add(bias)?),
            None => None,
        };
        self.brk_start = self.span.end.start().as_u64();
        Some(())
    }
}

fn loadable(headers: &Headers<'_>) -> impl Iterator<Item = ProgramHeader> {
    headers.of_type(PT_LOAD)
}

fn segments(headers: &Headers<'_>, file_len: u64, floor: u64) -> Result<Vec<Segment>, ExecError> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut end = 0;
    for header in loadable(headers) {
        let Some(segment) = Segment::new(&header, file_len, floor)? else {
            continue;
        };
        if header.p_vaddr < end {
            return Err(ExecError::Overlap);
        }
        end = header.p_vaddr + header.p_memsz;
        push(&mut segments, segment);
    }
    Ok(segments)
}

/// Adds the next segment; a page it shares with the one below becomes its own.
fn push(segments: &mut Vec<Segment>, segment: Segment) {
    if let Some(below) = segments.last_mut()
        && below.pages.overlaps(&segment.pages)
    {
        below.give_up_last_page();
        if below.pages.is_empty() {
            segments.pop();
        }
    }
    segments.push(segment);
}

fn span(segments: &[Segment]) -> Option<PageRange> {
    let first = segments.first()?;
    let last = segments.last()?;
    Some(PageRange::new(first.pages.start, last.pages.end))
}

/// The largest alignment asked for; what is not a power of two counts for nothing.
fn align(headers: &Headers<'_>) -> u64 {
    loadable(headers)
        .map(|header| header.p_align)
        .filter(|align| align.is_power_of_two())
        .fold(PAGE_SIZE, u64::max)
}

/// Finds the program headers in memory: in the segment that contains their file offset.
fn phdr_address(headers: &Headers<'_>) -> Option<u64> {
    loadable(headers)
        .find(|header| {
            header.p_offset <= headers.phoff && headers.phoff - header.p_offset < header.p_filesz
        })
        .map(|header| headers.phoff - header.p_offset + header.p_vaddr)
}
