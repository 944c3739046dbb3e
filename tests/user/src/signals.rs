//! Signal handlers as the kernel calls them: no libc between, the whole frame in the handler's hands.
//!
//! A handler is a function that gets an [`Event`]; what it has to say it [`note`]s, and the case reads it with
//! [`notes`]. Handlers are installed for the process; every case is a process of its own.
#![expect(
    unsafe_code,
    reason = "handlers are entered by the kernel, with raw pointers to their frames"
)]

use std::arch::global_asm;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use crate::sys;

/// Is what a handler does.
pub type Handler = fn(&mut Event);

/// `SA_RESTORER`, which libc keeps to itself.
pub const RESTORER: u64 = 0x0400_0000;
/// `SA_SIGINFO`.
pub const SIGINFO: u64 = 4;
/// `SA_ONSTACK`.
pub const ONSTACK: u64 = 0x0800_0000;
/// `SA_RESTART`.
pub const RESTART: u64 = 0x1000_0000;
/// `SA_NODEFER`.
pub const NODEFER: u64 = 0x4000_0000;
/// `SA_RESETHAND`.
pub const RESETHAND: u64 = 0x8000_0000;

/// Are words of `ucontext`.
#[allow(missing_docs, reason = "the names are those of the registers")]
pub mod word {
    pub const FLAGS: usize = 0;
    pub const STACK_SP: usize = 2;
    pub const STACK_FLAGS: usize = 3;
    pub const STACK_SIZE: usize = 4;
    pub const R8: usize = 5;
    pub const R12: usize = 9;
    pub const R13: usize = 10;
    pub const R14: usize = 11;
    pub const RBP: usize = 15;
    pub const RDI: usize = 13;
    pub const RBX: usize = 16;
    pub const RAX: usize = 18;
    pub const RSP: usize = 20;
    pub const RIP: usize = 21;
    pub const RFLAGS: usize = 22;
    pub const SEGMENTS: usize = 23;
    pub const ERR: usize = 24;
    pub const TRAPNO: usize = 25;
    pub const OLDMASK: usize = 26;
    pub const CR2: usize = 27;
    pub const FPSTATE: usize = 28;
    pub const MASK: usize = 37;
}

/// Is a signal that has arrived, with its frame.
pub struct Event<'a> {
    /// `siginfo`, in words of four bytes.
    pub info: &'a mut [i32; 32],
    /// `ucontext`; see [`word`].
    pub context: &'a mut [u64; 38],
    /// The first argument.
    pub signal: i32,
}

impl Event<'_> {
    /// `si_code`.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.info[2]
    }

    /// `si_addr`.
    #[must_use]
    pub fn addr(&self) -> u64 {
        u64::from(self.info[4] as u32) | u64::from(self.info[5] as u32) << 32
    }

    /// `si_pid`.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.info[4]
    }

    /// `si_value` of a queued signal, `si_status` of a child's.
    #[must_use]
    pub fn value(&self) -> i32 {
        self.info[6]
    }

    /// Gives the FP state in the frame.
    #[must_use]
    pub fn fp_state(&mut self) -> &mut [u8] {
        let at = self.context[word::FPSTATE] as *mut u8;
        let size = if self.context[word::FLAGS] & 1 == 0 {
            512
        } else {
            // SAFETY: the state says here how long it is, with the mark behind it.
            unsafe { at.wrapping_add(468).cast::<u32>().read() as usize }
        };
        // SAFETY: the kernel put a state of this size there, and the frame is this handler's.
        unsafe { std::slice::from_raw_parts_mut(at, size) }
    }
}

static HANDLERS: [AtomicUsize; 65] = [const { AtomicUsize::new(0) }; 65];
static NOTES: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
static NOTED: AtomicUsize = AtomicUsize::new(0);

/// Notes a word for the case to read.
pub fn note(word: u64) {
    let at = NOTED.fetch_add(1, SeqCst);
    if let Some(cell) = NOTES.get(at) {
        cell.store(word, SeqCst);
    }
}

/// Takes the words that handlers have noted, oldest first.
#[must_use]
pub fn notes() -> Vec<u64> {
    let count = NOTED.swap(0, SeqCst).min(NOTES.len());
    NOTES[..count]
        .iter()
        .map(|cell| cell.load(SeqCst))
        .collect()
}

/// Notes signal, code, address, trap number, error code, CR2 and RIP, and goes on where [`crate::crash`] says.
pub fn recover(event: &mut Event) {
    note(event.signal as u64);
    note(event.code() as u64);
    note(event.addr());
    for at in [word::TRAPNO, word::ERR, word::CR2, word::RIP] {
        note(event.context[at]);
    }
    go_on(event);
}

/// Goes on where [`crate::crash`] says.
pub fn go_on(event: &mut Event) {
    let context = &mut event.context;
    context[word::RIP] = context[word::R12];
    context[word::RSP] = context[word::R13];
    context[word::RBP] = context[word::R14];
    // Neither trap nor alignment checks.
    context[word::RFLAGS] &= !0x4_0100;
}

global_asm!(
    // Alignment checks stay on in a handler, which compiled code does not expect.
    ".globl user_signal_entry",
    "user_signal_entry:",
    "pushfq",
    "and dword ptr [rsp], 0xfffbffff",
    "popfq",
    "jmp {entry}",
    ".globl user_signal_restorer",
    "user_signal_restorer:",
    "mov eax, 15",
    "syscall",
    entry = sym entry,
);

unsafe extern "C" {
    fn user_signal_entry();
    fn user_signal_restorer();
}

extern "C" fn entry(signal: i32, info: *mut [i32; 32], context: *mut [u64; 38]) {
    let handler = HANDLERS[signal as usize].load(SeqCst);
    // SAFETY: the cell holds what `install` put there, a `Handler`.
    let handler: Handler = unsafe { std::mem::transmute(handler) };
    // SAFETY: the kernel passes pointers into the frame below, which is this handler's alone.
    let info = unsafe { &mut *info };
    // SAFETY: as above.
    let context = unsafe { &mut *context };
    handler(&mut Event {
        info,
        context,
        signal,
    });
}

/// Gives the address where handlers return to.
#[must_use]
pub fn restorer() -> u64 {
    user_signal_restorer as *const () as u64
}

/// Makes `handler` take `signal`; `flags` without `SA_RESTORER` and `SA_SIGINFO`, which are set.
pub fn install(signal: i32, handler: Handler, flags: u64, mask: u64) -> sys::Result {
    HANDLERS[signal as usize].store(handler as usize, SeqCst);
    let mut action = [
        user_signal_entry as *const () as u64,
        flags | RESTORER | SIGINFO,
        restorer(),
        mask,
    ];
    set_action(signal, &mut action)
}

/// Is `rt_sigaction` with handler, flags, restorer and mask.
pub fn set_action(signal: i32, action: &mut [u64; 4]) -> sys::Result {
    sys::call(
        libc::SYS_rt_sigaction,
        [signal as u64, sys::at(action), 0, 8],
    )
}

/// Reads how a signal is taken.
pub fn action(signal: i32) -> sys::Result<[u64; 4]> {
    let mut action = [0_u64; 4];
    sys::call(
        libc::SYS_rt_sigaction,
        [signal as u64, 0, sys::at(&mut action), 8],
    )?;
    Ok(action)
}

/// Gives the bit of a signal in a mask.
#[must_use]
pub fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Sets the mask and gives the one before.
pub fn set_mask(mut mask: u64) -> sys::Result {
    let mut old = [0_u64];
    sys::call(
        libc::SYS_rt_sigprocmask,
        [
            libc::SIG_SETMASK as u64,
            sys::at(&mut mask),
            sys::at(&mut old),
            8,
        ],
    )?;
    Ok(old[0])
}

/// Reads the mask.
pub fn mask() -> sys::Result {
    let mut old = [0_u64];
    sys::call(libc::SYS_rt_sigprocmask, [0, 0, sys::at(&mut old), 8])?;
    Ok(old[0])
}

/// Reads what waits.
pub fn pending() -> sys::Result {
    let mut set = [0_u64];
    sys::call(libc::SYS_rt_sigpending, [sys::at(&mut set), 8])?;
    Ok(set[0])
}

/// Is `kill`.
pub fn kill(pid: i32, signal: i32) -> sys::Result {
    sys::call(libc::SYS_kill, [pid as u64, signal as u64])
}

/// Sends to this thread.
pub fn raise(signal: i32) -> sys::Result {
    let pid = sys::getpid() as u64;
    sys::call(libc::SYS_tgkill, [pid, pid, signal as u64])
}

/// Is `rt_sigqueueinfo` with `SI_QUEUE` and a value.
pub fn queue(pid: i32, signal: i32, value: i32) -> sys::Result {
    let mut info = [0_i32; 32];
    info[2] = -1;
    info[4] = sys::getpid();
    info[6] = value;
    sys::call(
        libc::SYS_rt_sigqueueinfo,
        [pid as u64, signal as u64, sys::at(&mut info)],
    )
}

/// Is `sigaltstack`: sets a stack and gives the one before.
pub fn alt_stack(sp: u64, flags: u32, size: u64) -> sys::Result<[u64; 3]> {
    let mut new = [sp, u64::from(flags), size];
    let mut old = [0_u64; 3];
    sys::call(
        libc::SYS_sigaltstack,
        [sys::at(&mut new), sys::at(&mut old)],
    )?;
    Ok(old)
}

/// Reads the alternate stack.
pub fn present_alt_stack() -> sys::Result<[u64; 3]> {
    let mut old = [0_u64; 3];
    sys::call(libc::SYS_sigaltstack, [0, sys::at(&mut old)])?;
    Ok(old)
}
