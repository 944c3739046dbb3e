//! What waits to be read: bytes and ends of input, in a ring of fixed size.

use crate::CAPACITY;

/// One thing to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cell {
    /// A byte.
    Byte(u8),
    /// Here a read ends, with what it has: of an empty line it is the end of the file.
    End,
}

/// The ring.
pub(crate) struct Ready {
    cells: [Cell; CAPACITY],
    head: usize,
    len: usize,
}

impl Ready {
    pub(crate) const fn new() -> Self {
        Self {
            cells: [Cell::End; CAPACITY],
            head: 0,
            len: 0,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) const fn room(&self) -> usize {
        CAPACITY - self.len
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a cell if there is room, and says whether there was.
    pub(crate) fn push(&mut self, cell: Cell) -> bool {
        if self.room() == 0 {
            return false;
        }
        self.cells[(self.head + self.len) % CAPACITY] = cell;
        self.len += 1;
        true
    }

    pub(crate) fn peek(&self) -> Option<Cell> {
        (!self.is_empty()).then(|| self.cells[self.head])
    }

    pub(crate) fn pop(&mut self) -> Option<Cell> {
        let cell = self.peek()?;
        self.head = (self.head + 1) % CAPACITY;
        self.len -= 1;
        Some(cell)
    }
}
