//! Terminals: the serial console and pseudo-terminals.
//!
//! What bytes become is decided in the pure crate `tty`. Here are the places where they wait, and those who wait for them:
//!
//! ```text
//!  serial port ──┐                                    ┌─► reader
//!  or master  ───┴─► pending ──► Line ──► lines ──────┘
//!  serial port ◄─┬── out ◄────── (echo) ◄─┐
//!  or master  ◄──┘        ◄────── writer ─┘
//! ```
//!
//! Read in this order: this file; [`input`] and [`output`]; [`file`](mod@file), what programs hold; [`jobs`], whose terminal it
//! is; [`control`], settings; [`serial`] and [`pty`], the two kinds.
//!
//! One lock guards a terminal with both its ends. Signals are sent, and sleepers woken, with no lock held.

pub mod control;
pub mod file;
pub mod input;
pub mod jobs;
pub mod output;
pub mod pty;
pub mod serial;

use alloc::sync::Arc;

use abi::file::Winsize;
use tty::packet::News;
use tty::{Line, NoMemory, Ring, Settings};

use super::file::Readiness;
use super::poll::PollQueue;
use crate::locks::{KernelHooks, SpinLock, WaitQueue, rank};
use sync::SpinGuard;

/// Bytes that wait between the two ends, each way.
const WAITING: usize = 8192;

/// A terminal.
pub struct Tty {
    kind: Kind,
    state: SpinLock<State, { rank::SOURCE }>,
    /// Those at the terminal's own end.
    near: End,
    /// Those at a pseudo-terminal's master end.
    far: End,
}

/// What a terminal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The first serial port.
    Serial,
    /// The pseudo-terminal with this number.
    Pty(u32),
}

/// Those who wait at one end.
#[derive(Default)]
struct End {
    readers: WaitQueue,
    writers: WaitQueue,
    pollers: PollQueue,
}

/// What a terminal's lock guards.
struct State {
    line: Line,
    /// What came and has no room in the line yet.
    pending: Ring,
    /// What the other end has not taken yet; of the serial port, echoes while output is stopped.
    out: Ring,
    window: Winsize,
    /// The session whose controlling terminal it is; 0 for none.
    session: u32,
    /// The group in the foreground; 0 for none.
    foreground: u32,
    exclusive: bool,
    /// Open files at its own end, those hung up included.
    opens: u32,
    /// How often it was hung up: files opened before are dead.
    hangups: u32,
    master: Master,
}

/// What only a pseudo-terminal has.
#[derive(Default)]
struct Master {
    is_open: bool,
    /// Its own end cannot be opened.
    is_locked: bool,
    /// Its own end was opened and closed again.
    is_left: bool,
    is_packet: bool,
    news: News,
}

impl Tty {
    fn new(kind: Kind, settings: Settings, window: Winsize) -> Result<Arc<Self>, NoMemory> {
        let state = State {
            line: Line::new(settings)?,
            pending: Ring::new(WAITING)?,
            out: Ring::new(WAITING)?,
            window,
            session: 0,
            foreground: 0,
            exclusive: false,
            opens: 0,
            hangups: 0,
            master: Master::default(),
        };
        Ok(Arc::new(Self {
            kind,
            state: SpinLock::new(state),
            near: End::default(),
            far: End::default(),
        }))
    }

    /// Returns its device number as Linux encodes it.
    pub fn number(&self) -> u64 {
        match self.kind {
            Kind::Serial => 4 << 8 | 64,
            Kind::Pty(index) => super::dev::Device::Pts(index).number(),
        }
    }

    fn lock(&self) -> SpinGuard<'_, State, { rank::SOURCE }, KernelHooks> {
        self.state.lock()
    }

    fn is_serial(&self) -> bool {
        self.kind == Kind::Serial
    }
}

impl State {
    fn is_hung(&self, generation: u32) -> bool {
        self.hangups != generation
    }
}

impl End {
    fn wake_readers(&self) {
        self.readers.wake_all();
        self.pollers.notify(Readiness::READABLE | Readiness::URGENT);
    }

    fn wake_writers(&self) {
        self.writers.wake_all();
        self.pollers.notify(Readiness::WRITABLE);
    }

    /// Everybody: the other end has gone, or come.
    fn wake(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
        self.pollers.notify(Readiness::all());
    }
}
