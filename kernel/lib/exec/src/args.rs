//! What a program is told, and how much it may be told (EX-4).

use alloc::vec::Vec;

/// The longest single string, with its NUL.
pub const MAX_STRING: u64 = 128 * 1024;
/// What is allowed whatever the stack limit says.
const MIN_TOTAL: u64 = 128 * 1024;
/// What is not exceeded whatever the stack limit says.
const MAX_TOTAL: u64 = 6 * 1024 * 1024;
/// Bytes of a pointer to a string.
const POINTER: u64 = 8;

/// The argument list is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooBig;

/// What is left to say of arguments and environment together.
#[derive(Clone, Debug)]
pub struct ArgBudget {
    left: u64,
}

impl ArgBudget {
    /// Starts with what a stack limit of `stack_limit` bytes allows.
    pub fn new(stack_limit: u64) -> Self {
        Self {
            left: (stack_limit / 4).clamp(MIN_TOTAL, MAX_TOTAL),
        }
    }

    /// Takes one string of `len` bytes, its NUL not counted, and its pointer.
    pub fn take(&mut self, len: u64) -> Result<(), TooBig> {
        let with_nul = len
            .checked_add(1)
            .filter(|len| *len <= MAX_STRING)
            .ok_or(TooBig)?;
        self.left = self.left.checked_sub(with_nul + POINTER).ok_or(TooBig)?;
        Ok(())
    }
}

/// Bytes in a piece of a list, unless one string alone is longer.
const PIECE: usize = 32 << 10;

/// A list of strings, each with its NUL; a long one is in many pieces of memory, which are found where one large is not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Strings {
    pieces: Vec<Vec<u8>>,
    size: usize,
    count: usize,
}

impl Strings {
    /// Makes an empty list.
    pub const fn new() -> Self {
        Self {
            pieces: Vec::new(),
            size: 0,
            count: 0,
        }
    }

    /// Adds a string, which holds no NUL; fails only for want of memory.
    pub fn push(&mut self, string: &[u8]) -> Result<(), TooBig> {
        let len = string.len() + 1;
        let piece = match self.pieces.last_mut() {
            Some(piece) if piece.len() + len <= PIECE => piece,
            _ => {
                self.pieces.try_reserve(1).map_err(|_| TooBig)?;
                self.pieces.push_mut(Vec::new())
            }
        };
        piece.try_reserve(len).map_err(|_| TooBig)?;
        piece.extend_from_slice(string);
        piece.push(0);
        self.size += len;
        self.count += 1;
        Ok(())
    }

    /// Makes a list of `strings`.
    pub fn of<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, TooBig> {
        let mut list = Self::new();
        for string in strings {
            list.push(string)?;
        }
        Ok(list)
    }

    /// Returns how many strings there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Says whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns how many bytes all strings are, each with its NUL.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Returns all strings, each followed by its NUL, piece by piece.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Vec::as_slice)
    }

    /// Visits the strings without their NULs.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces()
            .flat_map(|piece| piece.split_inclusive(|byte| *byte == 0))
            .map(|string| &string[..string.len() - 1])
    }
}
