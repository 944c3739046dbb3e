//! How the machine ends: whoever decides it calls [`end`]; boot says what that does.

use core::fmt;

use abi::Signal;

use crate::locks::Once;

/// Why the machine ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// A program asked for power-off.
    PowerOff,
    /// A program asked for a halt.
    Halt,
    /// A program asked for a restart.
    Restart,
    /// Init called exit with this code.
    InitExited(u8),
    /// A signal ended init.
    InitKilled(Signal),
    /// There was no init to start.
    NoInit,
}

static HANDLER: Once<fn(Ending) -> !> = Once::new();

/// Says what ends the machine; boot calls it before any program runs.
pub fn set_handler(handler: fn(Ending) -> !) {
    HANDLER.call_once(|| handler);
}

/// Ends the machine.
pub fn end(ending: Ending) -> ! {
    let handler = HANDLER
        .get()
        .expect("boot says how the machine ends before a program can ask for it");
    handler(ending)
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOff => f.write_str("a program asked for power-off"),
            Self::Halt => f.write_str("a program asked for a halt"),
            Self::Restart => f.write_str("a program asked for a restart"),
            Self::InitExited(code) => write!(f, "init exited with code {code}"),
            Self::InitKilled(signal) => write!(f, "init was ended by {signal}"),
            Self::NoInit => f.write_str("there is no init to run"),
        }
    }
}
