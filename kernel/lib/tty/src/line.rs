//! The line discipline: from the keyboard to the reader.

use abi::Signal;
use abi::linux::{
    ECHO, ECHOCTL, EXTPROC, ICANON, ICRNL, IEXTEN, IGNCR, INLCR, ISIG, ISTRIP, IUCLC, IXANY, IXON,
    PARMRK, VINTR, VQUIT, VSTART, VSTOP, VSUSP,
};

use crate::buffer::{Buffer, CAPACITY, END};
use crate::ring::NoMemory;
use crate::screen::Screen;
use crate::settings::Settings;

/// Where echoes go.
pub trait Out {
    /// Sends a byte.
    fn put(&mut self, byte: u8);

    /// Throws away what was put and not sent.
    fn flush(&mut self);
}

/// What a byte of input led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "somebody may have to be told"]
pub struct Heard {
    /// The foreground group gets this.
    pub signal: Option<Signal>,
    /// Unread input was thrown away.
    pub flushed: bool,
    /// Output may have been stopped, or may go on: look at [`Line::is_stopped`].
    pub flow: bool,
    /// There is something to read.
    pub readable: bool,
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
    pub(crate) settings: Settings,
    pub(crate) buffer: Buffer,
    pub(crate) screen: Screen,
    /// The next byte has no special meaning.
    pub(crate) literal_next: bool,
    /// Inside `\…/`, which shows erased characters on paper.
    pub(crate) erasing: bool,
    /// A stop character stopped output.
    stopped: bool,
    /// A program stopped output, and only a program lets it go on.
    held: bool,
}

impl Line {
    /// Starts with nothing typed.
    ///
    /// # Errors
    /// Without memory.
    pub fn new(settings: Settings) -> Result<Self, NoMemory> {
        Ok(Self {
            settings,
            buffer: Buffer::new()?,
            screen: Screen::new(),
            literal_next: false,
            erasing: false,
            stopped: false,
            held: false,
        })
    }

    /// Returns the settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes other settings over. Where lines begin or end to matter, what waits becomes one line, or loose bytes.
    pub fn set(&mut self, new: Settings) {
        let old = core::mem::replace(&mut self.settings, new);
        if old.local(ICANON | EXTPROC) != new.local(ICANON | EXTPROC)
            || old.is_canonical() != new.is_canonical()
        {
            match new.is_canonical() {
                true => self.buffer.begin_lines(),
                false => self.buffer.end_lines(),
            }
            self.erasing = false;
            self.literal_next = false;
        }
        if old.input(IXON) && !new.input(IXON) && !self.held {
            self.stopped = false;
        }
    }

    /// Forgets all input that was not read.
    pub const fn flush_input(&mut self) {
        self.buffer.clear();
        self.erasing = false;
        self.literal_next = false;
    }

    /// Returns whether output waits.
    pub const fn is_stopped(&self) -> bool {
        self.stopped || self.held
    }

    /// Stops output for a program, or lets it go on (`TCXONC`).
    pub const fn hold(&mut self, held: bool) {
        self.held = held;
        if !held {
            self.stopped = false;
        }
    }

    /// Returns what is sent for a byte that a program writes.
    pub fn write(&mut self, byte: u8) -> crate::screen::Sent {
        self.screen.write(&self.settings, byte)
    }

    /// Returns whether another byte can be taken. A line that is too long takes any number: each replaces the last.
    pub const fn has_room(&self) -> bool {
        self.room() > 0 || self.is_overlong()
    }

    const fn room(&self) -> isize {
        let left = CAPACITY as isize - self.buffer.len() as isize;
        match self.settings.input(PARMRK) {
            true => (left + 2) / 3 - 1,
            false => left - 1,
        }
    }

    const fn is_overlong(&self) -> bool {
        self.settings.is_canonical() && !self.buffer.has_line()
    }

    /// Takes a byte from the keyboard. What has no room is lost: ask [`has_room`](Self::has_room) first.
    pub fn receive(&mut self, byte: u8, out: &mut dyn Out) -> Heard {
        if !self.has_room() {
            return Heard::default();
        }
        if self.room() < 0 {
            self.buffer.cut(self.buffer.editing().end - 1);
        }
        let byte = self.strip(byte);
        let mut heard = Heard::default();
        if self.settings.local(EXTPROC) {
            self.push(byte);
        } else if core::mem::take(&mut self.literal_next) {
            self.ordinary(byte, true, out, &mut heard);
        } else {
            self.interpret(byte, out, &mut heard);
        }
        heard.readable = self.is_available();
        heard
    }

    fn strip(&self, byte: u8) -> u8 {
        let byte = if self.settings.input(ISTRIP) {
            byte & 0x7f
        } else {
            byte
        };
        match self.settings.input(IUCLC) && self.settings.local(IEXTEN) {
            true => lower(byte),
            false => byte,
        }
    }

    /// A byte that may be special.
    fn interpret(&mut self, byte: u8, out: &mut dyn Out, heard: &mut Heard) {
        if self.flow_control(byte, heard) {
            return;
        }
        if let Some(signal) = self.signal_of(byte) {
            return self.interrupt(byte, signal, out, heard);
        }
        let key = byte;
        let byte = match key {
            b'\r' if self.settings.input(IGNCR) => return self.resume(heard),
            b'\r' if self.settings.input(ICRNL) => b'\n',
            b'\n' if self.settings.input(INLCR) => b'\r',
            other => other,
        };
        if self.settings.is_canonical() && self.edit(byte, out) {
            return self.resume(heard);
        }
        self.ordinary(byte, key == byte, out, heard);
    }

    /// A byte for the reader. A newline made of something else is shown as one.
    fn ordinary(&mut self, byte: u8, literally: bool, out: &mut dyn Out, heard: &mut Heard) {
        self.resume(heard);
        if self.settings.local(ECHO) {
            self.finish_erasing(out);
            if byte == b'\n' && !literally {
                self.echo_raw(byte, out);
            } else {
                self.begin_line();
                self.echo(byte, out);
            }
        }
        self.push(byte);
    }

    /// Notes where on the screen the line begins, if this is its first character.
    pub(crate) const fn begin_line(&mut self) {
        if !self.buffer.is_editing() {
            self.screen.begin_line();
        }
    }

    pub(crate) fn push(&mut self, byte: u8) {
        // With marked parity errors this byte is doubled, so that it is told from a mark.
        if byte == 0xff && self.settings.input(PARMRK) && self.buffer.len() + 1 < CAPACITY {
            self.buffer.push(byte);
        }
        if self.buffer.len() < CAPACITY {
            self.buffer.push(byte);
        }
    }

    fn flow_control(&mut self, byte: u8, heard: &mut Heard) -> bool {
        if !self.settings.input(IXON) {
            return false;
        }
        if self.settings.is(VSTART, byte) {
            self.start(heard);
            return true;
        }
        if self.settings.is(VSTOP, byte) {
            self.stopped = true;
            heard.flow = true;
            return true;
        }
        false
    }

    fn start(&mut self, heard: &mut Heard) {
        if self.stopped && !self.held {
            self.stopped = false;
            heard.flow = true;
        }
    }

    /// Any character lets output go on, if that is asked for.
    fn resume(&mut self, heard: &mut Heard) {
        if self.settings.input(IXON) && self.settings.input(IXANY) {
            self.start(heard);
        }
    }

    fn signal_of(&self, byte: u8) -> Option<Signal> {
        let is = |index| self.settings.local(ISIG) && self.settings.is(index, byte);
        match () {
            () if is(VINTR) => Some(Signal::INT),
            () if is(VQUIT) => Some(Signal::QUIT),
            () if is(VSUSP) => Some(Signal::TSTP),
            () => None,
        }
    }

    fn interrupt(&mut self, byte: u8, signal: Signal, out: &mut dyn Out, heard: &mut Heard) {
        heard.signal = Some(signal);
        if !self.settings.keeps_on_signal() {
            out.flush();
            self.flush_input();
            heard.flushed = true;
        }
        if self.settings.input(IXON) {
            self.start(heard);
        }
        if self.settings.local(ECHO) {
            self.echo(byte, out);
        }
    }

    /// Shows a byte, a control character perhaps as `^X`.
    pub(crate) fn echo(&mut self, byte: u8, out: &mut dyn Out) {
        if self.settings.local(ECHOCTL) && byte.is_ascii_control() && byte != b'\t' {
            out.put(b'^');
            out.put(byte ^ 0o100);
            self.screen.step(2);
        } else {
            self.echo_raw(byte, out);
        }
    }

    /// Shows a byte as it is. 255 takes a column and is never changed, also where output is processed: Linux marks orders
    /// among what is to be echoed by that byte, and takes it apart before.
    pub(crate) fn echo_raw(&mut self, byte: u8, out: &mut dyn Out) {
        if byte == u8::MAX {
            out.put(byte);
            self.screen.step(1);
            return;
        }
        for byte in self.screen.write(&self.settings, byte) {
            out.put(byte);
        }
    }

    /// Returns whether a read finds something.
    pub const fn is_available(&self) -> bool {
        self.reaches(1)
    }

    /// Returns whether a poller is told that there is something to read.
    pub const fn is_readable(&self) -> bool {
        self.reaches(self.settings.poll_threshold())
    }

    const fn reaches(&self, least: usize) -> bool {
        match self.gives_lines() {
            true => self.buffer.has_line(),
            false => self.buffer.len() >= least,
        }
    }

    const fn gives_lines(&self) -> bool {
        self.settings.is_canonical() && !self.settings.local(EXTPROC)
    }

    /// Returns how many bytes wait to be read (`FIONREAD`).
    pub fn waiting(&self) -> usize {
        if !self.gives_lines() {
            return self.buffer.len();
        }
        self.buffer.readable_in_lines()
    }

    /// Takes what there is, of lines one at most.
    pub fn read(&mut self, to: &mut [u8]) -> Piece {
        match self.gives_lines() {
            true => self.read_line(to),
            false => self.read_bytes(to),
        }
    }

    fn read_bytes(&mut self, to: &mut [u8]) -> Piece {
        for (len, slot) in to.iter_mut().enumerate() {
            let Some((byte, _)) = self.buffer.first() else {
                return Piece { len, ends: true };
            };
            self.buffer.advance();
            *slot = byte;
        }
        Piece {
            len: to.len(),
            ends: false,
        }
    }

    fn read_line(&mut self, to: &mut [u8]) -> Piece {
        let mut len = 0;
        while self.buffer.has_line() {
            let Some((byte, ends)) = self.buffer.first() else {
                break;
            };
            let is_end = ends && byte == END;
            if len == to.len() && !(is_end && len > 0) {
                return Piece { len, ends: false };
            }
            self.buffer.advance();
            if is_end {
                return Piece { len, ends: true };
            }
            to[len] = byte;
            len += 1;
            if ends {
                return Piece { len, ends: true };
            }
        }
        Piece { len, ends: true }
    }
}

/// Letters of Latin 1 in the lower case.
const fn lower(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' | 0xc0..=0xd6 | 0xd8..=0xde => byte + 32,
        _ => byte,
    }
}
