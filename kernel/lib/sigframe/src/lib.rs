//! The signal frame: what lies on a program's stack while a handler runs, and what may come back from there.
//!
//! ```text
//!  interrupted rsp ─► +-----------------+        or the top of the alternate stack
//!                     | 128 bytes       |        red zone, not on the alternate stack
//!                     +-----------------+
//!                     | FP state        |        64-byte aligned; see [`FpFormat`]
//!  fpstate ─────────► +-----------------+
//!                     | padding         |
//!                     | siginfo   128 B |  +312  rsi
//!                     | ucontext  304 B |    +8  rdx
//!                     | pretcode    8 B |    +0  the handler returns to it: sa_restorer
//!  handler's rsp ───► +-----------------+        8 below a multiple of 16, as after a call
//! ```
//!
//! [`place`](place()) says where that goes, [`build`](build()) what is written, [`enter`] with which registers the handler starts,
//! [`restore`](restore()) what `rt_sigreturn` makes of a frame, which the program may have changed in any way: whatever
//! is in it, the registers that come out are a program's. [`FpFormat`] says how much of an FP state there is.
//!
//! Rules: SF-1 to SF-6.
#![no_std]
#![forbid(unsafe_code)]

pub mod altstack;
pub mod build;
pub mod fpstate;
pub mod layout;
pub mod place;
pub mod restore;

pub use altstack::{StackError, check_stack, is_on_stack, told};
pub use build::{Entry, build, enter};
pub use fpstate::{BadState, FpFormat};
pub use layout::{Frame, Registers, SigContext, TrapInfo, UContext};
pub use place::{Placement, place};
pub use restore::restore;
