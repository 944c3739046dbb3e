//! The line discipline: what the keyboard sends becomes lines that programs read.
//!
//! Bytes collect in the line being edited; its end moves it to the ready queue, from which reads
//! take at most one line each. Without `ICANON` every byte is ready at once. Everything has a fixed
//! size: input comes in an interrupt and allocates nothing; what does not fit is dropped.
//!
//! # Invariants
//! The line being edited always fits into the ready queue, with the byte or mark that ends it.
#![no_std]
#![forbid(unsafe_code)]

mod ready;

use abi::file::Termios;
use abi::linux::{
    B115200, CLOCAL, CREAD, CS8, ECHO, ECHOE, ECHOK, ICANON, ICRNL, IGNCR, INLCR, ONLCR, OPOST,
    VEOF, VERASE, VKILL, VMIN,
};
use arrayvec::ArrayVec;

use ready::{Cell, Ready};

/// Longest line, and most bytes that wait to be read.
pub const CAPACITY: usize = 4096;

/// The settings that are kept and obeyed; others stay off.
const INPUT_FLAGS: u32 = ICRNL | INLCR | IGNCR;
const OUTPUT_FLAGS: u32 = OPOST | ONLCR;
const LOCAL_FLAGS: u32 = ICANON | ECHO | ECHOE | ECHOK;

/// What a terminal's backspace key may send besides the byte in its settings.
const BACKSPACE: u8 = 8;

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

/// What a read got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// How many bytes.
    pub len: usize,
    /// Whether there is no more for this read, whatever room it has left.
    pub ends: bool,
}

/// The state of a terminal.
pub struct Line {
    termios: Termios,
    editing: ArrayVec<u8, CAPACITY>,
    ready: Ready,
}

impl Line {
    /// Starts with an empty line, editing and echo on.
    #[expect(clippy::new_without_default, reason = "a default could not be const")]
    pub const fn new() -> Self {
        Self {
            termios: initial_termios(),
            editing: ArrayVec::new_const(),
            ready: Ready::new(),
        }
    }

    /// Returns the settings.
    pub const fn termios(&self) -> Termios {
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
        self.ready.clear();
    }

    /// Says whether newlines are written as carriage return and newline.
    pub const fn maps_newlines(&self) -> bool {
        self.termios.oflag & (OPOST | ONLCR) == OPOST | ONLCR
    }

    /// Takes a byte from the keyboard and says what to echo.
    pub fn input(&mut self, byte: u8) -> Echo {
        let Some(byte) = self.translate(byte) else {
            return Echo::Nothing;
        };
        let echo = match self.is_canonical() {
            true => self.edit(byte),
            false if self.ready.push(Cell::Byte(byte)) => Echo::Byte(byte),
            false => Echo::Nothing,
        };
        if self.termios.lflag & ECHO == 0 {
            return Echo::Nothing;
        }
        echo
    }

    /// Says whether a read would not wait.
    pub fn is_readable(&self) -> bool {
        let never_waits = !self.is_canonical() && self.termios.cc[VMIN as usize] == 0;
        !self.ready.is_empty() || never_waits
    }

    /// Takes at most one line's bytes.
    pub fn read(&mut self, to: &mut [u8]) -> Piece {
        for (len, slot) in to.iter_mut().enumerate() {
            let Some(Cell::Byte(byte)) = self.ready.pop() else {
                return Piece { len, ends: true };
            };
            *slot = byte;
            if self.is_canonical() && byte == b'\n' {
                let len = len + 1;
                return Piece { len, ends: true };
            }
        }
        let len = to.len();
        let ends = len > 0 && self.take_end();
        Piece { len, ends }
    }

    /// Takes the mark right behind bytes that were read: it ended their line, not the file.
    fn take_end(&mut self) -> bool {
        let ends = self.ready.peek() == Some(Cell::End);
        if ends {
            self.ready.pop();
        }
        ends
    }

    const fn is_canonical(&self) -> bool {
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
        // A control character set to 0 is switched off.
        let is = |index| self.termios.cc[index as usize] == byte && byte != 0;
        if is(VEOF) {
            self.end_of_file();
            Echo::Nothing
        } else if is(VERASE) || byte == BACKSPACE {
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
        // The last place is kept for the end, or a full line could never end.
        let kept = usize::from(byte != b'\n');
        if self.editing.len() + kept >= self.ready.room() {
            return Echo::Nothing;
        }
        self.editing.push(byte);
        if byte == b'\n' {
            self.finish_line();
        }
        Echo::Byte(byte)
    }

    fn end_of_file(&mut self) {
        if self.editing.len() < self.ready.room() {
            self.finish_line();
            self.ready.push(Cell::End);
        }
    }

    fn finish_line(&mut self) {
        for byte in self.editing.drain(..) {
            self.ready.push(Cell::Byte(byte));
        }
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
