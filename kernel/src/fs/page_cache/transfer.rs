//! Reading and writing a file's bytes, and finding them.

use addr::{Frame, PAGE_SIZE};
use vfs::seek::{SeekError, within};

use super::{PageCache, State, referenced};
use crate::fs::file::IoError;
use crate::fs::user_buf::UserBuf;
use crate::mm::frame;

/// What a read finds at a page.
pub(super) enum Seen {
    /// A frame, with a reference.
    Frame(Frame),
    /// The archive.
    Archive,
    /// Nothing was ever written there.
    Hole,
}

impl PageCache {
    /// Copies what there is from `at` on to the program.
    pub fn read(&self, at: u64, to: &mut UserBuf<'_>) -> Result<(), IoError> {
        let mut at = at;
        while to.left() > 0 {
            let (seen, piece) = {
                let state = self.state.lock();
                if at >= state.size {
                    return Ok(());
                }
                let within = at % PAGE_SIZE;
                let len = (PAGE_SIZE - within)
                    .min(state.size - at)
                    .min(to.left() as u64);
                let piece = within as usize..(within + len) as usize;
                (self.look(&state, at / PAGE_SIZE), piece)
            };
            let len = piece.len() as u64;
            match seen {
                Seen::Frame(frame) => {
                    let outcome = to.put_frame(frame, piece);
                    frame::put(frame);
                    outcome?;
                }
                Seen::Archive => {
                    let bytes = self.archived(at / PAGE_SIZE, self.archive.len() as u64);
                    let within = piece.start.min(bytes.len())..piece.end.min(bytes.len());
                    let beyond = piece.len() - within.len();
                    to.put(&bytes[within])?;
                    to.put_zeros(beyond)?;
                }
                Seen::Hole => to.put_zeros(piece.len())?,
            }
            at += len;
        }
        Ok(())
    }

    pub(super) fn look(&self, state: &State, index: u64) -> Seen {
        match state.pages.get(index) {
            Some(slot) => Seen::Frame(referenced(slot.frame)),
            // A page that the archive was cut inside of is in memory: see `shrink`.
            None if index.saturating_mul(PAGE_SIZE) < state.from_archive => Seen::Archive,
            None => Seen::Hole,
        }
    }

    /// Fills the file from the program from `at` on; the caller holds the inode's own lock.
    ///
    /// What was copied counts, up to the first page that found no room, no memory or no source.
    pub fn write(&self, at: u64, from: &mut UserBuf<'_>) -> Result<(), IoError> {
        let mut at = at;
        while from.left() > 0 {
            let within = at % PAGE_SIZE;
            let len = (PAGE_SIZE - within).min(from.left() as u64);
            let frame = self.page_to_write(at / PAGE_SIZE)?;
            let before = from.done();
            let outcome = from.take_frame(frame, within as usize..(within + len) as usize);
            frame::put(frame);
            let copied = (from.done() - before) as u64;
            at += copied;
            if copied > 0 {
                let mut state = self.state.lock();
                state.size = state.size.max(at);
            }
            outcome?;
        }
        Ok(())
    }

    /// Returns a page that may be written to, with a reference; it may lie beyond the end.
    pub(super) fn page_to_write(&self, index: u64) -> Result<Frame, IoError> {
        let known = self.state.lock().pages.get(index);
        let frame = match known {
            // The inode's lock keeps it from being truncated away; dirty pages are not dropped.
            Some(slot) if slot.dirty => return Ok(referenced(slot.frame)),
            _ => self
                .fill(index, |_| true)
                .map_err(|_| IoError::OutOfMemory)?,
        };
        self.make_dirty(index).map_err(|_| {
            frame::put(frame);
            IoError::NoSpace
        })?;
        Ok(frame)
    }

    /// Finds the next data, or the next hole, at or after `offset`.
    pub fn seek_data(&self, offset: i64, hole: bool) -> Result<u64, SeekError> {
        let state = self.state.lock();
        let at = within(state.size, offset)?;
        let (index, archived) = (at / PAGE_SIZE, state.from_archive.div_ceil(PAGE_SIZE));
        let found = match hole {
            false if index < archived => Some(index),
            false => state.pages.next_present(index),
            true => Some(state.pages.next_absent(index.max(archived))),
        };
        match found.map(|index| index.saturating_mul(PAGE_SIZE).max(at)) {
            Some(found) if found < state.size => Ok(found),
            _ if hole => Ok(state.size),
            _ => Err(SeekError::BeyondEnd),
        }
    }
}
