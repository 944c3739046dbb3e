//! The serial console: input in the interrupt, work on it in a thread.

use alloc::sync::Arc;

use abi::file::Winsize;
use tty::Settings;

use super::{Kind, Tty};
use crate::arch::serial::COM1;
use crate::locks::Once;

/// The size if nobody says another.
const WINDOW: Winsize = Winsize {
    rows: 24,
    columns: 80,
    xpixel: 0,
    ypixel: 0,
};

static CONSOLE: Once<Arc<Tty>> = Once::new();

/// Makes the console, with a window of so many columns and rows; called before any program runs.
pub fn init(window: Option<(u16, u16)>) {
    let window = window.map_or(WINDOW, |(columns, rows)| Winsize {
        rows,
        columns,
        ..WINDOW
    });
    CONSOLE.call_once(|| {
        Tty::new(Kind::Serial, Settings::console(), window).expect("memory is free at boot")
    });
}

/// Returns the console.
pub fn console() -> &'static Arc<Tty> {
    CONSOLE
        .get()
        .expect("the console is made before anybody opens it")
}

/// Takes what the port has; called in its interrupt. What has no room stays there, and the sender waits.
///
/// Returns whether [`work`] is to be done.
pub fn interrupt() -> bool {
    CONSOLE.get().is_some_and(|console| console.fetch())
}

/// Works on what came; signals are sent here.
pub fn work() {
    if let Some(console) = CONSOLE.get() {
        console.pump();
        // The port tells of new bytes only: those it kept for want of room are asked for.
        while console.fetch() {
            console.pump();
        }
    }
}

impl Tty {
    /// Takes bytes from the port while there is room; returns whether there were any.
    fn fetch(&self) -> bool {
        let mut state = self.lock();
        let mut any = false;
        while state.pending.room() > 0 {
            let Some(byte) = COM1.read_byte() else { break };
            state.pending.push(byte);
            any = true;
        }
        any
    }
}
