//! The slots against a naive machine: every sequence of a few steps.

use addr::{Page, PageRange};
use lazytlb::pcid::{KEEP, Slots, Tag};
use lazytlb::{FlushRequest, MmId};

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
    /// A flush of the slot in use is not noted: harmless, the slot is dropped when it is used again.
    CaughtUp,
    /// A slot out of use follows every request, whatever it missed before.
    Following,
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
            _ => (mm, self.generations[mm]),
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

    /// Unmaps something of `mm`; this CPU flushes if it is on it, and may hear of it if it is not.
    fn unmap(&mut self, mm: usize, hears: bool, broken: Broken) {
        self.generations[mm] += 1;
        let fresh = self.generations[mm];
        if self.on.0 == mm {
            self.held[usize::from(self.on.1)] = Some(Held { mm, fresh });
            if broken != Broken::CaughtUp {
                self.slots.caught_up(fresh);
            }
        } else if hears {
            self.follow(mm, fresh, broken);
        }
    }

    /// Drops single pages of a slot that is not in use: what it missed before, it still misses.
    fn follow(&mut self, mm: usize, fresh: u64, broken: Broken) {
        let mut asked = request(mm, fresh);
        if broken == Broken::Following {
            // The first generation that this slot will take for the next one.
            asked.generation = (1..=fresh)
                .find(|generation| {
                    let asked = request(mm, *generation);
                    self.slots.clone().follow(&asked, *generation).is_some()
                })
                .unwrap_or(fresh);
            if self.slots.follow(&asked, asked.generation).is_none() {
                return;
            }
            while asked.generation < fresh {
                asked.generation += 1;
                self.slots.follow(&asked, asked.generation);
            }
        } else if self.slots.follow(&asked, fresh).is_none() {
            return;
        }
        for held in self.held.iter_mut().flatten() {
            if held.mm == mm && held.fresh + 1 == fresh {
                held.fresh = fresh;
            }
        }
    }
}

fn request(mm: usize, generation: u64) -> FlushRequest {
    FlushRequest {
        mm: MmId::new(mm as u64),
        generation,
        range: PageRange::from_len(Page::new(7), 1),
        freed_tables: false,
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
        for hears in [false, true] {
            if mm > 0 && (!hears || machine.on.0 != mm) {
                let mut next = machine.clone();
                next.unmap(mm, hears, broken);
                let below = walk(&next, depth - 1, broken);
                (right, kept) = (right && below.0, kept.max(below.1));
            }
        }
    }
    (right, kept)
}

#[test]
fn tlb_6_no_sequence_of_switches_and_flushes_finds_a_slot_that_lies() {
    let (right, kept) = walk(&Machine::new(), 6, Broken::Nothing);
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
            keep: true,
            recycled: false,
        }
    );
    let first = slots.load(MmId::new(1), 0);
    assert_eq!(
        first,
        Tag {
            pcid: 3,
            keep: false,
            recycled: true,
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

#[test]
fn tlb_6_a_slot_that_follows_more_than_the_next_generation_lies() {
    assert!(!walk(&Machine::new(), 5, Broken::Following).0);
}

#[test]
fn tlb_6_a_flush_that_is_not_noted_only_costs_another_one() {
    let (right, _) = walk(&Machine::new(), 5, Broken::CaughtUp);
    assert!(right);
    let kept_after_a_flush = |broken| {
        let mut machine = Machine::new();
        machine.switch(1, broken);
        machine.unmap(1, false, broken);
        machine.switch(2, broken);
        machine.switch(1, broken);
        machine.kept
    };
    assert_eq!(kept_after_a_flush(Broken::Nothing), 1);
    assert_eq!(kept_after_a_flush(Broken::CaughtUp), 0);
}

#[test]
fn tlb_6_a_slot_out_of_use_follows_small_requests_for_its_very_next_generation() {
    let mut slots = Slots::<6>::EMPTY;
    slots.load(MmId::new(1), 5);
    assert_eq!(slots.follow(&request(1, 6), 6), None, "it is in use");
    slots.load(MmId::new(2), 0);
    assert_eq!(slots.follow(&request(3, 1), 1), None, "there is no slot");
    assert_eq!(slots.follow(&request(1, 7), 7), None, "one was missed");
    assert_eq!(slots.follow(&request(1, 6), 7), None, "another one came");
    let tables = FlushRequest {
        freed_tables: true,
        ..request(1, 6)
    };
    assert_eq!(slots.follow(&tables, 6), None, "tables are freed");
    let large = FlushRequest {
        range: PageRange::from_len(Page::new(7), 34),
        ..request(1, 6)
    };
    assert_eq!(slots.follow(&large, 6), None, "too many pages");
    let (pcid, pages) = slots.follow(&request(1, 6), 6).expect("it follows");
    assert_eq!((pcid, pages.len()), (1, 1));
    assert!(slots.load(MmId::new(1), 6).keep);
    assert!(!slots.load(MmId::new(1), 7).keep);
}
