//! What is written becomes what the screen is sent: newlines, tabs, letters; and which column it is in.

use abi::linux::{IUTF8, OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, XTABS};
use arrayvec::ArrayVec;

use crate::settings::Settings;

/// What one byte becomes: at most the blanks of a tab.
pub type Sent = ArrayVec<u8, 8>;

const TAB: usize = 8;

/// Where the cursor is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Screen {
    column: usize,
    /// The column in which the line being edited begins.
    line_start: usize,
}

impl Screen {
    /// Starts in the first column.
    pub const fn new() -> Self {
        Self {
            column: 0,
            line_start: 0,
        }
    }

    /// Returns what is sent for a byte.
    pub fn write(&mut self, settings: &Settings, byte: u8) -> Sent {
        if !settings.output(OPOST) {
            return sent(&[byte]);
        }
        match byte {
            b'\n' => self.newline(settings),
            b'\r' => self.carriage_return(settings),
            b'\t' => self.tab(settings),
            8 => {
                self.column = self.column.saturating_sub(1);
                sent(&[byte])
            }
            _ if byte.is_ascii_control() => sent(&[byte]),
            _ => {
                let is_continuation = settings.input(IUTF8) && is_continuation(byte);
                self.column += usize::from(!is_continuation);
                match settings.output(OLCUC) {
                    true => sent(&[upper(byte)]),
                    false => sent(&[byte]),
                }
            }
        }
    }

    fn newline(&mut self, settings: &Settings) -> Sent {
        if settings.output(ONLRET) {
            self.column = 0;
        }
        if settings.output(ONLCR) {
            self.column = 0;
            self.line_start = 0;
            return sent(b"\r\n");
        }
        self.line_start = self.column;
        sent(b"\n")
    }

    fn carriage_return(&mut self, settings: &Settings) -> Sent {
        if settings.output(ONOCR) && self.column == 0 {
            return Sent::new();
        }
        if settings.output(OCRNL) {
            if settings.output(ONLRET) {
                self.column = 0;
                self.line_start = 0;
            }
            return sent(b"\n");
        }
        self.column = 0;
        self.line_start = 0;
        sent(b"\r")
    }

    fn tab(&mut self, settings: &Settings) -> Sent {
        let blanks = TAB - self.column % TAB;
        self.column += blanks;
        match settings.termios.oflag & TABDLY == XTABS {
            true => core::iter::repeat_n(b' ', blanks).collect(),
            false => sent(b"\t"),
        }
    }

    /// Notes that the line being edited begins here.
    pub(crate) const fn begin_line(&mut self) {
        self.line_start = self.column;
    }

    /// Returns how far back a tab reaches behind `columns` columns since the tab before it, or since the line's
    /// beginning if there is none.
    pub(crate) const fn tab_width(&self, columns: usize, after_tab: bool) -> usize {
        let start = if after_tab { 0 } else { self.line_start };
        TAB - (start + columns) % TAB
    }

    /// Notes that the cursor was moved.
    pub(crate) const fn step_back(&mut self, columns: usize) {
        self.column = self.column.saturating_sub(columns);
    }

    /// Notes what was sent past these rules.
    pub(crate) const fn step(&mut self, columns: usize) {
        self.column += columns;
    }
}

fn sent(bytes: &[u8]) -> Sent {
    bytes.iter().copied().collect()
}

/// Whether a byte continues a character of UTF-8.
pub(crate) const fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Letters of Latin 1 in the upper case.
const fn upper(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | 0xdf..=0xf6 | 0xf8..=0xfe => byte - 32,
        _ => byte,
    }
}
