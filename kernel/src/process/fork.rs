//! A new process or thread from an old one.
//!
//! Nothing is visible before everything is there: the address space, the task with its kernel stack,
//! the entry in the tree or among the threads. A failure on the way leaves the parent as it was (FK-4).

use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use abi::Signal;
use abi::linux::RLIMIT_CPU;
use abi::process::{CloneFlags, Rlimit};
use abi::signal::SigAltStack;

use super::fault::LastTrap;
use super::group::JoinError;
use super::sharing::Sharing;
use super::thread::{CurrentThread, Thread, current_thread};
use super::tree::{self, Birth};
use super::{Process, limits, oom, pidfd};
use crate::arch::trapframe::TrapFrame;
use crate::fs::fdtable::FdError;
use crate::locks::{SpinLock, WaitQueue};
use crate::mm::counters::FORKS;
use crate::mm::{MmUserRef, OutOfMemory, frame, reclaim, uaccess};
use crate::sched;
use crate::task::{self, NewUser, TaskRef};

/// Frames that must be free for a new process: what it and its parent touch first. Without them it is
/// better refused than ended.
const ROOM: u64 = 64;
/// How often it tries anew when others took the room that was made.
const WAITS: u32 = 200;

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
    /// What the parent is sent at the child's end.
    pub exit_signal: Option<Signal>,
    /// Where the parent wants a descriptor of the child; 0 for nowhere.
    pub pidfd: u64,
    /// The number that the child is to have.
    pub number: Option<u32>,
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
            exit_signal: Some(Signal::CHLD),
            pidfd: 0,
            number: None,
        }
    }
}

/// Why there is no child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloneError {
    /// No memory.
    OutOfMemory,
    /// The caller has, or its process had, a signal to look at first; the call is to be made again.
    Busy,
    /// The number that it is to have is another's.
    Taken,
    /// Its user has as many as may be.
    TooMany,
    /// There is no descriptor for it.
    NoDescriptor(FdError),
    /// The descriptor cannot be told.
    BadAddress,
}

impl From<OutOfMemory> for CloneError {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<tree::NotInserted> for CloneError {
    fn from(error: tree::NotInserted) -> Self {
        match error {
            tree::NotInserted::Taken => Self::Taken,
            tree::NotInserted::Unwanted => Self::Busy,
        }
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
/// `frame` holds the registers that the child starts with, but for its result, which is 0. Where somebody ends
/// for want of memory, or had better end, that is waited for.
pub fn fork(frame: &TrapFrame, request: &CloneRequest) -> Result<u32, CloneError> {
    for _ in 0..WAITS {
        match attempt(frame, request) {
            Err(CloneError::OutOfMemory) if oom::make_room_to_fork(ROOM) => {}
            made => return made,
        }
    }
    Err(CloneError::OutOfMemory)
}

fn attempt(frame: &TrapFrame, request: &CloneRequest) -> Result<u32, CloneError> {
    reclaim::if_low();
    if !frame::can_spare(ROOM) {
        return Err(CloneError::OutOfMemory);
    }
    sched::make_room()?;
    limits::check_number_of_processes()?;
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
    let told = parent.process().spread_signals();
    let number = match request.number {
        Some(number) => tree::check_free(number)?,
        None => tree::new_pid(),
    };
    let mm = child_mm(request.flags)?;
    let child = Arc::new(parent.child(request.flags, number));
    let pid = child.pid();
    let thread = parent.heir(child.clone(), pid, request, vfork);
    let task = child_task(frame, request, Arc::new(thread), mm.clone())?;
    let opened = pidfd::open_for(request, &child, pid)?;
    child.group.lock().begin(task.clone());
    let birth = parent.birth_of_child(request);
    // Who was told to end is born no more children, and what a whole group is sent comes before the birth or finds the child.
    let is_wanted =
        || task::current().fatal_signal().is_none() && parent.process().spread_signals() == told;
    tree::insert(child.clone(), Some(birth), is_wanted).inspect_err(|_| {
        opened.close();
        drop(child.group.lock().abandon());
    })?;
    parent.has_children.store(true, Relaxed);
    if request.flags.contains(CloneFlags::SIGHAND) {
        parent.process.adopt_kin(&child);
    }
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
    let tid = tree::new_thread(&maker.process, request.number)?;
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
    let opened = pidfd::open_for(request, &maker.process, tid)?;
    let mut group = maker.process.group.lock();
    let joined = group.join(maker.slot(), task.clone());
    if let Ok(slot) = joined {
        thread.set_slot(slot);
    }
    drop(group);
    joined.inspect_err(|_| opened.close())?;
    maker.divide_with(request.flags, tid);
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
        let mut thread = Self::new(process, tid, self.cred());
        thread.trap = LastTrap::from(self.trap());
        thread.vfork = SpinLock::new(vfork);
        let no_new_privs = self.no_new_privs.load(Relaxed);
        thread.no_new_privs = AtomicBool::new(no_new_privs);
        let slack = self.slack[0].load(Relaxed);
        thread.slack = [const { AtomicU64::new(0) }; 2];
        thread
            .slack
            .iter()
            .for_each(|own| own.store(slack, Relaxed));
        if request.flags.contains(CloneFlags::CHILD_CLEARTID) {
            thread.clear_child_tid.store(request.child_tid, Relaxed);
        }
        thread
    }

    /// Says whose child a new process is.
    fn birth_of_child(&self, request: &CloneRequest) -> Birth {
        let own = self.process().pid();
        let sibling = request.flags.contains(CloneFlags::PARENT);
        let family = tree::family(own).filter(|_| sibling);
        match family {
            // As if the parent's parent had made it, and told as the parent's end will be.
            Some(family) => Birth {
                parent: family.parent,
                maker: family.parent,
                model: own,
                exit_signal: tree::exit_signal(own),
            },
            None => Birth {
                parent: own,
                maker: self.tid(),
                model: own,
                exit_signal: request.exit_signal,
            },
        }
    }

    /// A thread `tid` has joined: it has what this one has, or begins with a copy of it.
    fn divide_with(&self, flags: CloneFlags, tid: u32) {
        let process = self.process();
        process.files.join(self.tid(), tid);
        process.place.join(self.tid(), tid);
        if !flags.contains(CloneFlags::FILES) {
            drop(process.files.unshare(tid, &process.tids()));
        }
        if !flags.contains(CloneFlags::FS) {
            drop(process.place.unshare(tid, &process.tids()));
        }
    }

    /// Makes the record of a child process with number `pid`; what it does not share with its parent it begins with a copy of.
    fn child(&self, flags: CloneFlags, pid: u32) -> Process {
        let parent = self.process();
        let mut signals = parent.with_signals(|signals| signals.fork(self.slot()));
        if flags.contains(CloneFlags::VM) && !flags.contains(CloneFlags::VFORK) {
            *signals.of_main().stack_mut() = SigAltStack::DISABLED;
        }
        if flags.contains(CloneFlags::CLEAR_SIGHAND) {
            signals.reset_handlers();
        }
        // One lock after the other: the locks of a process have one rank and never nest.
        let files = match flags.contains(CloneFlags::FILES) {
            true => Sharing::of(parent.files.share(self.tid())),
            false => Sharing::new(parent.with_files(|files| files.clone())),
        };
        let place = match flags.contains(CloneFlags::FS) {
            true => Sharing::of(parent.place.share(self.tid())),
            false => Sharing::new(parent.with_place(|place| place.clone())),
        };
        let limits = parent.limits.lock().clone();
        let program = parent.program();
        let is_limited = limits.soft(RLIMIT_CPU) != Rlimit::INFINITY;
        Process {
            files,
            place,
            limits: SpinLock::new(limits),
            program: SpinLock::new(program),
            terminal: SpinLock::new(parent.terminal()),
            persona: AtomicU32::new(parent.persona().bits()),
            oom: parent.oom.for_child(),
            watches_cpu: AtomicBool::new(is_limited),
            io_priority: AtomicU32::new(parent.io_priority.load(Relaxed)),
            dumpable: AtomicBool::new(parent.dumpable.load(Relaxed)),
            ..Process::empty(pid, signals, self.cred())
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
