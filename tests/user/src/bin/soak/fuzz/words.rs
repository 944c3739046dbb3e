//! What an argument means, and a value that means it: something that was made before, an interesting number, a structure
//! in the scratch memory; and once in a while something that means nothing at all.

use user::map::Map;
use user::mem::{self, PAGE};
use user::sys;

use super::lists::{LENGTHS, MAP_FLAGS, NAMES, OFFSETS, PATHS, SIGNALS, TEXTS};
use crate::random::Random;

/// What an argument stands for.
#[derive(Clone, Copy)]
pub(crate) enum Word {
    /// A descriptor.
    Fd,
    /// The descriptor of a directory, or the current one.
    Dir,
    /// A path that may lead anywhere.
    Path,
    /// A name that may be made, changed and removed.
    Name,
    /// Some text that is no path.
    Text,
    /// Memory to read from or write to.
    Buf,
    /// How much of it.
    Len,
    /// A place in a file.
    Offset,
    /// An address in a mapping.
    Addr,
    /// Where a mapping is to go.
    Hint,
    MapLen,
    MapFlags,
    MapFd,
    Pid,
    Sig,
    /// A set of signals.
    Set,
    Action,
    Stack,
    SignalEvent,
    /// A time that is not long.
    Time,
    /// Two of them.
    Spec,
    Iov,
    Msg,
    Sock,
    Poll,
    FdSet,
    Event,
    Limit,
    Attr,
    /// A word that threads wait for.
    Mutex,
    Null,
    Any,
    /// A number below this.
    Small(u64),
    /// One of these.
    Of(&'static [u64]),
    /// Some of these bits.
    Bits(&'static [u64]),
}

/// How many descriptors, mappings and children are remembered.
const KEPT: usize = 24;

/// What was made so far, and memory to pass things in.
pub(crate) struct Stock {
    pub(crate) random: Random,
    pub(crate) room: Map,
    pub(crate) fds: Kept<i32>,
    pub(crate) maps: Kept<(u64, u64)>,
    pub(crate) pids: Kept<i32>,
    /// A handler that does nothing, and where it returns to.
    pub(crate) handler: [u64; 2],
}

/// The last things of a kind, in memory that never moves.
#[derive(Clone, Copy)]
pub(crate) struct Kept<T> {
    all: [Option<T>; KEPT],
    next: usize,
}

impl<T: Copy> Kept<T> {
    pub(crate) const fn new() -> Self {
        Self {
            all: [None; KEPT],
            next: 0,
        }
    }

    pub(crate) fn keep(&mut self, one: T) {
        self.all[self.next % KEPT] = Some(one);
        self.next += 1;
    }

    pub(crate) fn any(&self, random: &mut Random) -> Option<T> {
        let known = self.next.min(KEPT) as u64;
        (known > 0)
            .then(|| self.all[random.below(known) as usize])
            .flatten()
    }
}

impl Stock {
    /// Gives a value for `word`.
    pub(crate) fn value(&mut self, word: Word) -> u64 {
        if self.random.one_in(24) {
            return self.wild();
        }
        match word {
            Word::Fd | Word::MapFd => self.fd(),
            Word::Dir if self.random.one_in(2) => libc::AT_FDCWD as u64,
            Word::Dir => self.fd(),
            Word::Path => self.random.pick(PATHS).as_ptr() as u64,
            Word::Name => self.random.pick(NAMES).as_ptr() as u64,
            Word::Text => self.random.pick(TEXTS).as_ptr() as u64,
            Word::Buf => self.buffer(),
            Word::Len => self.random.pick(LENGTHS),
            Word::Offset => self.random.pick(OFFSETS),
            Word::Addr => self.address(),
            Word::Hint if self.random.one_in(3) => self.address(),
            Word::Hint => 0,
            Word::MapLen => (1 + self.random.below(24)) * PAGE - u64::from(self.random.one_in(6)),
            Word::MapFlags => self.random.pick(MAP_FLAGS),
            Word::Pid => self.pid(),
            Word::Sig => self.random.pick(SIGNALS),
            Word::Null => 0,
            Word::Any => self.wild(),
            Word::Small(limit) => self.random.below(limit),
            Word::Of(choices) => self.random.pick(choices),
            Word::Bits(bits) => self.random.some(bits),
            Word::Mutex => self.room.page(0) + 4 * self.random.below(8),
            structure => self.structure(structure),
        }
    }

    fn fd(&mut self) -> u64 {
        if self.random.one_in(10) {
            return self
                .random
                .pick(&[0, 1, 2, 9, 63, 1023, u64::MAX, -100_i64 as u64, 1 << 31]);
        }
        self.fds.any(&mut self.random).unwrap_or(3) as u64
    }

    fn pid(&mut self) -> u64 {
        match self.random.below(6) {
            0 => 0,
            1 | 2 => sys::getpid() as u64,
            3 => sys::raw(libc::SYS_gettid, [0; 6]) as u64,
            _ => self.pids.any(&mut self.random).unwrap_or(0) as u64,
        }
    }

    fn address(&mut self) -> u64 {
        let (start, len) = self
            .maps
            .any(&mut self.random)
            .unwrap_or((self.room.page(4), PAGE));
        start + PAGE * self.random.below((len / PAGE).max(1))
    }

    fn buffer(&mut self) -> u64 {
        match self.random.below(12) {
            0 => self.room.end() - self.random.below(64),
            1 => self.address(),
            2 => self.room.start + self.random.below(self.room.bytes()),
            _ => self.room.page(1) + 8 * self.random.below(1500),
        }
    }

    /// Writes words at a place in the scratch memory and gives the place.
    fn put<const N: usize>(&mut self, words: [u64; N]) -> u64 {
        let at = self.room.page(4) + 8 * self.random.below(900);
        for (index, word) in words.into_iter().enumerate() {
            mem::poke64(at + 8 * index as u64, word);
        }
        at
    }

    fn structure(&mut self, word: Word) -> u64 {
        let ns = self
            .random
            .pick(&[0, 1, 1000, 200_000, 1_000_000, 1_000_000_000, u64::MAX]);
        match word {
            Word::Set => {
                // Faults and the timer are always heard.
                let set = self.random.next() & self.random.next() & !(1 << 13 | 1 << 10 | 1 << 6);
                self.put([set])
            }
            Word::Action => {
                let [entry, restorer] = self.handler;
                let handler = self
                    .random
                    .pick(&[entry, entry, entry, entry, entry, entry, 1, 1, 0]);
                let flags = 0x0400_0004
                    | self
                        .random
                        .some(&[1, 2, 0x0800_0000, 0x1000_0000, 0x4000_0000, 0x8000_0000]);
                let mask = self.random.some(&[0xffff, 1 << 33, 1 << 9]);
                self.put([handler, flags, restorer, mask])
            }
            Word::Stack => {
                let size = self.random.pick(&[8192, 16_384, 2048, 100, 0]);
                let flags = self.random.pick(&[0, 0, 2, 1 << 31, 1]);
                self.put([self.room.page(10), flags, size])
            }
            Word::SignalEvent => {
                let (value, signal) = (self.random.next(), self.random.pick(&[10, 12, 34, 35, 65]));
                let how = self.random.pick(&[0, 1, 4, 2]);
                let tid = sys::raw(libc::SYS_gettid, [0; 6]) as u64;
                self.put([value, signal | how << 32, tid, 0, 0, 0, 0, 0])
            }
            Word::Time if self.random.one_in(8) => 0,
            Word::Time => self.put([0, ns]),
            Word::Spec => {
                let period = self.random.pick(&[0, 0, 1000, 100_000]);
                self.put([0, period, 0, ns])
            }
            Word::Iov => {
                let mut four = [0; 8];
                for pair in four.chunks_mut(2) {
                    pair[0] = self.buffer();
                    pair[1] = self.random.pick(LENGTHS);
                }
                self.put(four)
            }
            Word::Msg => self.message(),
            Word::Sock => {
                let name = self
                    .random
                    .pick(&[b"\0\0a", b"\0\0b", b"s\0\0", b"d/s", b"\0\0\0", b"t\0\0"]);
                let family = self.random.pick(&[1, 1, 1, 1, 0, 2]);
                let word = family
                    | u64::from(name[0]) << 16
                    | u64::from(name[1]) << 24
                    | u64::from(name[2]) << 32;
                self.put([word, 0])
            }
            Word::Poll => {
                let mut polled = [0; 6];
                for one in &mut polled {
                    *one = self.fd() & 0xffff_ffff | self.random.pick(&[1, 4, 5, 0x2005, 0]) << 32;
                }
                self.put(polled)
            }
            Word::FdSet if self.random.one_in(3) => 0,
            Word::FdSet => {
                let set = self.random.next() & self.random.next() & self.random.next();
                self.put([set, 0])
            }
            Word::Event => {
                let events =
                    self.random
                        .pick(&[1, 4, 5, 1 << 31 | 1, 1 << 30 | 1, 1 << 28 | 1, 0x2015]);
                self.put([events | 7 << 32, 0])
            }
            Word::Limit if self.random.one_in(3) => 0,
            Word::Limit => {
                let soft = self.random.pick(&[64, 1 << 16, 1 << 23, 1 << 25, u64::MAX]);
                self.put([soft, u64::MAX])
            }
            Word::Attr => {
                let policy = self.random.pick(&[0, 3, 5, 1, 2, 6, 7]);
                let (nice, priority) = (self.random.below(20), self.random.below(3));
                self.put([48 | policy << 32, 0, nice, priority, 0, 0])
            }
            _ => self.wild(),
        }
    }

    /// A `msghdr` with some data, and sometimes descriptors or credentials.
    fn message(&mut self) -> u64 {
        let (data, len) = (self.buffer(), self.random.pick(&[0, 1, 8, 100, 4096]));
        let iov = self.put([data, len]);
        let control = match self.random.below(3) {
            0 => 0,
            _ => {
                let kind = self.random.pick(&[1, 1, 1, 2, 3]);
                let size = self.random.pick(&[20, 24, 20, 28, 16, 15]);
                let fds = self.fd() & 0xffff_ffff | self.fd() << 32;
                self.put([size, 1 | kind << 32, fds, 0])
            }
        };
        let size = if control == 0 {
            0
        } else {
            self.random.pick(&[24, 24, 32, 20, 64])
        };
        let header = self.put([0, 0, iov, 1, control, size, 0, 0]);
        mem::poke64(header + 56, 0);
        header
    }

    /// A value that means nothing, or nearly something.
    pub(crate) fn wild(&mut self) -> u64 {
        match self.random.below(14) {
            0 => self.random.below(8),
            1 => self.random.below(4096),
            2 => u64::MAX - self.random.below(8),
            3 => self.room.end() - self.random.below(16),
            4 => self.room.page(self.random.below(20)),
            5 => PAGE * self.random.below(1000),
            6 => 1 << self.random.below(64),
            7 => (1 << self.random.below(64)) - 1,
            8 => 0x7fff_ffff_f000 - self.random.below(3) * PAGE,
            9 => 0x8000_0000_0000 + self.random.below(16),
            10 => 0xffff_8880_0000_0000 + self.random.below(1 << 20),
            11 => 0xffff_ffff_8000_0000 + self.random.below(1 << 20),
            12 => self.random.next() & 0xffff_ffff,
            _ => self.random.next(),
        }
    }
}
