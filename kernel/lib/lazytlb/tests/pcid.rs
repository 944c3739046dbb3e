//! The slots against a naive machine: every sequence of a few steps.

use lazytlb::MmId;
use lazytlb::pcid::{KEEP, Slots, Tag};

const MMS: usize = 4;
const SLOTS: usize = 2;

/// What the hardware holds under a PCID: whose translations, and how new they are.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Held {
    mm: usize,
    fresh: u64,
}

#[derive(Clone)]
struct Machine {
    slots: Slots<SLOTS>,
    held: [Option<Held>; SLOTS + 1],
    generations: [u64; MMS],
    /// The mm that runs, and its PCID.
    on: (usize, u16),
    kept: u32,
}

/// A rule that is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// A slot that has the mm is kept whatever the generation.
    Generation,
    /// Slots are recognised by the mm's place in memory, which is used again.
    Recognition,
}

impl Machine {
    fn new() -> Self {
        Self {
            slots: Slots::EMPTY,
            held: [None; SLOTS + 1],
            generations: [0; MMS],
            on: (0, 0),
            kept: 0,
        }
    }

    /// Writes CR3, and says whether user code then sees only what is true.
    fn switch(&mut self, mm: usize, broken: Broken) -> bool {
        let (number, generation) = match broken {
            Broken::Generation => (mm, 0),
            Broken::Recognition => (mm.min(2), self.generations[mm]),
            Broken::Nothing => (mm, self.generations[mm]),
        };
        let tag = self.slots.load(MmId::new(number as u64), generation);
        let held = &mut self.held[usize::from(tag.pcid)];
        if !tag.keep {
            *held = None;
        }
        self.kept += u32::from(tag.keep && mm != 0);
        self.on = (mm, tag.pcid);
        // init_mm has no user half: there is nothing that could be wrong.
        if mm == 0 {
            return true;
        }
        let fresh = self.generations[mm];
        *held.get_or_insert(Held { mm, fresh }) == Held { mm, fresh }
    }

    /// Unmaps something of `mm`; this CPU flushes if it is on it.
    fn unmap(&mut self, mm: usize) {
        self.generations[mm] += 1;
        if self.on.0 == mm {
            let fresh = self.generations[mm];
            self.held[usize::from(self.on.1)] = Some(Held { mm, fresh });
            self.slots.caught_up(MmId::new(mm as u64), fresh);
        }
    }
}

/// Walks through every sequence of `depth` steps; returns whether all were right, and how often something was kept.
fn walk(machine: &Machine, depth: u32, broken: Broken) -> (bool, u32) {
    if depth == 0 {
        return (true, machine.kept);
    }
    let (mut right, mut kept) = (true, 0);
    for mm in 0..MMS {
        let mut next = machine.clone();
        right &= next.switch(mm, broken);
        let below = walk(&next, depth - 1, broken);
        (right, kept) = (right && below.0, kept.max(below.1));
        if mm > 0 {
            let mut next = machine.clone();
            next.unmap(mm);
            let below = walk(&next, depth - 1, broken);
            (right, kept) = (right && below.0, kept.max(below.1));
        }
    }
    (right, kept)
}

#[test]
fn tlb_6_no_sequence_of_switches_and_flushes_finds_a_slot_that_lies() {
    let (right, kept) = walk(&Machine::new(), 7, Broken::Nothing);
    assert!(right);
    assert!(kept >= 4, "slots are found warm: {kept}");
}

#[test]
fn tlb_6_without_the_generation_a_slot_lies() {
    assert!(!walk(&Machine::new(), 5, Broken::Generation).0);
}

#[test]
fn tlb_6_recognising_a_slot_by_what_is_used_again_lies() {
    assert!(!walk(&Machine::new(), 5, Broken::Recognition).0);
}

#[test]
fn tlb_6_slots_are_taken_in_turn() {
    let mut slots = Slots::<6>::EMPTY;
    let pcids: Vec<u16> = (1..=8)
        .map(|mm| slots.load(MmId::new(mm), 0).pcid)
        .collect();
    assert_eq!(pcids, [1, 2, 3, 4, 5, 6, 1, 2]);
    // The third is still there, the first is gone.
    let third = slots.load(MmId::new(3), 0);
    assert_eq!(
        third,
        Tag {
            pcid: 3,
            keep: true
        }
    );
    let first = slots.load(MmId::new(1), 0);
    assert_eq!(
        first,
        Tag {
            pcid: 3,
            keep: false
        }
    );
}

#[test]
fn tlb_6_init_mm_has_pcid_0_and_is_always_kept() {
    let mut slots = Slots::<6>::EMPTY;
    let tag = slots.load(MmId::INIT, 0);
    assert_eq!((tag.pcid, tag.keep, tag.bits()), (0, true, KEEP));
    let tag = slots.load(MmId::new(9), 5);
    assert_eq!((tag.pcid, tag.keep, tag.bits()), (1, false, 1));
}
