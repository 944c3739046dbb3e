//! The end of a thread, and of its process with the last (XM-1).
//!
//! While memory is still there: the thread's word is cleared and a vfork parent woken. Then memory. Once the last
//! thread has come so far, files are closed, and only then does the parent learn of it (LZ-18): it can use all the memory again.

use core::sync::atomic::Ordering::Relaxed;

use abi::linux::{CLD_EXITED, CLD_KILLED};
use abi::siginfo::{ChildNews, SigInfo};
use sigstate::AlarmSetting;

use super::power::{self, Ending};
use super::thread::{Thread, current_thread};
use super::usage::Usage;
use super::{ExitStatus, Process, alarm, futex, signal, stop, tree};
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
    if let Some(status) = left.ended {
        return end_process(process, status);
    }
    process.left.wake_all();
    if let Some(signal) = left.stopped {
        stop::tell_parent(process, stop::Change::Stopped(signal));
    }
}

/// The end of a process whose threads and memory have gone.
fn end_process(process: &Process, status: ExitStatus) {
    EXITS.inc();
    let _ = alarm::set(AlarmSetting::default());
    let files = process.with_files(core::mem::take);
    drop(files);
    process.end_of_leader();
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
    let forgotten = parent.is_some_and(|parent| signal::disowns_children(&parent));
    let mourners = tree::end(process.pid(), status, used, forgotten);
    if let Some(parent) = &mourners.parent {
        // SIGCHLD finds room, or waits already.
        let _ = signal::send(parent, news(process.pid(), status, used));
        parent.child_changed.wake_all();
    }
    if let Some(init) = &mourners.init {
        init.child_changed.wake_all();
    }
    for group in &mourners.unlinked {
        stop::release_orphans(*group);
    }
}

/// What the parent's SIGCHLD says.
fn news(pid: u32, status: ExitStatus, used: Usage) -> SigInfo {
    let (code, status) = match status {
        ExitStatus::Exited(code) => (CLD_EXITED, code.into()),
        ExitStatus::Signaled(signal) => (CLD_KILLED, signal.number().into()),
    };
    SigInfo::child(&ChildNews {
        code: code as i32,
        pid,
        status,
        utime: used.cpu_ns / 10_000_000,
        stime: 0,
    })
}
