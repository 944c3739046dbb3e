//! The kernel's locks under loom: every interleaving, and every value that a weak memory may show.
//!
//! The locks are the files of `kernel/sync`, compiled a second time above a [`base`] of loom's atomics and
//! cells, with [`hooks`](world) over loom's threads. The models in `tests/` run each lock with two or three
//! threads. What is bounded is the number of times that a thread loses its CPU where it did not give it up.
//!
//! That the models have teeth is shown by [`base::Defect`]: the same locks with all orderings relaxed,
//! or without fences, must be found wrong.
#![deny(unsafe_code)]

extern crate alloc;

#[macro_use]
pub mod base;
#[path = "../../../kernel/sync/src/hooks.rs"]
pub mod hooks;
#[path = "../../../kernel/sync/src/mutex.rs"]
pub mod mutex;
#[path = "../../../kernel/sync/src/once.rs"]
pub mod once;
#[path = "../../../kernel/sync/src/rank.rs"]
pub mod rank;
#[path = "../../../kernel/sync/src/rwsem/mod.rs"]
pub mod rwsem;
#[path = "../../../kernel/sync/src/spinlock.rs"]
pub mod spinlock;
#[path = "../../../kernel/sync/src/split.rs"]
pub mod split;
#[path = "../../../kernel/sync/src/wait_queue.rs"]
pub mod wait_queue;
pub mod world;
