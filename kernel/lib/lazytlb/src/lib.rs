//! Borrowed address spaces: who loads, who borrows, who flushes, who is interrupted.
//!
//! Kernel threads have no mm; they run on the one that the CPU stands on already. These are the
//! decisions of that protocol, as pure functions over what a CPU and an mm know:
//!
//! - [`switch`]: the four rows of the context switch ([`MmSwitch`]);
//! - [`load`]: whether CR3 must be written ([`plan_load`], [`enter_lazy`]);
//! - [`flush`]: which CPUs a change of the page tables concerns, and what they do about it;
//! - [`lifetime`]: what keeps a borrowed mm alive; [`pcid`]: which ones a TLB holds side by side.
//!
//! A CPU is in one of three states (LZ-11): *active* on a user mm, on *init_mm*, or *lazy*: a user
//! mm is loaded, a kernel thread runs, and flushes of that mm may pass the CPU by.
//!
//! The tests hold an explorer that walks through every interleaving of switches, exits, execs and
//! flushes of a small machine, and shows that each of these rules is needed.

#![no_std]
#![forbid(unsafe_code)]

pub mod flush;
pub mod lifetime;
pub mod load;
pub mod pcid;
pub mod switch;

pub use flush::{
    FULL_FLUSH_CEILING, Flush, FlushRequest, Standing, needs_ipi, plan_flush, receive,
};
pub use lifetime::{Counted, Lifetime, Shot};
pub use load::{CpuTlb, Load, MmId, enter_lazy, plan_load};
pub use switch::MmSwitch;
