//! The end of a thread, and of its process with the last (XM-1).
//!
//! While memory is still there: the thread's word is cleared and a vfork parent woken. Then memory. Once the last
//! thread has come so far, files are closed, and only then does the parent learn of it (LZ-18): it can use all the memory again.
//! Children go to another thread, or to an ancestor that asked for them, or to init; who wants to know of that is told.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::Signal;
use abi::linux::{CLD_EXITED, CLD_KILLED};
use abi::siginfo::{ChildNews, SI_USER, SigInfo};
use sigstate::AlarmSetting;

use super::power::{self, Ending};
use super::thread::{Thread, current_thread};
use super::usage::Usage;
use super::{ExitStatus, Process, alarm, creds, futex, signal, stop, tree};
use crate::fs::file::Readiness;
use crate::mm::counters::EXITS;
use crate::mm::{inject, uaccess};
use crate::{sched, task};

/// Ends the current process with all its threads. The caller holds no reference that would never be dropped.
pub fn exit_group(status: ExitStatus) -> ! {
    let status = {
        let thread = current_thread();
        let mut group = thread.process.group.lock();
        group.end(status, Some(thread.slot()))
    };
    exit_thread(status)
}

/// Ends the current thread, and its process if it is the last. The caller holds no reference that would never be dropped.
pub fn exit_thread(status: ExitStatus) -> ! {
    inject::disarm();
    log::debug!(target: "process", "{}[{}]: ends: {status:?}", task::current().name(), current_thread().tid());
    release_memory();
    leave(status);
    sched::exit_task()
}

/// Gives the address space up (LZ-16).
fn release_memory() {
    let thread = current_thread();
    thread.give_up_robust_list();
    thread.clear_child_tid();
    thread.process.note_peak_rss(&task::current());
    thread.complete_vfork();
    task::exit_mm();
}

/// Leaves the other threads, or ends the process.
fn leave(status: ExitStatus) {
    let thread = current_thread();
    let process = thread.process();
    let left = process.group.lock().leave(&thread, status);
    if !thread.is_leader() {
        tree::forget_thread(thread.tid());
    }
    thread.give_up_locks();
    if let Some(status) = left.ended {
        return end_process(process, status);
    }
    if thread.has_children.load(Relaxed) {
        let other = process.next_tid(0).unwrap_or(process.pid());
        tell_left(&tree::leave_to_others(process.pid(), thread.tid(), other));
    }
    drop(process.files.leave(thread.tid()));
    drop(process.place.leave(thread.tid()));
    process.watchers.notify(Readiness::READABLE);
    process.left.wake_all();
    if let Some(signal) = left.stopped {
        stop::tell_parent(process, stop::Change::Stopped(signal));
    }
}

/// Sends children what they want to be sent when whoever made them ends (`PR_SET_PDEATHSIG`).
fn tell_left(children: &[Arc<Process>]) {
    for child in children {
        for (tid, signal) in child.parent_death_signals() {
            let info = SigInfo::from_user(signal, SI_USER, creds::sender());
            // Nobody learns of a queue that is full.
            let _ = signal::send_by(child, tid, info);
        }
    }
}

/// The end of a process whose threads and memory have gone.
fn end_process(process: &Process, status: ExitStatus) {
    EXITS.inc();
    let _ = alarm::set(AlarmSetting::default());
    process.forget_timers();
    drop(process.files.take());
    process.end_of_leader();
    // What it ran may be written again.
    let program = core::mem::take(&mut *process.program.lock());
    drop(program);
    if process.pid() == tree::INIT {
        power::end(match status {
            ExitStatus::Exited(code) => Ending::InitExited(code),
            ExitStatus::Signaled(signal) => Ending::InitKilled(signal),
        });
    }
    notify(process, status);
}

impl Thread {
    /// Tells whoever shares the memory that this thread is gone; nobody else can see the word (XM-1).
    pub(super) fn clear_child_tid(&self) {
        let addr = self.clear_child_tid.swap(0, Relaxed);
        let Some(mm) = task::current_mm() else { return };
        // One user is this thread, one the reference just taken.
        if addr != 0 && mm.users() > 2 {
            // A bad address is the program's own affair.
            let _ = uaccess::write_user(addr, &0_u32);
            if let Ok(key) = futex::Key::shared(&mm, addr) {
                futex::wake(key, 1, futex::ANY);
            }
        }
    }
}

/// Leaves the status behind and tells those who wait for it.
fn notify(process: &Process, status: ExitStatus) {
    let used = Usage::of(process);
    let parent = tree::family(process.pid()).and_then(|family| tree::find(family.parent));
    let signal = tree::exit_signal(process.pid());
    let forgotten = parent.is_some_and(|parent| forgets(&parent, signal));
    let mourners = tree::end(process.pid(), status, used, forgotten);
    tell_left(&mourners.left);
    if let Some((parent, maker)) = &mourners.parent {
        tell((parent, *maker), signal, process, status, &used);
    }
    process.watchers.notify(Readiness::READABLE);
    if let Some((heir, dead)) = &mourners.heir {
        for child in dead {
            inherit_dead(heir, *child);
        }
    }
    for group in &mourners.unlinked {
        stop::release_orphans(*group);
    }
}

/// Says whether a parent does not wait for a child whose end is told by `signal`.
fn forgets(parent: &Process, signal: Option<Signal>) -> bool {
    signal == Some(Signal::CHLD) && signal::disowns_children(parent)
}

/// Sends a parent what it is sent at a child's end, its thread that made the child first, and wakes it if it waits.
fn tell(
    (parent, maker): (&Process, u32),
    signal: Option<Signal>,
    child: &Process,
    status: ExitStatus,
    used: &Usage,
) {
    if let Some(signal) = signal
        && !(signal == Signal::CHLD && signal::ignores_children(parent))
    {
        // A standard signal finds room, or waits already.
        let _ = signal::send_by(parent, maker, news(signal, child, status, used));
    }
    parent.child_changed.wake_all();
}

/// Tells whoever got an ended child of it, and forgets the child if nobody cares.
fn inherit_dead(heir: &Process, child: u32) {
    let Some((child, status, used)) = tree::end::ended(child) else {
        return;
    };
    if forgets(heir, Some(Signal::CHLD)) {
        drop(tree::end::forget(child.pid()));
    }
    tell(
        (heir, heir.pid()),
        Some(Signal::CHLD),
        &child,
        status,
        &used,
    );
}

/// What the parent is told.
fn news(signal: Signal, child: &Process, status: ExitStatus, used: &Usage) -> SigInfo {
    let (code, status) = status_of(status);
    let (utime, stime) = used.ticks();
    let news = ChildNews {
        code,
        pid: child.pid(),
        uid: child.uid(),
        status,
        utime,
        stime,
    };
    SigInfo {
        signo: signal.number().into(),
        ..SigInfo::child(&news)
    }
}

/// Returns `si_code` and `si_status` of an end.
pub fn status_of(status: ExitStatus) -> (i32, i32) {
    match status {
        ExitStatus::Exited(code) => (CLD_EXITED as i32, code.into()),
        ExitStatus::Signaled(signal) => (CLD_KILLED as i32, signal.number().into()),
    }
}
