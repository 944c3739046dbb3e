//! The processor as the kernel's files name it: thin shells over the simulated one.

pub mod cpu;
pub mod local;
pub mod mmu;
pub mod timer;
pub mod uaccess;
