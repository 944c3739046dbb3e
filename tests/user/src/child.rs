//! Children: run a piece of work in a process of its own and learn how it ended.

use std::fmt;

use crate::sys;

/// Says how a process ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It left with this code.
    Exited(i32),
    /// A signal killed it.
    Killed(i32),
}

impl Ended {
    /// Reads a status as `wait4` stores it.
    #[must_use]
    pub fn from_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Ended::Exited(status >> 8 & 0xff),
            signal => Ended::Killed(signal),
        }
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exited(code) => write!(f, "exit {code}"),
            Ended::Killed(signal) => f.write_str(&signal_name(*signal)),
        }
    }
}

/// Names the signals that kill.
#[must_use]
pub fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGILL => "SIGILL".into(),
        libc::SIGTRAP => "SIGTRAP".into(),
        libc::SIGABRT => "SIGABRT".into(),
        libc::SIGBUS => "SIGBUS".into(),
        libc::SIGFPE => "SIGFPE".into(),
        libc::SIGKILL => "SIGKILL".into(),
        libc::SIGSEGV => "SIGSEGV".into(),
        libc::SIGPIPE => "SIGPIPE".into(),
        other => format!("signal {other}"),
    }
}

/// Starts a child that does `work` and exits with its result; gives its pid.
pub fn start(work: impl FnOnce() -> i32) -> sys::Result<i32> {
    match sys::fork()? {
        0 => {
            sys::die_of_faults();
            let code = work();
            sys::exit(code)
        }
        pid => Ok(pid),
    }
}

/// Starts a child that pauses for ever: only a signal ends it.
pub fn start_pausing() -> sys::Result<i32> {
    start(|| {
        loop {
            let _ = sys::call(libc::SYS_pause, []);
        }
    })
}

/// Waits for one child by its pid.
pub fn wait(pid: i32) -> sys::Result<Ended> {
    sys::wait4(pid, 0).map(|(_, status)| Ended::from_status(status))
}

/// Runs `work` in a child and waits for its end.
pub fn run(work: impl FnOnce() -> i32) -> sys::Result<Ended> {
    wait(start(work)?)
}
