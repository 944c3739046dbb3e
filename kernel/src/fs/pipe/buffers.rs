//! Whole buffers in and out, for who moves pages instead of bytes.

use pipebuf::Buffer;

use super::super::file::IoError;
use super::{Pipe, PipePage};

impl Pipe {
    /// Takes the oldest buffer out, or its first `max` bytes; what is left of it shares the page.
    pub fn take(&self, max: usize) -> Option<Buffer<PipePage>> {
        let mut contents = self.contents.lock();
        let was_full = self.is_full();
        let buffer = contents.ring.split(max)?;
        self.publish(&contents);
        let has_room = was_full && self.open_again(&contents);
        drop(contents);
        self.freed(has_room);
        Some(buffer)
    }

    /// Takes the oldest buffer out, or its first `max` bytes, until [`settle`](Self::settle) says what became of it.
    pub fn lend(&self, max: usize) -> Option<Buffer<PipePage>> {
        let mut contents = self.contents.lock();
        let buffer = contents.ring.lend(max)?;
        self.publish_all(&contents);
        Some(buffer)
    }

    /// Ends [`lend`](Self::lend): what is left of the buffer is the oldest again.
    pub fn settle(&self, rest: Option<Buffer<PipePage>>) {
        let comes_back = rest.is_some();
        let mut contents = self.contents.lock();
        if comes_back {
            contents.forget_spares(); // One of them may lie where this one goes.
        }
        let was_empty = contents.ring.used() == 0;
        // Where there is no memory it is as if it had been read.
        let _ = contents.ring.settle(rest);
        self.publish_all(&contents);
        drop(contents);
        match comes_back {
            true => self.added(was_empty),
            false => self.freed(true),
        }
    }

    /// Returns the `behind`th buffer from the oldest on, which stays where it is; the copy never grows.
    pub fn look_at(&self, behind: usize) -> Option<Buffer<PipePage>> {
        let contents = self.contents.lock();
        let (page, within, kind) = contents.ring.peek(behind)?;
        let kind = match kind {
            pipebuf::Kind::Packet => kind,
            _ => pipebuf::Kind::Closed,
        };
        Some(Buffer {
            page: page.clone(),
            within,
            kind,
        })
    }

    /// Puts a buffer in; gives it back if the pipe is full.
    ///
    /// # Errors
    /// Nobody reads, or there is no memory.
    pub fn put(&self, buffer: Buffer<PipePage>) -> Result<Option<Buffer<PipePage>>, IoError> {
        let mut contents = self.contents.lock();
        if !self.has_reader() {
            return Err(IoError::BrokenPipe);
        }
        if contents.ring.free() == 0 {
            return Ok(Some(buffer));
        }
        contents
            .ring
            .reserve(1)
            .map_err(|pipebuf::NoMemory| IoError::OutOfMemory)?;
        contents.forget_spares(); // One of them may lie where this one goes.
        let was_empty = contents.ring.used() == 0;
        contents.ring.put(buffer);
        self.publish(&contents);
        drop(contents);
        self.added(was_empty);
        Ok(None)
    }

    /// Sleeps until there are bytes; returns whether there are, and not just nobody any more who could write some.
    pub fn wait_for_bytes(&self, nonblocking: bool) -> Result<bool, IoError> {
        loop {
            // In this order: who has closed his end has written before.
            let has_writer = self.has_writer();
            match self.used() > 0 {
                true => return Ok(true),
                false if !has_writer => return Ok(false),
                false if nonblocking => return Err(IoError::WouldBlock),
                false => self
                    .reading
                    .wait_until_interruptible(|| self.is_readable())?,
            }
        }
    }

    /// Sleeps until there is room for a buffer.
    ///
    /// # Errors
    /// Nobody reads, among others.
    pub fn wait_for_room(&self, nonblocking: bool) -> Result<(), IoError> {
        loop {
            match self.is_full() {
                _ if !self.has_reader() => return Err(IoError::BrokenPipe),
                false => return Ok(()),
                true if nonblocking => return Err(IoError::WouldBlock),
                true => self
                    .writing
                    .wait_until_interruptible(|| self.is_writable())?,
            }
        }
    }
}
