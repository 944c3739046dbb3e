//! Loads and stores that may fault, by many threads at once: the answer is the value, or that there was none.
//!
//! [`crate::touch`] tells what a fault was, and is for one thread; here only the instruction's place counts.
#![expect(
    unsafe_code,
    reason = "accesses that fault on purpose, and the handler that steps over them"
)]

use std::arch::{asm, global_asm};

use crate::signals::{self, Event, word};
use crate::sys;

// Each function gets its address in rdi, answers in rax, and says in rdx whether it came to nothing.
global_asm!(
    ".global user_tolerant_load, user_tolerant_store, user_tolerant_resume",
    "user_tolerant_load: mov rax, qword ptr [rdi]",
    "xor edx, edx",
    "ret",
    "user_tolerant_store: mov qword ptr [rdi], rsi",
    "xor edx, edx",
    "ret",
    "user_tolerant_resume: mov edx, 1",
    "ret",
);

unsafe extern "C" {
    fn user_tolerant_load();
    fn user_tolerant_store();
    fn user_tolerant_resume();
}

/// Catches SIGSEGV and SIGBUS of the accesses below; any other fault kills.
pub fn install() -> sys::Result<()> {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        signals::install(signal, caught, 0, 0)?;
    }
    Ok(())
}

fn caught(event: &mut Event) {
    let places = [user_tolerant_load, user_tolerant_store];
    let at = event.context[word::RIP];
    if places.iter().any(|place| *place as *const () as u64 == at) {
        event.context[word::RIP] = user_tolerant_resume as *const () as u64;
    } else {
        sys::exit(99);
    }
}

/// Reads eight bytes.
#[must_use]
pub fn load(addr: u64) -> Option<u64> {
    let (value, failed): (u64, u64);
    // SAFETY: a load that yields a value or faults, and the fault is caught.
    unsafe {
        asm!("call user_tolerant_load", in("rdi") addr, lateout("rax") value, lateout("rdx") failed, clobber_abi("C"))
    };
    (failed == 0).then_some(value)
}

/// Writes eight bytes and says whether that went well.
pub fn store(addr: u64, value: u64) -> bool {
    let failed: u64;
    // SAFETY: a store to memory that no Rust object lives in (the caller's word for it), or a fault, which is caught.
    unsafe {
        asm!(
            "call user_tolerant_store",
            in("rdi") addr, in("rsi") value, lateout("rax") _, lateout("rdx") failed,
            clobber_abi("C")
        )
    };
    failed == 0
}
