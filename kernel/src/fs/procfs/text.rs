//! Text that grows in pieces: a program decides how long its `maps` are.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::fs::IoError;
use crate::fs::user_buf::UserBuf;
use crate::mm::{OutOfMemory, frame};

/// Bytes in one piece: what the heap has a size class for.
const PIECE: usize = 2048;

/// Text in pieces of [`PIECE`] bytes: it grows as long as there is memory, and never needs much of it
/// in one place.
#[derive(Default)]
pub struct Text(Vec<Vec<u8>>);

impl Text {
    /// Makes an empty text.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Copies what lies at and above `at` to the program.
    pub fn read(&self, at: u64, to: &mut UserBuf<'_>) -> Result<(), IoError> {
        let mut skip = at;
        for piece in &self.0 {
            let rest = usize::try_from(skip)
                .ok()
                .and_then(|skip| piece.get(skip..));
            to.put(rest.unwrap_or(&[]))?;
            skip = skip.saturating_sub(piece.len() as u64);
        }
        Ok(())
    }

    /// Returns the last piece, with room for at least one byte.
    fn last(&mut self) -> Result<&mut Vec<u8>, OutOfMemory> {
        if self.0.last().is_none_or(|piece| piece.len() == PIECE) {
            if !frame::can_spare(1) {
                return Err(OutOfMemory);
            }
            let mut piece = Vec::new();
            piece.try_reserve_exact(PIECE).map_err(|_| OutOfMemory)?;
            self.0.try_reserve(1).map_err(|_| OutOfMemory)?;
            self.0.push(piece);
        }
        let last = self.0.len() - 1;
        Ok(&mut self.0[last])
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let piece = self.last().map_err(|OutOfMemory| fmt::Error)?;
            let (now, later) = rest.split_at(rest.len().min(PIECE - piece.len()));
            piece.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }
}
