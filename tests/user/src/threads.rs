//! Flows of control beside the program's own, made without a library: the raw `clone`, on a stack of the caller's.
//!
//! A helper made this way runs Rust code that allocates nothing, prints nothing and unwinds nowhere: the library knows nothing of it.
#![expect(
    unsafe_code,
    reason = "a new flow of control begins on a stack that only assembly can hand it"
)]

use std::arch::naked_asm;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::map::{self, Map};
use crate::sys;

/// What `pthread_create` asks for.
pub const THREAD: u64 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM) as u64;

/// A process of its own that shares the memory.
pub const SHARER: u64 = (libc::CLONE_VM | libc::SIGCHLD) as u64;

/// The flags that make the kernel store 0 and wake a futex when the helper has gone.
const TOLD: u64 = (libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;

/// A running helper. It must be joined before its stack goes.
pub struct Helper {
    tid: Box<AtomicU32>,
    number: i32,
    _stack: Map,
}

impl Helper {
    /// Starts `work(argument)` with the given clone flags, [`THREAD`] or [`SHARER`] or others; its result is the exit code.
    pub fn start(flags: u64, work: extern "C" fn(u64) -> u64, argument: u64) -> sys::Result<Self> {
        Self::start_on(Map::anon(16, map::RW)?, flags, work, argument)
    }

    /// The same on a stack that nobody else uses until the helper has gone.
    pub fn start_on(
        stack: Map,
        flags: u64,
        work: extern "C" fn(u64) -> u64,
        argument: u64,
    ) -> sys::Result<Self> {
        let tid = Box::new(AtomicU32::new(u32::MAX));
        let word = std::ptr::from_ref(&*tid) as u64;
        let top = stack.start + stack.bytes();
        // SAFETY: the helper runs on a mapping of its own, which `join` outlives, and ends without returning.
        let result = unsafe { clone(flags | TOLD, top, word, word, work, argument) };
        if result < 0 {
            return Err(sys::Errno(-(result as i32)));
        }
        Ok(Self {
            tid,
            number: result as i32,
            _stack: stack,
        })
    }

    /// Gives its number.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.number
    }

    /// Says whether it has gone, as far as the kernel has said so.
    #[must_use]
    pub fn has_gone(&self) -> bool {
        self.tid.load(Ordering::Acquire) == 0
    }

    /// Waits until the kernel says that it has gone.
    pub fn join(self) {
        loop {
            let seen = self.tid.load(Ordering::Acquire);
            if seen == 0 {
                return;
            }
            let word = std::ptr::from_ref(&*self.tid) as u64;
            let wait = libc::FUTEX_WAIT as u64;
            let _ = sys::call(libc::SYS_futex, [word, wait, u64::from(seen), 0]);
        }
    }
}

/// Returns the child's number in the caller; in the child it calls `work` and exits with what that returns.
///
/// # Safety
/// `top` is the end of writable memory that nobody else uses while the child runs; `work` touches only what stays.
#[unsafe(naked)]
unsafe extern "C" fn clone(
    flags: u64,
    top: u64,
    parent_word: u64,
    child_word: u64,
    work: extern "C" fn(u64) -> u64,
    argument: u64,
) -> i64 {
    naked_asm!(
        "mov r10, rcx",
        "mov r11, r8",
        "mov r8, 0",
        "and rsi, -16",
        "sub rsi, 16",
        "mov [rsi], r11",
        "mov [rsi + 8], r9",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jnz 2f",
        "xor ebp, ebp",
        "pop rax",
        "pop rdi",
        "call rax",
        "mov edi, eax",
        "mov eax, {exit}",
        "syscall",
        "ud2",
        "2: ret",
        clone = const libc::SYS_clone,
        exit = const libc::SYS_exit,
    )
}
