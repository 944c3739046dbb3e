//! A queue of bytes of fixed size.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// There is no memory for a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

/// Returns memory for so many bytes; it never passes over the stack, which is small.
pub(crate) fn bytes(count: usize) -> Result<Box<[u8]>, NoMemory> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(count).map_err(|_| NoMemory)?;
    bytes.resize(count, 0);
    Ok(bytes.into_boxed_slice())
}

/// The queue.
pub struct Ring {
    bytes: Box<[u8]>,
    head: usize,
    len: usize,
}

impl Ring {
    /// Makes an empty one with room for so many bytes.
    ///
    /// # Errors
    /// Without memory.
    pub fn new(size: usize) -> Result<Self, NoMemory> {
        Ok(Self {
            bytes: bytes(size)?,
            head: 0,
            len: 0,
        })
    }

    /// Returns how many bytes wait.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many more would fit.
    pub const fn room(&self) -> usize {
        self.bytes.len() - self.len
    }

    /// Forgets what waits.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a byte if there is room, and says whether there was.
    pub fn push(&mut self, byte: u8) -> bool {
        if self.room() == 0 {
            return false;
        }
        let place = (self.head + self.len) % self.bytes.len();
        self.bytes[place] = byte;
        self.len += 1;
        true
    }

    /// Takes the oldest byte.
    pub fn pop(&mut self) -> Option<u8> {
        if self.len == 0 {
            return None;
        }
        let byte = self.bytes[self.head];
        self.head = (self.head + 1) % self.bytes.len();
        self.len -= 1;
        Some(byte)
    }

    /// Takes as many bytes as are there and fit, and returns how many.
    pub fn take(&mut self, to: &mut [u8]) -> usize {
        let count = to.len().min(self.len);
        to[..count].fill_with(|| self.pop().unwrap_or_default());
        count
    }
}
