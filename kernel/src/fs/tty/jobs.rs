//! Whose terminal it is: sessions and groups, as far as terminals know them.
//!
//! Processes are above this layer; what it needs of them they lend it as [`Jobs`].

use alloc::sync::Arc;
use core::ptr;

use abi::Signal;
use tty::access::{Stand, Verdict, Want, judge};

use super::Tty;
use crate::fs::file::IoError;
use crate::locks::Once;

/// Who uses a terminal.
pub struct Caller {
    /// Number of the process.
    pub pid: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// Its controlling terminal.
    pub terminal: Option<Arc<Tty>>,
    /// Whether it may do what only the administrator may.
    pub is_admin: bool,
    /// The user and the group whose files those are that it makes.
    pub owner: (u32, u32),
}

impl Caller {
    /// Returns whether it leads its session.
    pub fn leads(&self) -> bool {
        self.pid == self.session
    }

    /// Returns whether this is its controlling terminal.
    pub fn owns(&self, tty: &Tty) -> bool {
        self.terminal
            .as_deref()
            .is_some_and(|own| ptr::eq(own, tty))
    }
}

/// What terminals need of processes.
pub trait Jobs: Send + Sync {
    /// Returns who calls; `None` in a kernel thread.
    fn caller(&self) -> Option<Caller>;

    /// Sends a signal of the kernel's to every member of a group.
    fn signal_group(&self, group: u32, signal: Signal);

    /// Sends a signal of the kernel's to a process.
    fn signal_process(&self, pid: u32, signal: Signal);

    /// Returns whether the caller ignores or blocks a signal.
    fn is_deaf(&self, signal: Signal) -> bool;

    /// Returns whether nobody could continue a group.
    fn is_orphaned(&self, group: u32) -> bool;

    /// Returns the session of a group; `None` if there is no such group.
    fn session_of(&self, group: u32) -> Option<u32>;

    /// Makes a terminal the caller's controlling one.
    fn set_terminal(&self, terminal: Option<Arc<Tty>>);

    /// Takes the controlling terminal from every process of a session.
    fn clear_session(&self, session: u32);
}

static JOBS: Once<&'static dyn Jobs> = Once::new();

/// Lends the terminals what they need of processes; called before any program runs.
pub fn set(jobs: &'static dyn Jobs) {
    JOBS.call_once(|| jobs);
}

/// Sends a signal of the kernel's to every member of a group.
pub fn signal_group(group: u32, signal: Signal) {
    if let Some(jobs) = JOBS.get() {
        jobs.signal_group(group, signal);
    }
}

/// Returns who calls; `None` in a kernel thread.
pub fn caller() -> Option<Caller> {
    JOBS.get()?.caller()
}

/// Lets the caller do what it wants of a terminal, or stops it if it is in the background.
pub fn check(tty: &Tty, want: Want) -> Result<(), IoError> {
    let (Some(jobs), Some(caller)) = (JOBS.get(), caller()) else {
        return Ok(());
    };
    let foreground = tty.lock().foreground;
    let stand = Stand {
        is_own: caller.owns(tty),
        is_foreground: foreground == 0 || foreground == caller.group,
        is_deaf: jobs.is_deaf(want.signal()),
        is_orphaned: jobs.is_orphaned(caller.group),
    };
    match judge(want, stand) {
        Verdict::Go => Ok(()),
        Verdict::Fail => Err(IoError::Io),
        Verdict::Stop => {
            jobs.signal_group(caller.group, want.signal());
            Err(IoError::Interrupted)
        }
    }
}

/// Why a terminal did not change hands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JobError {
    /// It is not the caller's controlling terminal.
    NotOwn,
    /// The caller must not.
    NotPermitted,
    /// There is no such group.
    NoGroup,
}

impl Tty {
    /// Gives the terminal to the caller, the leader of a session without one, when it opens it.
    pub fn take_on_open(self: &Arc<Self>) {
        let Some(caller) = caller() else { return };
        if caller.leads() && caller.terminal.is_none() && self.lock().session == 0 {
            self.give_to(&caller);
        }
    }

    fn give_to(self: &Arc<Self>, caller: &Caller) {
        {
            let mut state = self.lock();
            state.session = caller.session;
            state.foreground = caller.group;
        }
        if let Some(jobs) = JOBS.get() {
            jobs.set_terminal(Some(self.clone()));
        }
    }

    /// Makes it the caller's controlling terminal (`TIOCSCTTY`); with `steal` the administrator takes another's.
    pub fn become_controlling(
        self: &Arc<Self>,
        steal: bool,
        readable: bool,
    ) -> Result<(), JobError> {
        let caller = caller().ok_or(JobError::NotPermitted)?;
        let session = self.lock().session;
        if caller.leads() && caller.session == session {
            return Ok(());
        }
        if !caller.leads() || caller.terminal.is_some() {
            return Err(JobError::NotPermitted);
        }
        if session != 0 {
            if !(steal && caller.is_admin) {
                return Err(JobError::NotPermitted);
            }
            if let Some(jobs) = JOBS.get() {
                jobs.clear_session(session);
            }
        }
        if !readable && !caller.is_admin {
            return Err(JobError::NotPermitted);
        }
        self.give_to(&caller);
        Ok(())
    }

    /// Gives the controlling terminal up (`TIOCNOTTY`); a leader does it for its session.
    pub fn give_up(&self) -> Result<(), JobError> {
        let (Some(jobs), Some(caller)) = (JOBS.get(), caller()) else {
            return Err(JobError::NotOwn);
        };
        if !caller.owns(self) {
            return Err(JobError::NotOwn);
        }
        if caller.leads() {
            self.leave_session(caller.session, false);
        } else {
            jobs.set_terminal(None);
        }
        Ok(())
    }

    /// The leader of `session` goes, or gives its terminal up: the session has none any more.
    pub fn leave_session(&self, session: u32, is_end: bool) {
        let Some(jobs) = JOBS.get() else { return };
        if is_end && self.is_serial() {
            return self.hang_up(true);
        }
        let group = {
            let mut state = self.lock();
            if state.session != session {
                return;
            }
            state.session = 0;
            core::mem::take(&mut state.foreground)
        };
        if group != 0 {
            jobs.signal_group(group, Signal::HUP);
            if !is_end {
                jobs.signal_group(group, Signal::CONT);
            }
        }
        jobs.clear_session(session);
    }

    /// Ends all use of the terminal by who has it open: reads end, writes fail. The leader of its session is told, and
    /// with `and_group` the foreground too.
    pub fn hang_up(&self, and_group: bool) {
        let (session, group) = {
            let mut state = self.lock();
            state.hangups = state.hangups.wrapping_add(1);
            state.line.flush_input();
            state.line.hold(false);
            state.exclusive = false;
            let session = core::mem::take(&mut state.session);
            (session, core::mem::take(&mut state.foreground))
        };
        if let Some(jobs) = JOBS.get().filter(|_| session != 0) {
            jobs.signal_process(session, Signal::HUP);
            jobs.signal_process(session, Signal::CONT);
            if and_group && group != 0 {
                jobs.signal_group(group, Signal::HUP);
            }
            jobs.clear_session(session);
        }
        self.near.wake();
        self.far.wake();
    }

    /// Returns the group in the foreground, 0 for none. At its own end only its session may ask.
    pub fn foreground(&self, at_master: bool) -> Result<u32, JobError> {
        self.check_own(at_master)?;
        Ok(self.lock().foreground)
    }

    /// Puts a group of the caller's session into the foreground.
    pub fn set_foreground(&self, group: u32) -> Result<(), JobError> {
        let (Some(jobs), Some(caller)) = (JOBS.get(), caller()) else {
            return Err(JobError::NotOwn);
        };
        if !caller.owns(self) || self.lock().session != caller.session {
            return Err(JobError::NotOwn);
        }
        let session = jobs.session_of(group).ok_or(JobError::NoGroup)?;
        if session != caller.session {
            return Err(JobError::NotPermitted);
        }
        self.lock().foreground = group;
        Ok(())
    }

    /// Returns the session whose terminal it is.
    pub fn session(&self, at_master: bool) -> Result<u32, JobError> {
        self.check_own(at_master)?;
        match self.lock().session {
            0 => Err(JobError::NotOwn),
            session => Ok(session),
        }
    }

    fn check_own(&self, at_master: bool) -> Result<(), JobError> {
        match at_master || caller().is_some_and(|caller| caller.owns(self)) {
            true => Ok(()),
            false => Err(JobError::NotOwn),
        }
    }
}
