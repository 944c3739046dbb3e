//! A ring of bytes that grows as it fills, up to a limit.

use alloc::vec::Vec;

use addr::PAGE_SIZE;

use crate::mm::frame;

/// What a new ring has room for.
const FIRST_SIZE: usize = 4096;

/// Bytes in the order in which they came.
pub struct Ring {
    cells: Vec<u8>,
    head: usize,
    len: usize,
    limit: usize,
}

/// There is no memory for the ring to grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

impl Ring {
    /// Makes an empty ring that will hold at most `limit` bytes, a power of two.
    pub const fn new(limit: usize) -> Self {
        Self {
            cells: Vec::new(),
            head: 0,
            len: 0,
            limit,
        }
    }

    /// Returns how many bytes it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns how many more bytes it could hold.
    pub fn room(&self) -> usize {
        self.limit - self.len
    }

    /// Returns the oldest bytes that lie in one piece.
    pub fn front(&self) -> &[u8] {
        let end = self.cells.len().min(self.head + self.len);
        &self.cells[self.head..end]
    }

    /// Forgets the oldest `count` bytes.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.len, "only bytes that are there are consumed");
        self.len -= count;
        self.head = match self.len {
            0 => 0,
            _ => (self.head + count) % self.cells.len(),
        };
    }

    /// Adds `bytes`, for which there is [`room`](Self::room).
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        debug_assert!(bytes.len() <= self.room(), "the writer checked the room");
        self.grow_to(self.len + bytes.len())?;
        let start = (self.head + self.len) % self.cells.len();
        let first = bytes.len().min(self.cells.len() - start);
        self.cells[start..start + first].copy_from_slice(&bytes[..first]);
        self.cells[..bytes.len() - first].copy_from_slice(&bytes[first..]);
        self.len += bytes.len();
        Ok(())
    }

    fn grow_to(&mut self, needed: usize) -> Result<(), NoMemory> {
        if needed <= self.cells.len() {
            return Ok(());
        }
        let size = needed.next_power_of_two().clamp(FIRST_SIZE, self.limit);
        if !frame::can_spare((size as u64).div_ceil(PAGE_SIZE)) {
            return Err(NoMemory);
        }
        let mut cells = Vec::new();
        cells.try_reserve_exact(size).map_err(|_| NoMemory)?;
        let (front, len) = (self.front(), self.len);
        cells.extend_from_slice(front);
        let wrapped = len - front.len();
        cells.extend_from_slice(&self.cells[..wrapped]);
        cells.resize(size, 0);
        self.cells = cells;
        self.head = 0;
        Ok(())
    }
}
