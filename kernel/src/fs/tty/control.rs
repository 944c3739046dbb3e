//! What programs change and ask: settings, sizes, flow, what waits.

use abi::Signal;
use abi::file::Winsize;
use abi::linux::{VSTART, VSTOP};
use tty::Settings;
use tty::access::Want;

use super::{Tty, jobs};
use crate::fs::file::IoError;
use crate::log::console_write;

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// To the reader.
    In,
    /// From the writer.
    Out,
    /// Both.
    Both,
}

/// How the flow of bytes is changed (`TCXONC`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Output stops.
    StopOutput,
    /// Output goes on.
    StartOutput,
    /// The other end is sent the character that stops it.
    SendStop,
    /// The other end is sent the character that lets it go on.
    SendStart,
}

impl Tty {
    /// Lets the caller change the terminal unless it is in the background (SIGTTOU).
    pub fn check_change(&self) -> Result<(), IoError> {
        jobs::check(self, Want::Change)
    }

    /// Returns the settings.
    pub fn settings(&self) -> Settings {
        *self.lock().line.settings()
    }

    /// Changes the settings.
    pub fn set_settings(&self, new: Settings) {
        let new = match self.is_serial() {
            true => new,
            false => new.for_pty(),
        };
        {
            let mut state = self.lock();
            let old = *state.line.settings();
            state.line.set(new);
            state.master.news.changed(&old, &new);
        }
        self.pump();
        self.near.wake();
        self.far.wake_readers();
    }

    /// Forgets what waits.
    pub fn flush(&self, way: Way) {
        {
            let mut state = self.lock();
            if way != Way::Out {
                state.line.flush_input();
                if !self.is_serial() {
                    state.master.news.flushed_read();
                }
            }
            if way != Way::In {
                state.out.clear();
                state.master.news.flushed_write();
            }
        }
        self.pump();
        self.near.wake_writers();
        self.far.wake();
    }

    /// Stops output or lets it go on, or asks the other end for that.
    pub fn change_flow(&self, flow: Flow) {
        let index = match flow {
            Flow::StopOutput | Flow::StartOutput => return self.hold(flow == Flow::StopOutput),
            Flow::SendStop => VSTOP,
            Flow::SendStart => VSTART,
        };
        let mut state = self.lock();
        let byte = state.line.settings().termios.cc[index as usize];
        match self.is_serial() {
            _ if byte == 0 => {}
            true => console_write(&[byte]),
            false => {
                state.out.push(byte);
                drop(state);
                self.far.wake_readers();
            }
        }
    }

    fn hold(&self, held: bool) {
        {
            let mut state = self.lock();
            state.line.hold(held);
            match held {
                true => state.master.news.stopped(),
                false => state.master.news.started(),
            }
        }
        // What was held back goes out.
        self.pump();
        self.near.wake_writers();
        self.far.wake_readers();
    }

    /// Returns the size of the window.
    pub fn window(&self) -> Winsize {
        self.lock().window
    }

    /// Changes the size of the window; the foreground is told if that is news.
    pub fn set_window(&self, window: Winsize) {
        let group = {
            let mut state = self.lock();
            if state.window == window {
                return;
            }
            state.window = window;
            state.foreground
        };
        if group != 0 {
            jobs::signal_group(group, Signal::WINCH);
        }
    }

    /// Returns how many bytes wait for a reader at an end.
    pub fn waiting(&self, at_master: bool) -> usize {
        let state = self.lock();
        match at_master {
            true => state.out.len(),
            false => state.line.waiting(),
        }
    }

    /// Types a byte as if it came from the keyboard.
    pub fn simulate(&self, byte: u8) {
        self.offer(&[byte]);
        self.pump();
    }

    /// Sends a signal to the foreground group, as if its character had been typed.
    pub fn signal_foreground(&self, signal: Signal) {
        let group = self.lock().foreground;
        if group != 0 {
            jobs::signal_group(group, signal);
        }
    }

    /// Lets nobody else open it any more, or everybody again.
    pub fn set_exclusive(&self, exclusive: bool) {
        self.lock().exclusive = exclusive;
    }

    /// Returns whether nobody else may open it.
    pub fn is_exclusive(&self) -> bool {
        self.lock().exclusive
    }
}
