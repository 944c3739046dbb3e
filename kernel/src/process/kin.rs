//! Processes that share the handlers of signals without being threads of one process (`CLONE_SIGHAND` alone).
//!
//! Each process has a table of its own; who changes an entry changes it for all. Two that change the same entry at the same time may
//! leave it different, as they could not know who would win. Threads have one table anyway.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Signal;

use super::{Field, Process};
use crate::locks::SpinLock;

/// Those who share.
pub type Kin = Arc<Field<Vec<Weak<Process>>>>;

impl Process {
    /// Makes a child share the handlers of this process.
    pub(super) fn adopt_kin(self: &Arc<Self>, child: &Arc<Self>) {
        let kin = self
            .kin
            .lock()
            .get_or_insert_with(|| Arc::new(SpinLock::new(Vec::new())))
            .clone();
        let mut members = kin.lock();
        if members.is_empty() {
            members.push(Arc::downgrade(self));
        }
        members.push(Arc::downgrade(child));
        drop(members);
        *child.kin.lock() = Some(kin);
        child.tells_actions.store(true, Relaxed);
        self.tells_actions.store(true, Relaxed);
    }

    /// Tells those who share its handlers how a signal is taken from now on.
    pub(super) fn tell_kin(&self, signal: Signal) {
        let Some(kin) = self.kin.lock().clone() else {
            return;
        };
        let action = self.action(signal);
        let members: Vec<Arc<Self>> = kin.lock().iter().filter_map(Weak::upgrade).collect();
        for member in members.iter().filter(|member| member.pid != self.pid) {
            member.with_signals(|signals| signals.set_action(signal, action));
        }
    }

    /// Shares its handlers with nobody any more.
    pub(super) fn leave_kin(&self) {
        let Some(kin) = self.kin.lock().take() else {
            return;
        };
        kin.lock()
            .retain(|member| member.as_ptr() != core::ptr::from_ref(self));
    }
}
