//! Memory touched by a program that lives on: the answer is the value, or the signal that the access raised.
//!
//! [`install`] catches SIGSEGV and SIGBUS for good. Each access is one instruction in a function of its own; the
//! handler makes the interrupted function return instead, and keeps what `siginfo` said.
#![expect(
    unsafe_code,
    reason = "accesses that fault on purpose, and the handler that steps over them"
)]

use std::arch::{asm, global_asm};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

/// Is what an access raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `si_signo`.
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_addr`.
    pub addr: u64,
    /// The trap number in the context.
    pub trap: u64,
    /// The processor's error code in the context.
    pub error: u64,
}

/// Is whether an access is under way, so that the handler may step over it.
static ARMED: AtomicBool = AtomicBool::new(false);
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static ADDR: AtomicU64 = AtomicU64::new(0);
static TRAP: AtomicU64 = AtomicU64::new(0);
static ERROR: AtomicU64 = AtomicU64::new(0);

// Each function gets its address in rdi, answers in rax, and says in rdx whether it came to nothing.
global_asm!(
    ".global user_touch_load, user_touch_store, user_touch_fetch, user_touch_resume",
    "user_touch_load: xor edx, edx",
    "mov rax, qword ptr [rdi]",
    "ret",
    "user_touch_store: xor edx, edx",
    "mov qword ptr [rdi], rsi",
    "ret",
    "user_touch_fetch: xor edx, edx",
    "jmp rdi",
    "user_touch_resume: mov edx, 1",
    "ret",
);

unsafe extern "C" {
    fn user_touch_resume();
}

/// Catches SIGSEGV and SIGBUS of the accesses below; any other fault kills as ever.
pub fn install() {
    // SAFETY: all-zero is a valid `sigaction`: no flags, nothing masked.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = caught as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: `caught` only reads what the kernel passes, stores to atomics and changes the context.
        unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    }
}

extern "C" fn caught(signal: i32, info: *const libc::siginfo_t, context: *mut libc::ucontext_t) {
    if !ARMED.load(Ordering::Relaxed) {
        crate::sys::die_of_faults();
        return;
    }
    // SAFETY: the kernel passes a valid `siginfo_t` with SA_SIGINFO.
    let info_ref = unsafe { &*info };
    // SAFETY: both signals of `install` fill the address.
    let addr = unsafe { info_ref.si_addr() } as u64;
    // SAFETY: the kernel passes the interrupted context, which is this handler's alone until it returns.
    let gregs = unsafe { &mut (*context).uc_mcontext.gregs };
    SIGNAL.store(signal, Ordering::Relaxed);
    CODE.store(info_ref.si_code, Ordering::Relaxed);
    ADDR.store(addr, Ordering::Relaxed);
    TRAP.store(gregs[libc::REG_TRAPNO as usize] as u64, Ordering::Relaxed);
    ERROR.store(gregs[libc::REG_ERR as usize] as u64, Ordering::Relaxed);
    // The access functions have pushed nothing, so that their return address is on top of the stack.
    gregs[libc::REG_RIP as usize] = user_touch_resume as *const () as i64;
}

fn answer(value: u64, failed: u64) -> Result<u64, Fault> {
    ARMED.store(false, Ordering::Relaxed);
    if failed == 0 {
        return Ok(value);
    }
    Err(Fault {
        signal: SIGNAL.load(Ordering::Relaxed),
        code: CODE.load(Ordering::Relaxed),
        addr: ADDR.load(Ordering::Relaxed),
        trap: TRAP.load(Ordering::Relaxed),
        error: ERROR.load(Ordering::Relaxed),
    })
}

/// Reads eight bytes.
pub fn load(addr: u64) -> Result<u64, Fault> {
    ARMED.store(true, Ordering::Relaxed);
    let (value, failed);
    // SAFETY: a load that yields a value or faults, and the fault is caught.
    unsafe {
        asm!("call user_touch_load", in("rdi") addr, lateout("rax") value, lateout("rdx") failed, clobber_abi("C"))
    };
    answer(value, failed)
}

/// Writes eight bytes.
pub fn store(addr: u64, value: u64) -> Result<u64, Fault> {
    ARMED.store(true, Ordering::Relaxed);
    let failed;
    // SAFETY: a store to memory that no Rust object lives in (the caller's word for it), or a fault, which is caught.
    unsafe {
        asm!(
            "call user_touch_store",
            in("rdi") addr, in("rsi") value, lateout("rax") _, lateout("rdx") failed,
            clobber_abi("C")
        )
    };
    answer(0, failed)
}

/// Jumps to `addr`, where a `ret` has to stand if anything does.
pub fn fetch(addr: u64) -> Result<u64, Fault> {
    ARMED.store(true, Ordering::Relaxed);
    let failed;
    // SAFETY: the code there returns at once, or the fetch faults, which is caught.
    unsafe {
        asm!("call user_touch_fetch", in("rdi") addr, lateout("rax") _, lateout("rdx") failed, clobber_abi("C"))
    };
    answer(0, failed)
}
