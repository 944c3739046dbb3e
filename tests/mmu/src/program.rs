//! What a program does: a list of steps, made from a seed and nothing else.
//!
//! Steps name processes and mapped pages by number, counted around, so that every step means
//! something whatever the steps before it did; leaving one out makes another valid program.

use pte::{Access, Prot};
use vma::VmFlags;

use crate::mm::MapKind;

/// One step: who does what.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which of the living processes.
    pub who: u64,
    /// Whether a kernel thread does it on the process's behalf, without going onto its tables.
    pub from_outside: bool,
    /// What.
    pub act: Act,
}

/// An address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// This one.
    Exact(u64),
    /// So many bytes from the start of one of the mapped pages.
    Mapped(u64, i64),
}

/// What a mapping shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Private anonymous memory.
    Anon,
    /// Shared anonymous memory.
    SharedAnon,
    /// A file from a page on.
    File {
        /// Which file.
        file: usize,
        /// Which of its pages comes first.
        page: u64,
        /// Whether writes go to the file.
        shared: bool,
    },
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Act {
    /// mmap.
    Map {
        /// Address or hint.
        at: At,
        /// Bytes.
        len: u64,
        /// Protection.
        prot: Prot,
        /// How the address is meant.
        kind: MapKind,
        /// What is shown.
        what: What,
        /// Further properties.
        flags: VmFlags,
    },
    /// munmap.
    Unmap(At, u64),
    /// mprotect.
    Protect(At, u64, Prot),
    /// madvise(MADV_DONTNEED).
    Discard(At, u64),
    /// brk, so many bytes above the heap's start.
    Brk(u64),
    /// One access to each of so many pages; a write writes a number made from the last field.
    Touch(At, Access, u64, u64),
    /// Reading or writing a few bytes from outside, across a page boundary or not.
    Remote(At, bool, u64),
    /// fork.
    Fork,
    /// The end of the process; the last one is followed by a new one.
    Exit,
    /// The processor goes on to a kernel thread.
    Pause,
    /// Somebody takes all frames but so many above the reserve.
    Hog(u64),
    /// That somebody gives them back.
    Relent,
}

/// The files that every program finds: their lengths in pages.
pub const FILES: [u64; 3] = [3, 18, 40];
/// Where the heap starts: not far below a 2 MiB boundary.
pub const HEAP: u64 = 0x5000_0000 - 0x6000;
/// Where there is room for large pages.
pub const LARGE: u64 = 0x6000_0000;
/// Where stacks are put.
pub const STACKS: u64 = 0x7000_0000;
/// Around a boundary of all three table levels, and at the lowest address allowed.
const SMALL: [u64; 2] = [(1 << 39) - 0xc000, addr::MMAP_MIN_ADDR];
const PAGE: u64 = addr::PAGE_SIZE;

/// Which programs to make.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    /// Steps of a program.
    pub steps: usize,
    /// Whether memory runs out now and then.
    pub hogs: bool,
}

/// Makes the program of a seed.
pub fn program(seed: u64, taste: &Taste) -> Vec<Step> {
    let mut maker = Maker {
        random: crate::sim::cpu::Random::new(seed),
        // Large programs are slow: one in eight.
        large: seed % 8 == 5,
        hogs: taste.hogs,
    };
    (0..taste.steps).map(|_| maker.step()).collect()
}

struct Maker {
    random: crate::sim::cpu::Random,
    large: bool,
    hogs: bool,
}

impl Maker {
    fn step(&mut self) -> Step {
        Step {
            who: self.random.below(6),
            from_outside: self.random.one_in(8),
            act: self.act(),
        }
    }

    fn act(&mut self) -> Act {
        match self.random.below(100) {
            0..18 => self.map(),
            18..27 => Act::Unmap(self.range_start(), self.len()),
            27..39 => Act::Protect(self.range_start(), self.len(), self.prot()),
            39..44 => Act::Discard(self.range_start(), self.len()),
            44..48 => Act::Brk(self.heap()),
            48..80 => self.touch(),
            80..84 => Act::Remote(self.address(), self.random.one_in(2), self.random.draw()),
            84..90 => Act::Fork,
            90..93 => Act::Exit,
            93..97 => Act::Pause,
            97 | 98 if self.hogs => Act::Hog(self.random.below(12)),
            99 if self.hogs => Act::Relent,
            _ => self.touch(),
        }
    }

    fn map(&mut self) -> Act {
        let what = self.what();
        let at = self.range_start();
        let stack =
            matches!(at, At::Exact(at) if at >> 24 == (STACKS - 1) >> 24) && what == What::Anon;
        let mut flags = VmFlags::empty();
        for (flag, odds) in [
            (VmFlags::GROWSDOWN, if stack { 2 } else { u64::MAX }),
            (VmFlags::NORESERVE, 10),
            (VmFlags::DONTFORK, 12),
            (
                VmFlags::WIPEONFORK,
                if what == What::Anon { 10 } else { u64::MAX },
            ),
        ] {
            flags.set(flag, self.random.one_in(odds));
        }
        Act::Map {
            at,
            len: self.len(),
            prot: self.prot(),
            kind: match self.random.below(4) {
                0 => MapKind::Hint,
                1 => MapKind::FixedNoReplace,
                _ => MapKind::Fixed,
            },
            what,
            flags,
        }
    }

    fn what(&mut self) -> What {
        match self.random.below(8) {
            0..4 => What::Anon,
            4 => What::SharedAnon,
            _ => What::File {
                file: self.random.below(FILES.len() as u64) as usize,
                page: self.random.below(6),
                shared: self.random.one_in(3),
            },
        }
    }

    fn touch(&mut self) -> Act {
        let access = match self.random.below(8) {
            0..4 => Access::Write,
            4..7 => Access::Read,
            _ => Access::Fetch,
        };
        let pages = match self.random.below(4) {
            0 => 1 + self.random.below(20),
            1 if self.large => 1 + self.random.below(600),
            _ => 1,
        };
        Act::Touch(self.address(), access, pages, self.random.draw())
    }

    fn prot(&mut self) -> Prot {
        match self.random.below(8) {
            0..4 => Prot::READ | Prot::WRITE,
            _ => Prot::from_bits_truncate(self.random.below(8) as u8),
        }
    }

    /// Where to read or write: mostly what is mapped.
    fn address(&mut self) -> At {
        if self.random.one_in(4) {
            let At::Exact(at) = self.place() else {
                return At::Mapped(0, 0);
            };
            return At::Exact(at + 8 * self.random.below(PAGE / 8));
        }
        let apart = match self.random.below(8) {
            0 => 8 * self.random.below(2 * PAGE) as i64 - 8 * PAGE as i64,
            _ => 8 * self.random.below(PAGE / 8) as i64,
        };
        At::Mapped(self.random.draw(), apart)
    }

    /// Where a range begins: mostly on a page boundary.
    fn range_start(&mut self) -> At {
        match self.random.below(20) {
            0 => At::Exact(self.odd_number()),
            1..8 => At::Mapped(
                self.random.draw(),
                (self.random.below(5) as i64 - 2) * PAGE as i64,
            ),
            _ => self.place(),
        }
    }

    fn place(&mut self) -> At {
        let at = match self.random.below(8) {
            0 => HEAP + PAGE * self.random.below(12),
            1 | 2 => STACKS - PAGE * self.random.below(600),
            3 if self.large => LARGE + (self.random.below(4) << 21),
            3 | 4 if self.large => LARGE + PAGE * self.random.below(3 * 512),
            n => SMALL[usize::from(n == 5)] + PAGE * self.random.below(24),
        };
        At::Exact(at)
    }

    fn len(&mut self) -> u64 {
        match self.random.below(24) {
            0 => self.odd_number(),
            1 => 1 + self.random.below(3 * PAGE),
            2 if self.large => self.random.below(3 * 512) * PAGE,
            3..6 if self.large => (1 + self.random.below(3)) << 21,
            6..9 => (1 + self.random.below(24)) * PAGE,
            _ => (1 + self.random.below(5)) * PAGE,
        }
    }

    fn heap(&mut self) -> u64 {
        match self.random.below(8) {
            0 => self.odd_number(),
            1 => 0,
            _ => self.random.below(14 * PAGE),
        }
    }

    /// Numbers at which something ends.
    fn odd_number(&mut self) -> u64 {
        const EDGES: [u64; 8] = [
            0,
            1,
            PAGE - 1,
            addr::USER_END - 2 * PAGE,
            addr::USER_END,
            1 << 63,
            u64::MAX - PAGE,
            u64::MAX,
        ];
        EDGES[self.random.below(EDGES.len() as u64) as usize]
    }
}
