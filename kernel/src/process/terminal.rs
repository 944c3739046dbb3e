//! Controlling terminals: what terminals are lent of processes, sessions and groups.

use alloc::sync::Arc;

use abi::Signal;
use abi::siginfo::SigInfo;
use abi::signal::SIG_IGN;
use cred::Cap;

use super::thread::{current_thread, thread_of};
use super::{Process, creds, current, signal, tree};
use crate::fs::tty::Tty;
use crate::fs::tty::jobs::{self, Caller, Jobs};
use crate::task;

struct Processes;

/// Lends the terminals what they need.
pub(super) fn init() {
    jobs::set(&Processes);
}

impl Process {
    /// Returns its controlling terminal.
    pub fn terminal(&self) -> Option<Arc<Tty>> {
        self.terminal.lock().clone()
    }

    fn set_terminal(&self, terminal: Option<Arc<Tty>>) {
        let old = core::mem::replace(&mut *self.terminal.lock(), terminal);
        drop(old); // outside the lock: it may be the last reference
    }

    /// It leads a session of its own from now on, which has no terminal.
    pub fn leave_terminal(&self) {
        self.set_terminal(None);
    }

    /// It ends: if it leads its session, the session loses its terminal.
    pub(super) fn end_of_leader(&self) {
        let Some(terminal) = self.terminal() else {
            return;
        };
        if tree::family(self.pid()).is_some_and(|family| family.session == self.pid()) {
            terminal.leave_session(self.pid(), true);
        }
        self.set_terminal(None);
    }
}

impl Jobs for Processes {
    fn caller(&self) -> Option<Caller> {
        if !task::current::exists() || thread_of(&task::current()).is_none() {
            return None;
        }
        let process = current();
        let cred = creds::cred();
        let family = tree::family(process.pid())?;
        Some(Caller {
            pid: process.pid(),
            group: family.group,
            session: family.session,
            terminal: process.terminal(),
            is_admin: cred.has(Cap::SysAdmin),
            owner: (cred.uid.fs, cred.gid.fs),
        })
    }

    fn signal_group(&self, group: u32, signal: Signal) {
        signal::send_to_group(group, signal);
    }

    fn signal_process(&self, pid: u32, signal: Signal) {
        if let Some(process) = tree::find(pid) {
            let _ = signal::send(&process, SigInfo::kernel(signal));
        }
    }

    fn is_deaf(&self, signal: Signal) -> bool {
        let thread = current_thread();
        let process = thread.process();
        let ignored = |action: abi::signal::SigAction| action.handler == SIG_IGN;
        if process.with_signals(|signals| ignored(signals.action(signal))) {
            return true;
        }
        signal::with_own(|signals| signals.blocked().contains(signal))
    }

    fn is_orphaned(&self, group: u32) -> bool {
        tree::is_orphaned(group)
    }

    fn session_of(&self, group: u32) -> Option<u32> {
        tree::session_of_group(group)
    }

    fn set_terminal(&self, terminal: Option<Arc<Tty>>) {
        current().set_terminal(terminal);
    }

    fn clear_session(&self, session: u32) {
        for member in tree::find_all(|_, family| family.session == session) {
            member.set_terminal(None);
        }
    }
}
