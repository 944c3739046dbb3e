//! Packet mode: what the master of a pseudo-terminal is told besides bytes (`TIOCPKT`).

use abi::linux::{
    EXTPROC, IXON, TIOCPKT_DOSTOP, TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_IOCTL,
    TIOCPKT_NOSTOP, TIOCPKT_START, TIOCPKT_STOP, VSTART, VSTOP,
};

use crate::settings::Settings;

/// What happened since the master last read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct News(u8);

impl News {
    /// Nothing.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Output was stopped.
    pub const fn stopped(&mut self) {
        self.0 = self.0 & !(TIOCPKT_START as u8) | TIOCPKT_STOP as u8;
    }

    /// Output goes on.
    pub const fn started(&mut self) {
        self.0 = self.0 & !(TIOCPKT_STOP as u8) | TIOCPKT_START as u8;
    }

    /// Input that nobody had read was thrown away.
    pub const fn flushed_read(&mut self) {
        self.0 |= TIOCPKT_FLUSHREAD as u8;
    }

    /// Output that the master had not read was thrown away.
    pub const fn flushed_write(&mut self) {
        self.0 |= TIOCPKT_FLUSHWRITE as u8;
    }

    /// The settings were changed: the master learns whether it may do flow control itself.
    pub const fn changed(&mut self, old: &Settings, new: &Settings) {
        let (was, is) = (does_flow(old), does_flow(new));
        if was != is {
            let both = TIOCPKT_DOSTOP as u8 | TIOCPKT_NOSTOP as u8;
            let word = if is { TIOCPKT_DOSTOP } else { TIOCPKT_NOSTOP } as u8;
            self.0 = self.0 & !both | word;
        }
        if old.local(EXTPROC) || new.local(EXTPROC) {
            self.0 |= TIOCPKT_IOCTL as u8;
        }
    }

    /// Returns whether there is anything to tell.
    pub const fn any(self) -> bool {
        self.0 != 0
    }

    /// Takes what there is to tell: the byte that the master reads.
    pub const fn take(&mut self) -> u8 {
        let news = self.0;
        self.0 = 0;
        news
    }
}

const fn does_flow(settings: &Settings) -> bool {
    settings.input(IXON)
        && settings.termios.cc[VSTOP as usize] == 0x13
        && settings.termios.cc[VSTART as usize] == 0x11
}
