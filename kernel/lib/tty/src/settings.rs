//! The settings of a terminal: termios(3) with the speeds beside it.

use abi::file::Termios;
use abi::linux::{
    B9600, B38400, B115200, BOTHER, CBAUD, CLOCAL, CREAD, CS8, CSIZE, ECHO, ECHOCTL, ECHOE, ECHOK,
    ECHOKE, HUPCL, ICANON, ICRNL, IEXTEN, ISIG, IXON, NOFLSH, ONLCR, OPOST, PARENB, TOSTOP, VEOF,
    VERASE, VINTR, VKILL, VLNEXT, VMIN, VQUIT, VREPRINT, VSTART, VSTOP, VSUSP, VTIME, VWERASE,
};

/// A terminal's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Flags and special characters.
    pub termios: Termios,
    /// Speed of input in baud.
    pub ispeed: u32,
    /// Speed of output in baud.
    pub ospeed: u32,
}

/// How long a read without lines waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// It is over with so many bytes.
    pub least: usize,
    /// Before the first byte it waits so long, in ns; `None` for as long as it takes.
    pub first: Option<u64>,
    /// The same between bytes.
    pub between: Option<u64>,
}

const TENTH: u64 = 100_000_000;

/// Speeds with a code of their own in `c_cflag`, code 1 first; from code 0o10001 on behind the gap.
const SLOW: [u32; 15] = [
    50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
];
const FAST: [u32; 15] = [
    57600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000,
    2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
];

impl Settings {
    /// Those of a serial console.
    pub const fn console() -> Self {
        Self::with(B115200 | CS8 | CREAD | HUPCL | CLOCAL, 115_200)
    }

    /// Those of a pseudo-terminal.
    pub const fn pty() -> Self {
        Self::with(B38400 | CS8 | CREAD, 38400)
    }

    const fn with(cflag: u32, speed: u32) -> Self {
        let mut cc = [0; 19];
        cc[VINTR as usize] = 0x03;
        cc[VQUIT as usize] = 0x1c;
        cc[VERASE as usize] = 0x7f;
        cc[VKILL as usize] = 0x15;
        cc[VEOF as usize] = 0x04;
        cc[VMIN as usize] = 1;
        cc[VSTART as usize] = 0x11;
        cc[VSTOP as usize] = 0x13;
        cc[VSUSP as usize] = 0x1a;
        cc[VREPRINT as usize] = 0x12;
        cc[abi::linux::VDISCARD as usize] = 0x0f;
        cc[VWERASE as usize] = 0x17;
        cc[VLNEXT as usize] = 0x16;
        let termios = Termios {
            iflag: ICRNL | IXON,
            oflag: OPOST | ONLCR,
            cflag,
            lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
            line: 0,
            cc,
        };
        Self {
            termios,
            ispeed: speed,
            ospeed: speed,
        }
    }

    /// Returns what these become with flags from a program that names no speeds but by their codes.
    pub fn with_termios(&self, termios: Termios) -> Self {
        let speed = match termios.cflag & CBAUD {
            BOTHER => self.ospeed,
            code => speed_of(code).unwrap_or(9600),
        };
        Self {
            termios,
            ispeed: speed,
            ospeed: speed,
        }
    }

    /// What a pseudo-terminal makes of settings: it has eight bits and no parity, whatever is asked for.
    #[must_use]
    pub fn for_pty(mut self) -> Self {
        self.termios.cflag = self.termios.cflag & !(CSIZE | PARENB) | CS8 | CREAD;
        self
    }

    /// Returns whether an input flag is set.
    pub const fn input(&self, flag: u32) -> bool {
        self.termios.iflag & flag != 0
    }

    /// Returns whether an output flag is set.
    pub const fn output(&self, flag: u32) -> bool {
        self.termios.oflag & flag != 0
    }

    /// Returns whether a local flag is set.
    pub const fn local(&self, flag: u32) -> bool {
        self.termios.lflag & flag != 0
    }

    /// Returns whether `byte` is the special character with this index; 0 switches one off.
    pub const fn is(&self, index: u32, byte: u8) -> bool {
        byte != 0 && self.termios.cc[index as usize] == byte
    }

    /// Returns whether input is given out in lines.
    pub const fn is_canonical(&self) -> bool {
        self.local(ICANON)
    }

    /// Returns whether who writes from the background is stopped.
    pub const fn stops_background_output(&self) -> bool {
        self.local(TOSTOP)
    }

    /// Returns whether a signal's character leaves what was typed and written before.
    pub const fn keeps_on_signal(&self) -> bool {
        self.local(NOFLSH)
    }

    /// Returns how long a read waits when there are no lines.
    pub const fn timing(&self) -> Timing {
        let least = self.termios.cc[VMIN as usize] as usize;
        let time = self.termios.cc[VTIME as usize] as u64 * TENTH;
        match (least, time) {
            (0, _) => Timing {
                least: 1,
                first: Some(time),
                between: None,
            },
            (_, 0) => Timing {
                least,
                first: None,
                between: None,
            },
            _ => Timing {
                least,
                first: None,
                between: Some(time),
            },
        }
    }

    /// Returns how many bytes must wait before a poller is told of them.
    pub(crate) const fn poll_threshold(&self) -> usize {
        let least = self.termios.cc[VMIN as usize] as usize;
        match least > 0 && self.termios.cc[VTIME as usize] == 0 {
            true => least,
            false => 1,
        }
    }
}

/// Returns the baud of a code in `c_cflag`; `None` for what is no code.
pub fn speed_of(code: u32) -> Option<u32> {
    match code {
        0 => Some(0),
        1..=15 => Some(SLOW[code as usize - 1]),
        0x1001..=0x100f => Some(FAST[code as usize - 0x1001]),
        _ => None,
    }
}

/// Returns the code of a speed, or the one that says that it has none.
pub fn code_of(speed: u32) -> u32 {
    let within = |speeds: &[u32]| speeds.iter().position(|known| *known == speed);
    match (speed, within(&SLOW), within(&FAST)) {
        (0, ..) => 0,
        (_, Some(index), _) => index as u32 + 1,
        (_, _, Some(index)) => index as u32 + 0x1001,
        _ => BOTHER,
    }
}

const _: () = assert!(B9600 == 13 && B38400 == 15 && B115200 == 0x1002);
