//! A new process from an old one.
//!
//! Nothing is visible before everything is there: the address space, the task with its kernel stack,
//! the entry in the tree. A failure on the way leaves the parent as it was (FK-4).

use alloc::sync::{Arc, Weak};
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Release},
};

use super::fault::LastTrap;
use abi::process::CloneFlags;
use abi::signal::SigAltStack;
use sigstate::SignalState;

use super::oom::OomState;
use super::{Process, current, tree};
use crate::arch::trapframe::TrapFrame;
use crate::locks::{SpinLock, WaitQueue};
use crate::mm::counters::FORKS;
use crate::mm::{MmUserRef, OutOfMemory, frame, reclaim, uaccess};
use crate::sched;
use crate::task::{self, NewUser, TaskRef};

/// Frames that must be free for a new process: what it and its parent touch first. Without them it is
/// better refused than ended.
const ROOM: u64 = 64;

/// What the new process is to be like.
#[derive(Clone, Copy, Debug)]
pub struct CloneRequest {
    /// What is shared and what is stored where.
    pub flags: CloneFlags,
    /// The child's stack pointer; 0 for the parent's.
    pub stack: u64,
    /// Where the parent wants the child's number.
    pub parent_tid: u64,
    /// Where the child wants its number, or wants it cleared.
    pub child_tid: u64,
    /// The child's FS base.
    pub tls: u64,
}

/// What a vfork parent sleeps on until the child has released its memory (FK-5).
pub struct VforkDone {
    done: AtomicBool,
    queue: WaitQueue,
}

/// Makes a child of the current process and starts it; returns its number.
///
/// `frame` holds the registers that the child starts with, but for its result, which is 0.
pub fn fork(frame: &TrapFrame, request: &CloneRequest) -> Result<u32, OutOfMemory> {
    reclaim::if_low();
    if !frame::can_spare(ROOM) {
        return Err(OutOfMemory);
    }
    let mm = child_mm(request.flags)?;
    let vfork = request
        .flags
        .contains(CloneFlags::VFORK)
        .then(VforkDone::new);
    let child = Arc::new(current().child(request, vfork.clone()));
    let pid = child.pid();
    let task = child_task(frame, request, &child, mm.clone())?;
    *child.task.lock() = Arc::downgrade(&task);
    tree::insert(child, Some(current().pid()));
    store_numbers(request, &mm, pid);
    drop(mm);
    FORKS.inc();
    sched::start(&task);
    drop(task);
    if let Some(vfork) = vfork {
        vfork.wait();
    }
    Ok(pid)
}

impl Process {
    /// Makes the record of a child; the descriptors are copied, their files shared.
    fn child(&self, request: &CloneRequest, vfork: Option<Arc<VforkDone>>) -> Self {
        let flags = request.flags;
        let clears = if flags.contains(CloneFlags::CHILD_CLEARTID) {
            request.child_tid
        } else {
            0
        };
        let mut signals = self.with_signals(|signals| signals.fork());
        if flags.contains(CloneFlags::VM) && !flags.contains(CloneFlags::VFORK) {
            signals.stack = SigAltStack::DISABLED;
        }
        // One lock after the other: the locks of a process have one rank and never nest.
        let files = self.with_files(|files| files.clone());
        let place = self.place.lock().clone();
        let limits = self.limits.lock().clone();
        let program = self.program();
        Self {
            files: SpinLock::new(files),
            place: SpinLock::new(place),
            trap: LastTrap::from(self.trap()),
            limits: SpinLock::new(limits),
            program: SpinLock::new(program),
            vfork: SpinLock::new(vfork),
            persona: AtomicU32::new(self.persona().bits()),
            clear_child_tid: AtomicU64::new(clears),
            oom: self.oom.for_child(),
            ..Self::empty(tree::new_pid(), signals)
        }
    }

    /// Lets the parent that waits for this process's memory go on.
    pub(super) fn complete_vfork(&self) {
        let vfork = self.vfork.lock().take();
        if let Some(vfork) = vfork {
            vfork.done.store(true, Release);
            vfork.queue.wake_all();
        }
    }

    /// Makes a record with nothing in it.
    pub(super) fn empty(pid: u32, signals: SignalState) -> Self {
        Self {
            pid,
            task: SpinLock::new(Weak::new()),
            files: SpinLock::new(crate::fs::fdtable::FdTable::new()),
            place: SpinLock::new(super::Place {
                cwd: crate::fs::root(),
                umask: 0o022,
            }),
            signals: SpinLock::new(signals),
            trap: LastTrap::default(),
            limits: SpinLock::new(super::Limits::new()),
            program: SpinLock::new(super::Program::default()),
            vfork: SpinLock::new(None),
            alarm: SpinLock::new(super::alarm::Alarm::default()),
            restart: SpinLock::new(None),
            persona: AtomicU32::new(0),
            clear_child_tid: AtomicU64::new(0),
            peak_rss: AtomicU64::new(0),
            oom: OomState::new(),
            robust_list: AtomicU64::new(0),
            child_changed: WaitQueue::new(),
            continued: WaitQueue::new(),
        }
    }
}

impl VforkDone {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            done: AtomicBool::new(false),
            queue: WaitQueue::new(),
        })
    }

    /// Sleeps until the child has released the memory, or this process has to end itself.
    fn wait(&self) {
        // Interrupted: the parent ends on its way to user mode, and the child needs it no more.
        let _ = self.queue.wait_until_killable(|| self.done.load(Acquire));
    }
}

fn child_mm(flags: CloneFlags) -> Result<MmUserRef, OutOfMemory> {
    let mm = task::current_mm().expect("a process that forks has memory");
    if flags.contains(CloneFlags::VM) {
        Ok(mm)
    } else {
        mm.fork()
    }
}

fn child_task(
    frame: &TrapFrame,
    request: &CloneRequest,
    child: &Arc<Process>,
    mm: MmUserRef,
) -> Result<TaskRef, OutOfMemory> {
    let parent = task::current();
    let mut frame = *frame;
    frame.set_return(0);
    if request.stack != 0 {
        frame.rsp = request.stack;
    }
    let sets_tls = request.flags.contains(CloneFlags::SETTLS);
    NewUser {
        name: &parent.name(),
        mm,
        frame,
        owner: child.clone(),
        copy_fpu: true,
        fs_base: if sets_tls {
            request.tls
        } else {
            parent.fs_base()
        },
        gs_base: parent.gs_base(),
    }
    .spawn()
}

/// Stores the child's number where it was asked for; bad addresses are passed over (FK-7).
fn store_numbers(request: &CloneRequest, child_mm: &MmUserRef, pid: u32) {
    if request.flags.contains(CloneFlags::PARENT_SETTID) {
        let _ = uaccess::write_user(request.parent_tid, &pid);
    }
    if request.flags.contains(CloneFlags::CHILD_SETTID) {
        let _ = child_mm.write_remote(request.child_tid, &pid.to_le_bytes());
    }
}
