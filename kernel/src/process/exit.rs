//! The end of a process (XM-1).
//!
//! While memory is still there: the thread's word is cleared and a vfork parent woken. Then memory,
//! then files, and only then does the parent learn of it (LZ-18): it can use all the memory again.

use core::sync::atomic::Ordering::Relaxed;

use abi::linux::{CLD_EXITED, CLD_KILLED};
use abi::siginfo::{ChildNews, SigInfo};
use sigstate::{AlarmSetting, Target};

use super::power::{self, Ending};
use super::usage::Usage;
use super::{ExitStatus, alarm, current, futex, signal, stop, tree};
use crate::mm::counters::EXITS;
use crate::mm::{inject, uaccess};
use crate::{sched, task};

/// Ends the current process. The caller holds no reference that would never be dropped.
pub fn exit_current(status: ExitStatus) -> ! {
    EXITS.inc();
    inject::disarm();
    log::debug!(target: "process", "{}[{}]: ends: {status:?}", task::current().name(), current().pid());
    release_memory();
    let _ = alarm::set(AlarmSetting::default());
    let files = current().with_files(core::mem::take);
    drop(files);
    if current().pid() == tree::INIT {
        power::end(match status {
            ExitStatus::Exited(code) => Ending::InitExited(code),
            ExitStatus::Signaled(signal) => Ending::InitKilled(signal),
        });
    }
    notify(status);
    sched::exit_task()
}

/// Gives the address space up (LZ-16).
fn release_memory() {
    clear_child_tid();
    current().note_peak_rss(&task::current());
    current().complete_vfork();
    task::exit_mm();
}

/// Tells whoever shares the memory that this process is gone; nobody else can see the word (XM-1).
pub(super) fn clear_child_tid() {
    let addr = current().clear_child_tid.swap(0, Relaxed);
    let Some(mm) = task::current_mm() else { return };
    // One user is this process, one the reference just taken.
    if addr != 0 && mm.users() > 2 {
        // A bad address is the program's own affair.
        let _ = uaccess::write_user(addr, &0_u32);
        futex::wake(futex::Key::new(mm.id().as_u64(), addr), 1, futex::ANY);
    }
}

/// Leaves the status behind and tells those who wait for it.
fn notify(status: ExitStatus) {
    let process = current();
    let parent = tree::family(process.pid()).and_then(|family| tree::find(family.parent));
    let forgotten = parent.is_some_and(|parent| signal::disowns_children(&parent));
    let mourners = tree::end(process.pid(), status, Usage::of_current(), forgotten);
    if let Some(parent) = &mourners.parent {
        // SIGCHLD finds room, or waits already.
        let _ = signal::send(parent, news(process.pid(), status), Target::Process);
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
fn news(pid: u32, status: ExitStatus) -> SigInfo {
    let (code, status) = match status {
        ExitStatus::Exited(code) => (CLD_EXITED, code.into()),
        ExitStatus::Signaled(signal) => (CLD_KILLED, signal.number().into()),
    };
    SigInfo::child(&ChildNews {
        code: code as i32,
        pid,
        status,
        utime: Usage::of_current().cpu_ns / 10_000_000,
        stime: 0,
    })
}
