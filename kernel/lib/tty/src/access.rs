//! Who may use a terminal from the background.
//!
//! Only the foreground group reads. Who else tries is stopped, unless it could never be continued (its group is
//! orphaned) or has made itself deaf to the signal. What changes the terminal is the same, but for the deaf, who may.

use abi::Signal;

/// What somebody wants of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// To read.
    Read,
    /// To change it, or to write where that is forbidden (`TOSTOP`).
    Change,
}

/// How a process stands to a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stand {
    /// The terminal is its controlling one.
    pub is_own: bool,
    /// Its group is in the foreground, or there is none.
    pub is_foreground: bool,
    /// It ignores or blocks the signal that is for this.
    pub is_deaf: bool,
    /// Nobody could continue its group.
    pub is_orphaned: bool,
}

/// What becomes of the wish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It may.
    Go,
    /// It fails (`EIO`).
    Fail,
    /// Its group gets the signal; the call is made again afterwards.
    Stop,
}

impl Want {
    /// Returns the signal that is for this.
    pub const fn signal(self) -> Signal {
        match self {
            Self::Read => Signal::TTIN,
            Self::Change => Signal::TTOU,
        }
    }
}

/// Decides.
pub const fn judge(want: Want, stand: Stand) -> Verdict {
    if !stand.is_own || stand.is_foreground {
        return Verdict::Go;
    }
    match want {
        Want::Read if stand.is_deaf => Verdict::Fail,
        Want::Change if stand.is_deaf => Verdict::Go,
        _ if stand.is_orphaned => Verdict::Fail,
        _ => Verdict::Stop,
    }
}
