//! What `rt_sigreturn` makes of a frame (SF-6).
//!
//! Everything in the frame may be forged. What comes out can be put into the trap frame of a program
//! whatever it is: CS and SS name a program's privilege, interrupts are on, I/O privilege is none. A selector
//! or address that is bad in itself is left to the IRET, whose fault the entry code turns into the program's own.

use crate::layout::{Registers, UC_STRICT_RESTORE_SS, UContext};

/// The flags a program may set: AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF.
const RESTORED_FLAGS: u64 = 0x5_0dd5;
/// The privilege level of programs, in a selector.
const USER_LEVEL: u16 = 3;

/// Makes the registers in `context` those of a program, whatever they were.
///
/// `rflags` are those in force, from which the flags come that a program cannot set. RAX is the frame's and no call's
/// result. The mask, the stack and where the FP state is stay as they are: what takes them looks at them itself.
#[inline]
pub fn restore(context: &mut UContext, rflags: u64) {
    let registers = &mut context.mcontext.registers;
    registers.cs |= USER_LEVEL;
    registers.ss |= USER_LEVEL;
    if context.flags & UC_STRICT_RESTORE_SS == 0 && registers.cs == Registers::USER_CS {
        // Programs from before SS was restored left anything there.
        registers.ss = Registers::USER_SS;
    }
    registers.rflags = rflags & !RESTORED_FLAGS | registers.rflags & RESTORED_FLAGS;
}
