//! Does what a plan says, and compares.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use user::mem::{self, PAGE};
use user::touch::{self, Fault};
use user::{sys, vmas};

use crate::model::{File, PAGES, errno, signal};
use crate::plan::{Act, Arg, ELSEWHERE, Want, at, unit};

/// Is what a program needs to act: where the arena is, and files.
pub(crate) struct Hands {
    base: u64,
    program: fs::File,
    /// The ends of a pipe that never blocks, for accesses by the kernel.
    pipe: [i32; 2],
    /// Whether every access goes through the kernel.
    pub(crate) by_calls: bool,
}

/// Is what came of an act.
pub(crate) enum Got {
    Value(u64),
    Text(String),
}

const LAST_PAGES: u64 = 6;
const ENDS: libc::c_int = libc::O_NONBLOCK;

impl Hands {
    /// Opens what is needed. The arena lies across a border of page tables that the seed picks.
    pub(crate) fn new(seed: u64, by_calls: bool) -> io::Result<Self> {
        let border = [0x2000_0000_0000, 0x2000_0020_0000, 0x2000_4000_0000][seed as usize % 3];
        let mut pipe = [0_i32; 2];
        sys::call(libc::SYS_pipe2, [sys::at(&mut pipe), ENDS as u64])
            .map_err(|e| io::Error::from_raw_os_error(e.0))?;
        Ok(Self {
            base: border - at(PAGES / 2),
            program: fs::File::open(std::env::current_exe()?)?,
            pipe,
            by_calls,
        })
    }

    /// Reads what the model has to know of the program's file.
    pub(crate) fn file(&self) -> io::Result<File> {
        let len = self.program.metadata()?.len();
        let first = (len / PAGE).saturating_sub(LAST_PAGES);
        let mut bytes = vec![0; (len - first * PAGE).next_multiple_of(PAGE) as usize];
        let mut done = 0;
        while done < (len - first * PAGE) as usize {
            match self
                .program
                .read_at(&mut bytes[done..], first * PAGE + done as u64)?
            {
                0 => break,
                count => done += count,
            }
        }
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let page = PAGE as usize;
        let words = (0..bytes.len() / page)
            .map(|index| (word(index * page), word(index * page + page - 8)));
        Ok(File {
            first,
            words: words.collect(),
        })
    }

    fn addr(&self, page: usize) -> u64 {
        self.base + at(page)
    }

    fn value(&self, arg: Arg) -> u64 {
        match arg {
            Arg::N(number) => number,
            Arg::At(page) => self.addr(page),
            Arg::File => self.program.as_raw_fd() as u64,
        }
    }

    /// Takes the arena away.
    pub(crate) fn clear(&self) {
        let _ = sys::munmap(self.base, at(PAGES));
    }

    /// Does one thing.
    pub(crate) fn perform(&self, act: &Act) -> Got {
        Got::Value(match *act {
            Act::Call(number, args) => {
                let result = sys::raw(number, args.map(|arg| self.value(arg)));
                let is_address = matches!(number, libc::SYS_mmap | libc::SYS_mremap);
                if is_address && !(-4095..0).contains(&result) {
                    (result as u64).wrapping_sub(self.base)
                } else {
                    result as u64
                }
            }
            Act::Hint { page, count, prot } => self.hint(page, count, prot),
            Act::Grow {
                page,
                count,
                size,
                to,
            } => self.grow(page, count, size, to),
            Act::Core { page, count } => self.core(page, count),
            Act::Break(pages) => move_break(pages * PAGE),
            Act::Load {
                page,
                last,
                by_call,
            } => self.load(self.word(page, last), by_call || self.by_calls),
            Act::Store {
                page,
                last,
                value,
                by_call,
            } => self.store(self.word(page, last), value, by_call || self.by_calls),
            Act::Fetch(page) => told(touch::fetch(self.addr(page)), self.addr(page)),
            Act::Look => return Got::Text(self.look()),
        })
    }

    fn word(&self, page: usize, last: bool) -> u64 {
        self.addr(page) + if last { unit() - 8 } else { 0 }
    }

    fn load(&self, addr: u64, by_call: bool) -> u64 {
        if !by_call {
            return told(touch::load(addr), addr);
        }
        match sys::write(self.pipe[1], addr, 8) {
            Ok(_) => self.drain(),
            Err(error) => errno(error.0),
        }
    }

    fn store(&self, addr: u64, mut value: u64, by_call: bool) -> u64 {
        if !by_call {
            return told(touch::store(addr, value), addr);
        }
        let _ = sys::write(self.pipe[1], sys::at(&mut value), 8);
        match sys::read(self.pipe[0], addr, 8) {
            Ok(_) => 0,
            Err(error) => {
                let _ = self.drain();
                errno(error.0)
            }
        }
    }

    /// Takes a word out of the pipe.
    fn drain(&self) -> u64 {
        let mut word = 0_u64;
        let _ = sys::read(self.pipe[0], sys::at(&mut word), 8);
        word
    }

    fn hint(&self, page: usize, count: usize, prot: u8) -> u64 {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        match sys::mmap(self.addr(page), at(count), prot.into(), flags, -1, 0) {
            Ok(addr) if (self.base..self.addr(PAGES)).contains(&addr) => addr - self.base,
            Ok(addr) => {
                let _ = sys::munmap(addr, at(count));
                ELSEWHERE
            }
            Err(error) => errno(error.0),
        }
    }

    fn grow(&self, page: usize, count: usize, size: usize, to: usize) -> u64 {
        let remap = |from, old, new, flags: i32, to| {
            sys::call(libc::SYS_mremap, [from, at(old), at(new), flags as u64, to])
        };
        let moved = remap(self.addr(page), count, size, libc::MREMAP_MAYMOVE, 0);
        let back = moved.and_then(|addr| {
            if (self.base..self.addr(PAGES)).contains(&addr) {
                return Ok(addr);
            }
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            remap(addr, size, size, flags, self.addr(to))
        });
        back.map_or_else(|error| errno(error.0), |addr| addr - self.base)
    }

    fn core(&self, page: usize, count: usize) -> u64 {
        let mut bytes = [0_u8; PAGES];
        match sys::call(
            libc::SYS_mincore,
            [self.addr(page), at(count), sys::at(&mut bytes)],
        ) {
            Ok(_) => (0..count).fold(0, |bits, page| bits | u64::from(bytes[page] & 1) << page),
            Err(error) => errno(error.0),
        }
    }

    /// Writes the arena's map as [`crate::pages::look`] does.
    fn look(&self) -> String {
        let mut text = String::new();
        let mut lines = vmas::within(self.base, self.addr(PAGES))
            .into_iter()
            .peekable();
        while let Some(mut line) = lines.next() {
            while let Some(next) = lines.next_if(|next| {
                let follows =
                    next.name.is_empty() || next.offset == line.offset + (next.start - line.start);
                follows
                    && (line.end, &line.perms, line.inode, &line.name)
                        == (next.start, &next.perms, next.inode, &next.name)
            }) {
                line.end = next.end;
            }
            let page = |addr: u64| addr.wrapping_sub(self.base) as i64 / unit() as i64;
            let name = match line.name.as_str() {
                "" => "-",
                "/dev/zero" => "zero",
                other if other.ends_with("vmfuzz") => "exe",
                other => other,
            };
            let (start, end, offset) = (page(line.start), page(line.end), line.offset / unit());
            text += &format!("{start}-{end} {} {offset} {name}; ", line.perms);
        }
        text
    }
}

/// Turns an access's answer into a number; a wrong `si_addr` shows.
fn told(result: Result<u64, Fault>, addr: u64) -> u64 {
    match result {
        Ok(value) => value,
        Err(fault) => signal(fault.signal, fault.code) | u64::from(fault.addr != addr) << 32,
    }
}

/// Moves the break up and back twice; 0 if it did and the memory was zero both times. Nothing may allocate meanwhile.
fn move_break(by: u64) -> u64 {
    let call = |to| sys::raw(libc::SYS_brk, [to, 0, 0, 0, 0, 0]) as u64;
    let old = call(0);
    let fresh = old.next_multiple_of(PAGE);
    for round in 1..=2 {
        if call(fresh + by) != fresh + by {
            return round;
        }
        for page in (fresh..fresh + by).step_by(PAGE as usize) {
            if mem::peek64(page) != 0 {
                return round | 4;
            }
            mem::poke64(page, round);
        }
        if call(old) != old {
            return round | 8;
        }
    }
    0
}

/// Says whether an answer is right, and what of it goes into the hash.
pub(crate) fn judge(got: &Got, want: &Want) -> (bool, Option<u64>) {
    match (got, want) {
        (Got::Value(got), Want::Is(want)) => (got == want, Some(*got)),
        (Got::Value(got), Want::Either(one, other)) => (got == one || got == other, None),
        (Got::Value(got), Want::Bits(bits, known)) => (got & known == *bits, Some(got & known)),
        (Got::Text(got), Want::Shape(want)) => (
            got == want,
            Some(got.bytes().fold(7, |hash, byte| mix(hash, byte.into()))),
        ),
        _ => (false, None),
    }
}

/// Mixes a number into a hash.
pub(crate) fn mix(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

/// Writes an answer for people.
pub(crate) fn show(got: &Got) -> String {
    match got {
        Got::Text(text) => text.clone(),
        Got::Value(value) => number(*value),
    }
}

/// Writes a number for people: errors by name, signals, else hexadecimal.
pub(crate) fn number(value: u64) -> String {
    let negative = value.wrapping_neg();
    if (1..4096).contains(&negative) {
        format!("{:?}", sys::Errno(negative as i32))
    } else if value >> 48 == 0xfa17 {
        let wrong = if value >> 32 & 1 == 1 {
            ", wrong si_addr"
        } else {
            ""
        };
        format!(
            "{} code {}{wrong}",
            user::child::signal_name((value >> 8 & 0xff) as i32),
            value & 0xff
        )
    } else {
        format!("{value:#x}")
    }
}
