//! How a process takes a signal, and who has to know when that changes.

use core::sync::atomic::Ordering::Relaxed;

use abi::Signal;
use abi::signal::SigAction;

use super::Process;

impl Process {
    /// Returns how a signal is taken.
    pub fn action(&self, signal: Signal) -> SigAction {
        self.group.lock().signals.action(signal)
    }

    /// Sets how a signal is taken, and returns how it was taken before; for a system call of the process.
    pub fn replace_action(&self, signal: Signal, action: SigAction) -> SigAction {
        let mut group = self.group.lock_irq();
        let before = group.signals.action(signal);
        group.signals.set_action(signal, action);
        drop(group);
        self.action_has_changed(signal);
        before
    }

    /// The same for who does not ask how it was.
    #[inline]
    pub fn set_action(&self, signal: Signal, action: SigAction) {
        self.group.lock_irq().signals.set_action(signal, action);
        self.action_has_changed(signal);
    }

    #[inline]
    fn action_has_changed(&self, signal: Signal) {
        if self.tells_actions.load(Relaxed) {
            self.tell_action(signal);
        }
    }

    /// Tells who has to know that a signal is taken in another way now.
    #[cold]
    fn tell_action(&self, signal: Signal) {
        self.timers_mind_action(signal);
        self.tell_kin(signal);
    }
}
