//! What `rt_sigreturn` makes of a frame (SF-6).
//!
//! Everything in the frame may be forged. What comes out can be put into the trap frame of a program
//! whatever it is: CS and SS name a program's privilege, interrupts are on, I/O privilege is none. A selector
//! or address that is bad in itself is left to the IRET, whose fault the entry code turns into the program's own.

use abi::SigSet;
use abi::signal::SigAltStack;

use crate::layout::{Registers, UC_STRICT_RESTORE_SS, UContext};

/// The flags a program may set: AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF.
const RESTORED_FLAGS: u64 = 0x5_0dd5;
/// The privilege level of programs, in a selector.
const USER_LEVEL: u16 = 3;

/// What comes back from a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The registers; `rax` is the frame's and no call's result.
    pub registers: Registers,
    /// What is blocked from now on.
    pub mask: SigSet,
    /// The alternate stack as `sigaltstack` would be asked for it; a bad one is passed over.
    pub stack: SigAltStack,
    /// Where the FP state is; 0 for the state every program starts with.
    pub fpstate: u64,
}

/// Reads a frame; `rflags` are those in force, from which the flags come that a program cannot set.
#[inline]
pub fn restore(context: &UContext, rflags: u64) -> Restored {
    let from = &context.mcontext.registers;
    let mut ss = from.ss | USER_LEVEL;
    if context.flags & UC_STRICT_RESTORE_SS == 0 && from.cs | USER_LEVEL == Registers::USER_CS {
        // Programs from before SS was restored left anything there.
        ss = Registers::USER_SS;
    }
    Restored {
        registers: Registers {
            rflags: rflags & !RESTORED_FLAGS | from.rflags & RESTORED_FLAGS,
            cs: from.cs | USER_LEVEL,
            ss,
            ..*from
        },
        mask: context.mask.minus(SigSet::UNMASKABLE),
        stack: context.stack,
        fpstate: context.mcontext.fpstate,
    }
}
