//! The FP state of a signal frame: straight from the registers to user memory, and back.
//!
//! The CPU itself says whether a state can be loaded: with reserved bits in MXCSR or in the XSAVE header it raises a
//! general protection fault, at memory that is not there a page fault. Each instruction is in the exception table
//! ([`uaccess`](super::uaccess)), so either ends in [`BadState`]. Nothing is copied first, and nothing that another
//! process could change between a check and the load.
//!
//! A load that fails may have loaded a part; then the program gets the state that it started with.
//!
//! # Invariants
//! - The addresses lie in user space: checked for the whole state before the first instruction.
#![expect(unsafe_code, reason = "instructions that store and load user memory")]

use core::arch::naked_asm;

use addr::user_range;
use sigframe::BadState;
use sigframe::fpstate::{Claim, HEADER, LEGACY_SIZE, MAGIC2, MARKS_AT, MARKS_SIZE};

use super::fpu::{self, format};
use super::uaccess::{SMAP, clear_user, copy_from_user, copy_to_user};

/// Stores the registers of the running program at a user address. May sleep.
///
/// # Errors
/// [`BadState`] if there is no such memory.
pub fn save(addr: u64) -> Result<(), BadState> {
    let format = format();
    user_range(addr, format.frame_size() as u64).ok_or(BadState)?;
    if !format.has_xstate() {
        // SAFETY: the 512 bytes are user memory; the instruction is in the exception table.
        return check(unsafe { fxsave(addr, 0) });
    }
    // XSAVE leaves what it does not know of the header as it is.
    all(clear_user(addr + HEADER.start as u64, HEADER.len()))?;
    // SAFETY: the state is user memory; the instruction is in the exception table.
    check(unsafe { xsave(addr, format.features) })?;
    all(copy_to_user(addr + MARKS_AT as u64, &format.marks()))?;
    all(copy_to_user(
        addr + format.size as u64,
        &MAGIC2.to_le_bytes(),
    ))
}

/// Loads the registers of the running program from a user address: what is not there gets its initial state.
/// May sleep.
///
/// # Errors
/// [`BadState`] if the CPU cannot load it; then everything has its initial state.
pub fn load(addr: u64) -> Result<(), BadState> {
    try_load(addr).inspect_err(|BadState| fpu::reset())
}

fn try_load(addr: u64) -> Result<(), BadState> {
    let format = format();
    if !addr.is_multiple_of(format.alignment()) {
        return Err(BadState);
    }
    user_range(addr, LEGACY_SIZE as u64).ok_or(BadState)?;
    let mut claimed = None;
    if format.has_xstate() {
        fpu::reset(); // the parts that will not be loaded
        claimed = claim(addr)?;
    }
    check(match claimed {
        // SAFETY: the state is user memory, the parts are in use, and the instruction is in the exception table.
        Some(claim) => unsafe { xrstor(addr, claim.features) },
        // SAFETY: the 512 bytes are user memory; the instruction is in the exception table.
        None => unsafe { fxrstor(addr, 0) },
    })
}

/// Reads the marks of a state, both of which must be there for more than 512 bytes to count.
fn claim(addr: u64) -> Result<Option<Claim>, BadState> {
    let mut marks = [0; MARKS_SIZE];
    all(copy_from_user(&mut marks, addr + MARKS_AT as u64))?;
    let Some(claim) = format().claim(&marks) else {
        return Ok(None);
    };
    user_range(addr, format().size as u64).ok_or(BadState)?;
    let mut magic2 = [0; size_of::<u32>()];
    all(copy_from_user(&mut magic2, addr + claim.magic2_at as u64))?;
    Ok((u32::from_le_bytes(magic2) == MAGIC2).then_some(claim))
}

/// No byte is left of a copy.
fn all(left: usize) -> Result<(), BadState> {
    check(left as u64)
}

fn check(failed: u64) -> Result<(), BadState> {
    match failed {
        0 => Ok(()),
        _ => Err(BadState),
    }
}

/// Declares a function around one instruction with the operand `[rdi]`, which returns 1 if that faulted.
macro_rules! on_user_memory {
    ($(#[$doc:meta])* $name:ident, $instruction:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// What the instruction touches lies in user memory, and the parts in `features` are in use.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(addr: u64, features: u64) -> u64 {
            naked_asm!(
                "mov rax, rsi",
                "xor edx, edx",
                "cmp byte ptr [rip + {smap}], 0",
                "je 2f",
                "stac",
                concat!("2: ", $instruction, " [rdi]"),
                "xor eax, eax",
                "4: cmp byte ptr [rip + {smap}], 0",
                "je 5f",
                "clac",
                "5: ret",
                "3: mov eax, 1",
                "jmp 4b",
                ".pushsection .ex_table, \"a\"",
                ".quad 2b, 3b",
                ".popsection",
                smap = sym SMAP,
            )
        }
    };
}

on_user_memory!(
    /// Stores 512 bytes.
    fxsave,
    "fxsave64"
);
on_user_memory!(
    /// Loads 512 bytes.
    fxrstor,
    "fxrstor64"
);
on_user_memory!(
    /// Stores the parts in `features`, all below bit 32.
    xsave,
    "xsave64"
);
on_user_memory!(
    /// Loads the parts in `features`, all below bit 32.
    xrstor,
    "xrstor64"
);
