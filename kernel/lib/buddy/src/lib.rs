//! The buddy allocator's decisions, over frame numbers and nodes that the caller stores.
//!
//! Memory is divided into blocks of `2^order` frames, each aligned to its size. A free block whose
//! other half (its *buddy*) is free too is merged with it, at once. So a request fails only when no
//! aligned run of free frames is large enough.
//!
//! Nothing here touches memory: the free lists run through [`Node`]s, one per frame, which the
//! kernel keeps in its frame table and the tests keep in a `Vec`.
//!
//! - [`node`]: one frame's node, and who stores them;
//! - `lists`: the free lists, one per order;
//! - `buddy`: splitting and merging;
//! - [`hot`]: the single frames that were freed last, in front of the lists;
//! - `check`: the walk over everything that must hold.
//!
//! # Invariants
//! 1. Every free frame belongs to exactly one free block, whose first frame's node says
//!    `free` and the order, and which is in the list of that order exactly once.
//! 2. No two free blocks are buddies of one another, except at [`MAX_ORDER`].
//! 3. The first frame of an allocated block says the order and that it is allocated; every other
//!    frame's node is [`Node::INSIDE`], which is all zeroes.

#![no_std]
#![forbid(unsafe_code)]

mod buddy;
mod check;
pub mod hot;
mod lists;
pub mod node;

pub use buddy::Buddy;
pub use hot::Hot;
pub use node::{NIL, Node, Nodes};

/// The largest order: a block of `2^10` frames, 4 MiB.
pub const MAX_ORDER: usize = 10;

/// Returns how many frames a block of this order has.
pub const fn frames(order: usize) -> u32 {
    1 << order
}
