//! The kernel's memory management on the host, below it a machine that does not exist.
//!
//! [`mm`], [`percpu`] and [`locks`] are the kernel's own files, compiled a second time. What they
//! stand on is supplied here, in modules of the names they ask for: [`arch`], [`sched`], [`smp`], [`task`].
//! Behind those lies [`sim`]: physical memory, processors, and an MMU whose TLB forgets nothing
//! that it was not told to forget.
//!
//! On top come random [`program`]s ([`maker`]), a naive [`model`] of what each must see, page by page, and
//! [`run`], which compares the two after every step. `mmu --help` shows how to run them.
//!
//! Kernel state is global and there is one machine in a process: what is found wrong ends it, and
//! [`shrink`] repeats a program in processes of its own.
#![deny(unsafe_code)]

extern crate alloc;

pub mod access;
pub mod arch;
#[path = "../../../kernel/src/locks.rs"]
pub mod locks;
#[allow(
    dead_code,
    reason = "what only the kernel's allocator and user copies use"
)]
#[allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::private_intra_doc_links,
    reason = "the links are the kernel's, and checked with it"
)]
#[path = "../../../kernel/src/mm/mod.rs"]
pub mod mm;
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "the links are the kernel's, and checked with it"
)]
#[path = "../../../kernel/src/percpu/mod.rs"]
pub mod percpu;
pub mod sched;
pub mod smp;
pub mod task;

pub mod calls;
pub mod check;
pub mod file;
pub mod maker;
pub mod model;
pub mod program;
pub mod run;
pub mod settle;
pub mod shrink;
pub mod sim;
pub mod world;
