//! Where the parts of an address space go that are bound to no place (VM-4, VM-9, EX-5).
//!
//! ```text
//!   USER_END ── up to 16 GiB ── stack_top: the stack, down from here
//!            ── the stack's room, 16 GiB, up to 1 TiB ── the first mapping, down from here
//!   PIE_BASE ── up to 1 TiB ── a program with an interpreter
//!   program  ── up to 32 MiB ── the heap
//! ```

use addr::{PAGE_SIZE, USER_END};

use crate::{Kind, LoadPlan};

/// Where a position-independent program with an interpreter goes at the lowest, and the heap of
/// one without: two thirds up user space.
pub const PIE_BASE: u64 = 0x5555_5555_4000;

/// Pages by which the stack's top may be lowered: 16 GiB.
const STACK_PAGES: u64 = 1 << 22;
/// Pages by which mappings may be lowered, and programs raised: 1 TiB.
const MAP_PAGES: u64 = 1 << 28;
/// Pages by which the heap may be raised: 32 MiB.
const HEAP_PAGES: u64 = 1 << 13;

/// Where the parts go. All of it is multiples of the page size, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// First address above the stack.
    pub stack_top: u64,
    /// How much lower than the stack's room asks for mappings begin.
    pub mmap_shift: u64,
    /// Where a position-independent program with an interpreter goes.
    pub pie_base: u64,
    /// How far above its lowest place the heap begins.
    heap_shift: u64,
}

impl Layout {
    /// The same for every program, as `norandmaps` wants it.
    pub const PLAIN: Self = Self {
        stack_top: USER_END,
        mmap_shift: 0,
        pie_base: PIE_BASE,
        heap_shift: 0,
    };

    /// Takes the places from random words, one for each.
    #[must_use]
    pub const fn random(words: [u64; 4]) -> Self {
        let [stack, mappings, program, heap] = words;
        Self {
            stack_top: USER_END - stack % STACK_PAGES * PAGE_SIZE,
            // The stack's room begins at its top, wherever that is.
            mmap_shift: (STACK_PAGES + mappings % MAP_PAGES) * PAGE_SIZE,
            pie_base: PIE_BASE + program % MAP_PAGES * PAGE_SIZE,
            heap_shift: heap % HEAP_PAGES * PAGE_SIZE,
        }
    }

    /// Returns where the heap of a program begins: behind it, but not behind one that was placed
    /// among the mappings (VM-9).
    #[must_use]
    pub fn heap_start(&self, plan: &LoadPlan<'_>) -> u64 {
        let lowest = match plan.kind {
            Kind::Pie if plan.interpreter.is_none() => PIE_BASE,
            _ => plan.brk_start,
        };
        (lowest + self.heap_shift).min(USER_END)
    }
}
