//! A new process or thread from an old one.
//!
//! Nothing is visible before everything is there: the address space, the task with its kernel stack,
//! the entry in the tree or among the threads. A failure on the way leaves the parent as it was (FK-4).

use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use abi::process::CloneFlags;
use abi::signal::SigAltStack;

use super::fault::LastTrap;
use super::group::JoinError;
use super::thread::{CurrentThread, Thread, current_thread};
use super::{Process, tree};
use crate::arch::trapframe::TrapFrame;
use crate::locks::{SpinLock, WaitQueue};
use crate::mm::counters::FORKS;
use crate::mm::{MmUserRef, OutOfMemory, frame, reclaim, uaccess};
use crate::sched;
use crate::task::{self, NewUser, TaskRef};

/// Frames that must be free for a new process: what it and its parent touch first. Without them it is
/// better refused than ended.
const ROOM: u64 = 64;

/// What the new process or thread is to be like.
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

impl CloneRequest {
    /// A child that shares what `flags` say, and is in all else as its parent.
    pub const fn plain(flags: CloneFlags) -> Self {
        Self {
            flags,
            stack: 0,
            parent_tid: 0,
            child_tid: 0,
            tls: 0,
        }
    }
}

/// Why there is no child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloneError {
    /// No memory.
    OutOfMemory,
    /// The caller has a signal to look at first; the call is to be made again.
    Busy,
}

impl From<OutOfMemory> for CloneError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<JoinError> for CloneError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Busy => Self::Busy,
            JoinError::OutOfMemory => Self::OutOfMemory,
        }
    }
}

/// What a vfork parent sleeps on until the child has released its memory (FK-5).
pub struct VforkDone {
    done: AtomicBool,
    queue: WaitQueue,
}

/// Makes a child of the current process, or a thread of it, and starts it; returns its number.
///
/// `frame` holds the registers that the child starts with, but for its result, which is 0.
pub fn fork(frame: &TrapFrame, request: &CloneRequest) -> Result<u32, CloneError> {
    reclaim::if_low();
    if !frame::can_spare(ROOM) {
        return Err(CloneError::OutOfMemory);
    }
    sched::make_room()?;
    let vfork = request
        .flags
        .contains(CloneFlags::VFORK)
        .then(VforkDone::new);
    let (tid, task) = if request.flags.contains(CloneFlags::THREAD) {
        new_thread(frame, request, vfork.clone())?
    } else {
        new_process(frame, request, vfork.clone())?
    };
    sched::start(&task);
    drop(task);
    if let Some(vfork) = vfork {
        vfork.wait();
    }
    Ok(tid)
}

fn new_process(
    frame: &TrapFrame,
    request: &CloneRequest,
    vfork: Option<Arc<VforkDone>>,
) -> Result<(u32, TaskRef), CloneError> {
    let parent = current_thread();
    let mm = child_mm(request.flags)?;
    let child = Arc::new(parent.child(request.flags));
    let pid = child.pid();
    let thread = parent.heir(child.clone(), pid, request, vfork);
    let task = child_task(frame, request, Arc::new(thread), mm.clone())?;
    child.group.lock().begin(task.clone());
    tree::insert(child, Some(parent.process().pid()));
    store_numbers(request, &mm, pid);
    FORKS.inc();
    Ok((pid, task))
}

fn new_thread(
    frame: &TrapFrame,
    request: &CloneRequest,
    vfork: Option<Arc<VforkDone>>,
) -> Result<(u32, TaskRef), CloneError> {
    let maker = current_thread();
    let mm = child_mm(request.flags)?;
    let tid = tree::new_thread(&maker.process);
    let started = start_thread(frame, request, vfork, &maker, tid, mm.clone());
    let task = started.inspect_err(|_| tree::forget_thread(tid))?;
    store_numbers(request, &mm, tid);
    Ok((tid, task))
}

/// Makes the thread with number `tid` and lets it join the others; from then on it may be told to end.
fn start_thread(
    frame: &TrapFrame,
    request: &CloneRequest,
    vfork: Option<Arc<VforkDone>>,
    maker: &CurrentThread,
    tid: u32,
    mm: MmUserRef,
) -> Result<TaskRef, CloneError> {
    let thread = Arc::new(maker.heir(maker.process.clone(), tid, request, vfork));
    let task = child_task(frame, request, thread.clone(), mm)?;
    let mut group = maker.process.group.lock();
    let joined = group.join(maker.slot(), task.clone());
    if let Ok(slot) = joined {
        thread.set_slot(slot);
    }
    drop(group);
    joined?;
    Ok(task)
}

impl Thread {
    /// Makes a thread that begins as this one does, in `process`.
    fn heir(
        &self,
        process: Arc<Process>,
        tid: u32,
        request: &CloneRequest,
        vfork: Option<Arc<VforkDone>>,
    ) -> Self {
        let mut thread = Self::new(process, tid);
        thread.trap = LastTrap::from(self.trap());
        thread.vfork = SpinLock::new(vfork);
        if request.flags.contains(CloneFlags::CHILD_CLEARTID) {
            thread.clear_child_tid.store(request.child_tid, Relaxed);
        }
        thread
    }

    /// Makes the record of a child process; the descriptors are copied, their files shared.
    fn child(&self, flags: CloneFlags) -> Process {
        let parent = self.process();
        let mut signals = parent.with_signals(|signals| signals.fork(self.slot()));
        if flags.contains(CloneFlags::VM) && !flags.contains(CloneFlags::VFORK) {
            *signals.of_main().stack_mut() = SigAltStack::DISABLED;
        }
        if flags.contains(CloneFlags::CLEAR_SIGHAND) {
            signals.reset_handlers();
        }
        // One lock after the other: the locks of a process have one rank and never nest.
        let files = parent.with_files(|files| files.clone());
        let place = parent.place.lock().clone();
        let limits = parent.limits.lock().clone();
        let program = parent.program();
        Process {
            files: SpinLock::new(files),
            place: SpinLock::new(place),
            limits: SpinLock::new(limits),
            program: SpinLock::new(program),
            terminal: SpinLock::new(parent.terminal()),
            persona: AtomicU32::new(parent.persona().bits()),
            oom: parent.oom.for_child(),
            ..Process::empty(tree::new_pid(), signals)
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

    /// Lets the parent go on.
    pub(super) fn complete(&self) {
        self.done.store(true, Release);
        self.queue.wake_all();
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
    thread: Arc<Thread>,
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
        owner: thread,
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
