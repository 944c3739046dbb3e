//! What a program may do with a page, and what it tried to do.

use bitflags::bitflags;

bitflags! {
    /// A protection as `mmap` and `mprotect` take it; the values are those of `PROT_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Prot: u8 {
        /// The page may be read.
        const READ = 1;
        /// The page may be written.
        const WRITE = 2;
        /// Instructions may be fetched from the page.
        const EXEC = 4;
    }
}

/// One kind of memory access, as the CPU tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// A data read.
    Read,
    /// A data write, also the write half of a read-modify-write.
    Write,
    /// An instruction fetch.
    Fetch,
}

impl Access {
    /// Every kind of access.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Fetch];
}
