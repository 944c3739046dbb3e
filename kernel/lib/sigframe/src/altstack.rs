//! The alternate stack: what `sigaltstack` accepts and what it tells.

use abi::linux::{MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK};
use abi::signal::SigAltStack;

/// Why an alternate stack is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StackError {
    /// The program runs on the present one.
    InUse,
    /// Unknown flags.
    Invalid,
    /// Smaller than a frame could be.
    TooSmall,
}

/// Returns the stack that `new` asks for while `old` is in force and the program's stack pointer is `rsp`.
///
/// # Errors
/// See [`StackError`]; that the old one is in use comes first.
pub fn check_stack(
    rsp: u64,
    old: &SigAltStack,
    new: SigAltStack,
) -> Result<SigAltStack, StackError> {
    if is_on_stack(rsp, old) {
        return Err(StackError::InUse);
    }
    match new.flags & !SS_AUTODISARM {
        SS_DISABLE => Ok(SigAltStack {
            flags: new.flags,
            ..SigAltStack::NONE
        }),
        0 | SS_ONSTACK if new.size < u64::from(MINSIGSTKSZ) => Err(StackError::TooSmall),
        0 | SS_ONSTACK => Ok(SigAltStack { pad: 0, ..new }),
        _ => Err(StackError::Invalid),
    }
}

/// Returns what `sigaltstack` tells of `stack` while the program's stack pointer is `rsp`.
pub fn told(rsp: u64, stack: &SigAltStack) -> SigAltStack {
    SigAltStack {
        flags: stack_flags(rsp, stack) | stack.flags & SS_AUTODISARM,
        ..*stack
    }
}

/// Says whether a stack pointer is on the alternate stack; never of one that disarms itself.
#[inline]
pub fn is_on_stack(sp: u64, stack: &SigAltStack) -> bool {
    stack.flags & SS_AUTODISARM == 0 && contains(stack, sp)
}

/// Returns `SS_DISABLE`, `SS_ONSTACK`, or 0.
#[inline]
pub(crate) fn stack_flags(sp: u64, stack: &SigAltStack) -> u32 {
    match stack.size {
        0 => SS_DISABLE,
        _ if is_on_stack(sp, stack) => SS_ONSTACK,
        _ => 0,
    }
}

#[inline]
pub(crate) fn contains(stack: &SigAltStack, sp: u64) -> bool {
    sp > stack.sp && sp - stack.sp <= stack.size
}
