//! Making a program from a seed.

use pte::{Access, Prot};
use vma::VmFlags;

use crate::mm::MapKind;
use crate::mm::madvise::Advice;
use crate::program::{Act, At, FILES, HEAP, LARGE, Locking, Remap, STACKS, Step, What};
use crate::sim::cpu::Random;

/// Around a boundary of all three table levels, and at the lowest address allowed.
const SMALL: [u64; 2] = [(1 << 39) - 0xc000, addr::MMAP_MIN_ADDR];
const PAGE: u64 = addr::PAGE_SIZE;

/// Which programs to make.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    /// Steps of a program.
    pub steps: usize,
    /// Whether all programs use ranges of 2 MiB and more.
    pub large: bool,
    /// Whether memory runs out now and then.
    pub hogs: bool,
}

/// Makes the program of a seed.
pub fn program(seed: u64, taste: &Taste) -> Vec<Step> {
    let mut maker = Maker {
        random: Random::new(seed),
        // Large programs are slow: one in eight.
        large: taste.large || seed % 8 == 5,
        mostly_large: taste.large,
        hogs: taste.hogs,
    };
    (0..taste.steps).map(|_| maker.step()).collect()
}

struct Maker {
    random: Random,
    large: bool,
    mostly_large: bool,
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
            0..17 => self.map(),
            17..23 => Act::Unmap(self.range_start(), self.len()),
            23..33 => Act::Protect(self.range_start(), self.len(), self.prot()),
            33..43 => Act::Advise(self.range_start(), self.len(), self.advice()),
            43..50 => Act::Remap(self.remap()),
            50..53 => self.lock(),
            53..56 => Act::Brk(self.heap()),
            56..80 => self.touch(),
            80..83 => Act::Remote(self.address(), self.random.one_in(2), self.random.draw()),
            83..89 => Act::Fork,
            89..91 => Act::Exit,
            91..94 => Act::Pause,
            94 => Act::Resize(
                self.random.below(FILES.len() as u64) as usize,
                self.random.below(24),
            ),
            95 => Act::Reclaim(self.random.below(8)),
            96 if self.random.one_in(3) => Act::Reap,
            97 | 98 if self.hogs => Act::Hog(self.random.below(12)),
            99 if self.hogs => match self.random.one_in(2) {
                true => Act::Relent,
                false => Act::Fail(1 + self.random.below(6)),
            },
            _ => self.touch(),
        }
    }

    /// Room for large pages, aligned or not quite.
    fn map_large(&mut self) -> Act {
        Act::Map {
            at: At::Exact(LARGE + (self.random.below(8) << 20)),
            len: (2 + self.random.below(5)) << 20,
            prot: Prot::READ | Prot::WRITE,
            kind: MapKind::Fixed,
            what: What::Anon,
            flags: VmFlags::empty(),
            populate: self.random.one_in(8),
        }
    }

    fn map(&mut self) -> Act {
        if self.mostly_large && self.random.one_in(3) {
            return self.map_large();
        }
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
            (VmFlags::LOCKED, 25),
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
            populate: self.random.one_in(8),
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

    fn advice(&mut self) -> Advice {
        let (a, b) = (self.random.one_in(2), self.random.one_in(4));
        let flags = |set, clear| Advice::Flags { set, clear };
        let one_of = |set: bool, flag| match set {
            true => flags(flag, VmFlags::empty()),
            false => flags(VmFlags::empty(), flag),
        };
        match self.random.below(18) {
            0..5 => Advice::DontNeed { locked: b },
            5 | 6 => Advice::Free,
            7 | 8 => Advice::GuardInstall,
            9 => Advice::GuardRemove,
            10 => Advice::Populate(Access::Read),
            11 => Advice::Populate(Access::Write),
            12 => one_of(a, VmFlags::DONTFORK),
            13 => one_of(a, VmFlags::WIPEONFORK),
            14 => flags(VmFlags::HUGEPAGE, VmFlags::NOHUGEPAGE),
            15 if b => flags(VmFlags::NOHUGEPAGE, VmFlags::HUGEPAGE),
            16 => Advice::Remove,
            _ => Advice::Hint { evicts: a },
        }
    }

    fn remap(&mut self) -> Remap {
        let old_len = match self.random.below(12) {
            0 => 0,
            _ => self.len(),
        };
        let new_len = match self.random.below(3) {
            0 => old_len,
            1 => old_len.wrapping_add(PAGE * (self.random.below(9) + 1)),
            _ => self.len(),
        };
        Remap {
            at: match self.random.one_in(8) {
                true => self.range_start(),
                false => At::Mapped(self.random.draw(), 0),
            },
            old_len,
            new_len,
            may_move: !self.random.one_in(6),
            fixed: self.random.one_in(2),
            dont_unmap: self.random.one_in(6),
            to: self.range_start(),
        }
    }

    fn lock(&mut self) -> Act {
        let how = match self.random.below(5) {
            0 | 1 => Locking::Now,
            2 => Locking::OnFault,
            _ => Locking::Off,
        };
        match self.random.below(8) {
            0 => Act::LockAll(self.random.one_in(2), self.random.one_in(4), how),
            _ => Act::Lock(self.range_start(), self.len(), how),
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
        if self.mostly_large && self.random.one_in(2) {
            let apart = match self.random.below(3) {
                0 => self.random.below(8) << 20,
                _ => PAGE * self.random.below(5 * 512),
            };
            return At::Exact(LARGE + apart);
        }
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
