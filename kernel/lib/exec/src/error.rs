//! Why a file cannot be executed.

use core::fmt;

/// What is wrong with a program file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExecError {
    /// It does not begin with an ELF header.
    NotElf,
    /// It is for another machine, word size, byte order or ELF version.
    WrongMachine,
    /// It is neither an executable nor a position-independent one.
    WrongType,
    /// The table of program headers has a bad size, or lies outside the file.
    BadProgramHeaders,
    /// Nothing is to be loaded.
    NoSegments,
    /// A segment has more bytes in the file than in memory.
    FileLargerThanMemory,
    /// A segment's bytes lie outside the file.
    OutsideFile,
    /// A segment's address and its place in the file differ within their pages.
    Misaligned,
    /// A segment, or the entry point, lies outside the user half.
    OutsideUserSpace,
    /// A segment lies below the lowest address that may be mapped.
    TooLow,
    /// Segments overlap, or are not in ascending order.
    Overlap,
    /// The interpreter's name is missing, too long or not terminated.
    BadInterpreter,
}

impl ExecError {
    /// Says the same in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotElf => "not an ELF file",
            Self::WrongMachine => "not a 64-bit x86 program",
            Self::WrongType => "neither an executable nor position-independent",
            Self::BadProgramHeaders => "bad program headers",
            Self::NoSegments => "no segment to load",
            Self::FileLargerThanMemory => "segment larger in the file than in memory",
            Self::OutsideFile => "segment outside the file",
            Self::Misaligned => "segment not aligned like its file offset",
            Self::OutsideUserSpace => "address outside user space",
            Self::TooLow => "segment below the lowest mappable address",
            Self::Overlap => "overlapping segments",
            Self::BadInterpreter => "bad interpreter name",
        }
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl core::error::Error for ExecError {}
