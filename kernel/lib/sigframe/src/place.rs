//! Where a frame goes: below the red zone, or onto the alternate stack (SF-2).

use abi::signal::SigAltStack;

use crate::altstack::{contains, is_on_stack, stack_flags};
use crate::layout::Frame;

/// What the ABI lets a function use below its stack pointer.
const RED_ZONE: u64 = 128;

/// Where the two parts of a frame go. Nothing here promises that this is memory of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The [`Frame`]; the handler's stack pointer.
    pub frame: u64,
    /// The FP state.
    pub fpstate: u64,
}

/// Finds the place below `rsp`, or on `stack` if the handler `wants_stack` and is not on it already.
///
/// `None` if the alternate stack is too small for what is on it and the frame.
#[inline]
pub fn place(
    rsp: u64,
    stack: &SigAltStack,
    wants_stack: bool,
    fp_size: usize,
) -> Option<Placement> {
    let nested = is_on_stack(rsp, stack);
    let mut sp = rsp.wrapping_sub(RED_ZONE);
    let enters = wants_stack && stack_flags(sp, stack) == 0;
    if enters {
        sp = stack.sp.wrapping_add(stack.size);
    }
    let fpstate = round_down(sp.wrapping_sub(fp_size as u64), 64);
    let frame = fpstate.wrapping_sub(Frame::WHOLE);
    let frame = round_down(frame, 16).wrapping_sub(8);
    let overflows = (nested || enters) && !contains(stack, frame);
    (!overflows).then_some(Placement { frame, fpstate })
}

fn round_down(address: u64, to: u64) -> u64 {
    address & !(to - 1)
}
