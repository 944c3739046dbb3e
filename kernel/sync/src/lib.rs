//! Ranked locks and wait queues, generic over who is running.
//!
//! Nothing here knows the kernel: interrupts, sleeping, waking and the rank checker are reached
//! through [`Hooks`], which the kernel implements for its tasks and the host tests for threads.
//!
//! Read in this order:
//! - [`rank`]: the order of all locks, and [`Held`], the proof that a rank is held;
//! - [`held`]: the run-time checker of that order;
//! - [`hooks`]: what the locks ask of the world;
//! - [`spinlock`]: spins with interrupts off while held; can be handed to another task;
//! - [`split`]: a spinning lock whose parts may be taken one by one;
//! - [`wait_queue`]: sleeping until a condition holds, with no lost wake-up;
//! - [`mutex`] and [`rwsem`]: sleeping locks over a wait queue;
//! - [`once`]: what is written once and read without a lock;
//! - `base`: the atomics of all of these, which the models replace;
//! - `std_hooks` (feature `std`): the hooks of the host tests.
//!
//! A lock's rank is part of its type. Nested locks are taken by `lock_under(&outer_guard)`, which
//! an inverted pair does not survive at compile time:
//!
//! ```
//! use sync::{SpinLock, rank, std_hooks::StdHooks};
//! let page_table = SpinLock::<u32, { rank::PAGE_TABLE }, StdHooks>::new(1);
//! let frames = SpinLock::<u32, { rank::FRAME }, StdHooks>::new(2);
//! let outer = page_table.lock();
//! let inner = frames.lock_under(&outer);
//! assert_eq!(*outer + *inner, 3);
//! ```
//!
//! ```compile_fail,E0080
//! use sync::{SpinLock, rank, std_hooks::StdHooks};
//! let page_table = SpinLock::<u32, { rank::PAGE_TABLE }, StdHooks>::new(1);
//! let frames = SpinLock::<u32, { rank::FRAME }, StdHooks>::new(2);
//! let outer = frames.lock();
//! let inner = page_table.lock_under(&outer);
//! ```
//!
//! An equal rank is an inversion too:
//!
//! ```compile_fail,E0080
//! use sync::{SpinLock, rank, std_hooks::StdHooks};
//! let one = SpinLock::<u32, { rank::RUNQ }, StdHooks>::new(1);
//! let two = SpinLock::<u32, { rank::RUNQ }, StdHooks>::new(2);
//! let outer = one.lock();
//! let inner = two.lock_under(&outer);
//! ```

#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[macro_use]
mod base;
pub mod held;
pub mod hooks;
pub mod mutex;
pub mod once;
pub mod rank;
pub mod rwsem;
pub mod spinlock;
pub mod split;
#[cfg(feature = "std")]
pub mod std_hooks;
pub mod wait_queue;

pub use held::{HeldRanks, RankViolation};
pub use hooks::{Hooks, Order};
pub use mutex::{Mutex, MutexGuard};
pub use once::Once;
pub use rank::Held;
pub use rwsem::{PeekGuard, ReadGuard, RwSem, WriteGuard};
pub use spinlock::{SpinGuard, SpinLock};
pub use split::SplitLock;
pub use wait_queue::{Interrupted, WaitQueue};
