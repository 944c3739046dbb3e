//! The line discipline: what the keyboard sends becomes lines that programs read.
//!
//! Bytes collect in the line being edited; its end moves it to the ready queue, from which reads
//! take at most one line each. Without `ICANON` every byte is ready at once. Everything has a fixed
//! size: input comes in an interrupt and allocates nothing; what does not fit is dropped.

use abi::file::Termios;
use abi::linux::{
    B115200, CLOCAL, CREAD, CS8, ECHO, ECHOE, ECHOK, ICANON, ICRNL, IGNCR, INLCR, ONLCR, OPOST,
    VEOF, VERASE, VKILL, VMIN,
};
use arrayvec::ArrayVec;

/// Longest line, and most bytes that wait to be read.
const CAPACITY: usize = 4096;
/// Stands in the ready queue for an end of file.
const END_OF_FILE: u16 = 0x100;

/// The settings that are kept and obeyed; others stay off.
const INPUT_FLAGS: u32 = ICRNL | INLCR | IGNCR;
const OUTPUT_FLAGS: u32 = OPOST | ONLCR;
const LOCAL_FLAGS: u32 = ICANON | ECHO | ECHOE | ECHOK;

/// What to show for a byte of input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Echo {
    /// Nothing.
    Nothing,
    /// The byte itself.
    Byte(u8),
    /// This many bytes vanish from the end of the line.
    Erase(usize),
}

/// The state of a terminal.
pub struct Line {
    termios: Termios,
    editing: ArrayVec<u8, CAPACITY>,
    ready: Ready,
}

/// Bytes and ends of file that wait to be read, in a ring.
struct Ready {
    cells: [u16; CAPACITY],
    head: usize,
    len: usize,
}

impl Line {
    /// Starts with an empty line, editing and echo on.
    pub const fn new() -> Self {
        Self {
            termios: initial_termios(),
            editing: ArrayVec::new_const(),
            ready: Ready {
                cells: [0; CAPACITY],
                head: 0,
                len: 0,
            },
        }
    }

    /// Returns the settings.
    pub fn termios(&self) -> Termios {
        self.termios
    }

    /// Takes over those settings that this terminal can obey (POSIX lets the others be dropped).
    pub fn set_termios(&mut self, new: &Termios) {
        self.termios.iflag = new.iflag & INPUT_FLAGS;
        self.termios.oflag = new.oflag & OUTPUT_FLAGS;
        self.termios.lflag = new.lflag & LOCAL_FLAGS;
        for index in [VEOF, VERASE, VKILL, VMIN] {
            self.termios.cc[index as usize] = new.cc[index as usize];
        }
        if !self.is_canonical() {
            self.finish_line();
        }
    }

    /// Forgets all input that was not read.
    pub fn flush_input(&mut self) {
        self.editing.clear();
        self.ready.len = 0;
    }

    /// Returns whether newlines are written as carriage return and newline.
    pub fn maps_newlines(&self) -> bool {
        self.termios.oflag & (OPOST | ONLCR) == OPOST | ONLCR
    }

    /// Takes a byte from the keyboard and says what to echo.
    pub fn input(&mut self, byte: u8) -> Echo {
        let Some(byte) = self.translate(byte) else {
            return Echo::Nothing;
        };
        let echo = match self.is_canonical() {
            true => self.edit(byte),
            false => self
                .ready
                .push(byte.into())
                .then_some(byte)
                .map_or(Echo::Nothing, Echo::Byte),
        };
        if self.termios.lflag & ECHO == 0 {
            Echo::Nothing
        } else {
            echo
        }
    }

    /// Returns whether a read would not wait.
    pub fn is_readable(&self) -> bool {
        self.ready.len > 0 || !self.is_canonical() && self.termios.cc[VMIN as usize] == 0
    }

    /// Takes at most one line's bytes; fewer than asked for mean that the line ended.
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        for (at, place) in to.iter_mut().enumerate() {
            match self.ready.pop() {
                None | Some(END_OF_FILE) => return at,
                Some(byte) => *place = byte as u8,
            }
            if self.is_canonical() && *place == b'\n' {
                return at + 1;
            }
        }
        to.len()
    }

    fn is_canonical(&self) -> bool {
        self.termios.lflag & ICANON != 0
    }

    fn translate(&self, byte: u8) -> Option<u8> {
        let flag = |flag| self.termios.iflag & flag != 0;
        match byte {
            b'\r' if flag(IGNCR) => None,
            b'\r' if flag(ICRNL) => Some(b'\n'),
            b'\n' if flag(INLCR) => Some(b'\r'),
            _ => Some(byte),
        }
    }

    fn edit(&mut self, byte: u8) -> Echo {
        let is = |index| self.termios.cc[index as usize] == byte && byte != 0;
        if is(VEOF) {
            self.end_of_file();
            Echo::Nothing
        } else if is(VERASE) || byte == b'\x08' {
            Echo::Erase(self.editing.pop().is_some().into())
        } else if is(VKILL) {
            let len = self.editing.len();
            self.editing.clear();
            Echo::Erase(len)
        } else {
            self.append(byte)
        }
    }

    fn append(&mut self, byte: u8) -> Echo {
        // The last place is kept for the newline, or a full line could never end.
        let room = CAPACITY - self.ready.len - usize::from(byte != b'\n');
        if self.editing.len() >= room || self.editing.try_push(byte).is_err() {
            return Echo::Nothing;
        }
        if byte == b'\n' {
            self.finish_line();
        }
        Echo::Byte(byte)
    }

    fn end_of_file(&mut self) {
        if self.editing.is_empty() {
            self.ready.push(END_OF_FILE);
        }
        self.finish_line();
    }

    fn finish_line(&mut self) {
        for byte in self.editing.drain(..) {
            self.ready.push(byte.into());
        }
    }
}

impl Ready {
    /// Returns whether there was room.
    fn push(&mut self, cell: u16) -> bool {
        if self.len == CAPACITY {
            return false;
        }
        self.cells[(self.head + self.len) % CAPACITY] = cell;
        self.len += 1;
        true
    }

    fn pop(&mut self) -> Option<u16> {
        (self.len > 0).then(|| {
            let cell = self.cells[self.head];
            self.head = (self.head + 1) % CAPACITY;
            self.len -= 1;
            cell
        })
    }
}

const fn initial_termios() -> Termios {
    let mut cc = [0; 19];
    cc[VEOF as usize] = 4;
    cc[VERASE as usize] = 0x7f;
    cc[VKILL as usize] = 0x15;
    cc[VMIN as usize] = 1;
    Termios {
        iflag: ICRNL,
        oflag: 0,
        cflag: B115200 | CS8 | CREAD | CLOCAL,
        lflag: LOCAL_FLAGS,
        line: 0,
        cc,
    }
}
