//! Bytes from one file to another, without passing through the program.
//!
//! They go by way of pages that are a pipe's, or become one's; from pipe to pipe the pages themselves move. What a file did not take
//! stays where it was. While bytes are on their way out of a pipe nobody else gets them, and if they come back they are the oldest.

use alloc::sync::Arc;

use abi::file::OpenFlags;
use addr::PAGE_SIZE;
use pipebuf::{Buffer, Kind};

use super::file::{IoError, OpenFile};
use super::pipe::{Pipe, PipePage};
use super::user_buf::{UserBuf, UserSpan};

/// Bytes in a page.
const PAGE: usize = PAGE_SIZE as usize;

/// One end of a move: a file, and where in it; at its own position if nowhere in particular.
pub struct End<'a> {
    /// The file.
    pub file: &'a OpenFile,
    /// Where; moved along.
    pub at: Option<u64>,
}

impl End<'_> {
    /// Reads into the beginning of a page.
    fn read(&mut self, page: &PipePage, len: usize) -> Result<usize, IoError> {
        let spans = [UserSpan {
            addr: 0,
            len: len.min(PAGE) as u64,
        }];
        let mut to = UserBuf::in_page(page.frame(), &spans);
        let count = match self.at {
            None => self.file.read(&mut to)?,
            Some(at) => self.file.read_at(at, &mut to)?,
        };
        self.at = self.at.map(|at| at + count as u64);
        Ok(count)
    }

    /// Writes bytes of a page.
    fn write(&mut self, page: &PipePage, start: usize, len: usize) -> Result<usize, IoError> {
        let spans = [UserSpan {
            addr: start as u64,
            len: len as u64,
        }];
        let mut from = UserBuf::in_page(page.frame(), &spans);
        let count = match self.at {
            None => self.file.write(&mut from)?,
            Some(at) => self.file.write_at(at, &mut from)?,
        };
        self.at = self.at.map(|at| at + count as u64);
        Ok(count)
    }
}

/// What was moved counts; an error counts only if that is nothing.
fn moved(done: usize, outcome: Result<(), IoError>) -> Result<usize, IoError> {
    match outcome {
        Err(error) if done == 0 => Err(error),
        _ => Ok(done),
    }
}

/// Copies up to `len` bytes. What was read and not written is as if it had not been read.
pub fn copy(from: &mut End<'_>, to: &mut End<'_>, len: usize) -> Result<usize, IoError> {
    let page = PipePage::first().ok_or(IoError::OutOfMemory)?;
    let mut done = 0;
    let outcome = copy_by(&page, from, to, len, &mut done);
    moved(done, outcome)
}

fn copy_by(
    page: &PipePage,
    from: &mut End<'_>,
    to: &mut End<'_>,
    len: usize,
    done: &mut usize,
) -> Result<(), IoError> {
    while *done < len {
        let count = from.read(page, len - *done)?;
        let mut written = 0;
        while written < count {
            match to.write(page, written, count - written) {
                Ok(0) => break,
                Ok(more) => written += more,
                Err(error) => {
                    from.go_back(count - written);
                    *done += written;
                    return Err(error);
                }
            }
        }
        *done += written;
        if written < count {
            from.go_back(count - written);
            return Ok(());
        }
        if count == 0 || crate::locks::must_end() {
            return Ok(());
        }
    }
    Ok(())
}

impl End<'_> {
    /// Takes back that bytes were read.
    fn go_back(&mut self, count: usize) {
        match &mut self.at {
            Some(at) => *at -= count as u64,
            None => self
                .file
                .with_position(|position| *position = position.saturating_sub(count as u64)),
        }
    }
}

/// Moves up to `len` bytes out of a pipe into a file.
pub fn from_pipe(
    pipe: &Pipe,
    to: &mut End<'_>,
    len: usize,
    nonblocking: bool,
) -> Result<usize, IoError> {
    let mut done = 0;
    // Somebody else may read what is waited for.
    while len > 0 && done == 0 && pipe.wait_for_bytes(nonblocking)? {
        while done < len
            && let Some(mut buffer) = pipe.lend(len - done)
        {
            let within = buffer.within.clone();
            let outcome = to.write(&buffer.page, within.start, within.len());
            let count = outcome.unwrap_or(0);
            done += count;
            buffer.within.start += count;
            let is_short = count < within.len();
            pipe.settle(is_short.then_some(buffer));
            if is_short {
                return moved(done, outcome.map(|_| ()));
            }
        }
    }
    Ok(done)
}

/// Moves up to `len` bytes of a file into a pipe, as far as there is room.
pub fn to_pipe(
    from: &mut End<'_>,
    pipe: &Pipe,
    len: usize,
    nonblocking: bool,
) -> Result<usize, IoError> {
    let mut done = 0;
    pipe.wait_for_room(nonblocking)?;
    while done < len {
        if done > 0 && pipe.wait_for_room(true).is_err() {
            break;
        }
        let page = match pipe.wait_for_bytes(true) {
            Ok(true) => PipePage::new(),
            _ => PipePage::first(),
        };
        let Some(page) = page else {
            return moved(done, Err(IoError::OutOfMemory));
        };
        let count = match from.read(&page, len - done) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return moved(done, Err(error)),
        };
        let buffer = Buffer {
            page,
            within: 0..count,
            kind: Kind::Closed,
        };
        put(pipe, buffer)?;
        done += count;
        // What has no position is asked once: it might wait for more.
        if from.at.is_none() && !from.file.file().has_position() {
            break;
        }
    }
    Ok(done)
}

/// Puts a buffer in, and waits for room for it.
fn put(pipe: &Pipe, mut buffer: Buffer<PipePage>) -> Result<(), IoError> {
    while let Some(back) = pipe.put(buffer)? {
        buffer = back;
        pipe.wait_for_room(false)?;
    }
    Ok(())
}

/// Moves up to `len` bytes from pipe to pipe, in their pages.
pub fn between(from: &Pipe, to: &Pipe, len: usize, nonblocking: bool) -> Result<usize, IoError> {
    let mut done = 0;
    loop {
        to.wait_for_room(nonblocking)?;
        if !from.wait_for_bytes(nonblocking)? {
            return Ok(0);
        }
        while done < len && to.wait_for_room(true).is_ok() {
            let Some(buffer) = from.take(len - done) else {
                break;
            };
            let count = buffer.within.len();
            put(to, buffer)?;
            done += count;
        }
        if done > 0 {
            return Ok(done);
        }
    }
}

/// Shows up to `len` bytes of one pipe to another as well.
pub fn tee(from: &Pipe, to: &Pipe, len: usize, nonblocking: bool) -> Result<usize, IoError> {
    to.wait_for_room(nonblocking)?;
    if !from.wait_for_bytes(nonblocking)? {
        return Ok(0);
    }
    let (mut done, mut behind) = (0, 0);
    while done < len && to.wait_for_room(true).is_ok() {
        let Some(mut buffer) = from.look_at(behind) else {
            break;
        };
        let count = buffer.within.len().min(len - done);
        buffer.within.end = buffer.within.start + count;
        if to.put(buffer)?.is_some() {
            break;
        }
        done += count;
        behind += 1;
    }
    Ok(done)
}

/// Returns the pipe that a file is an end of.
pub fn pipe_of(file: &OpenFile) -> Option<&Arc<Pipe>> {
    file.file().pipe()
}

/// Returns whether a file is never waited for.
pub fn is_nonblocking(file: &OpenFile) -> bool {
    file.flags().contains(OpenFlags::NONBLOCK)
}
