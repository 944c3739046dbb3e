//! Bytes into a pipe and out of it.
//!
//! Pages that lie behind each other in memory are copied in one go: a large write takes its pages as one block, and they
//! come round in the same order.

use core::cmp::min;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pipebuf::{Kind, NoMemory, PAGE};

use super::super::file::IoError;
use super::super::user_buf::{BadAddress, UserBuf};
use super::{Contents, Pipe, PipePage};

/// How many pages all pipes together keep for later, above one each.
const KEPT_AT_MOST: usize = 256;
static KEPT: AtomicUsize = AtomicUsize::new(0);
/// Pages that are taken as one block at most, as a power of two.
const RUN_ORDER: usize = 4;

impl Pipe {
    /// Copies what there is to the program, and waits for something if there is nothing.
    pub(super) fn read(&self, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        if to.left() == 0 {
            return Ok(());
        }
        loop {
            let mut contents = self.contents.lock();
            if contents.ring.used() > 0 {
                let was_full = contents.ring.free() == 0;
                let outcome = contents.drain(to);
                let has_room = contents.ring.free() > 0;
                self.publish(&contents);
                drop(contents);
                self.freed(was_full && has_room);
                return Ok(outcome?);
            }
            // Under the lock: who has closed his end has written before.
            let has_writer = self.has_writer();
            drop(contents);
            if !has_writer {
                return Ok(());
            }
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            self.reading
                .wait_until_interruptible(|| self.is_readable())?;
        }
    }

    /// Copies everything from the program, and waits for room where there is none.
    ///
    /// Up to a page is all or nothing: it needs one buffer, or room behind the bytes in the last one.
    pub(super) fn write(
        &self,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
        packets: bool,
    ) -> Result<(), IoError> {
        let mut rest = from.left() % PAGE;
        while from.left() > 0 {
            let mut contents = self.contents.lock();
            if !self.has_reader() {
                return Err(IoError::BrokenPipe);
            }
            let was_empty = contents.ring.used() == 0;
            let outcome = contents
                .merge(from, rest)
                .and_then(|()| contents.fill(from, packets));
            let has_bytes = contents.ring.used() > 0;
            self.publish(&contents);
            drop(contents);
            self.added(was_empty && has_bytes);
            outcome?;
            rest = 0; // Only a write's beginning goes where an earlier one ended.
            if from.left() == 0 {
                break;
            }
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            self.writing
                .wait_until_interruptible(|| self.is_writable())?;
        }
        Ok(())
    }
}

impl Contents {
    /// Lets the pages go that are kept for later.
    pub(super) fn forget_spares(&mut self) {
        self.ring.forget_spares();
        KEPT.fetch_sub(core::mem::take(&mut self.kept), Relaxed);
    }

    /// Copies bytes to the program until there are no more, or a message ends.
    ///
    /// A buffer that cannot be copied whole stays (PF-15).
    fn drain(&mut self, to: &mut UserBuf<'_>) -> Result<(), BadAddress> {
        while to.left() > 0 {
            let Some((first, start, len, kind)) = self.oldest(to.left()) else {
                break;
            };
            let before = to.clone();
            let outcome = to.put_run(first, start, len);
            if outcome.is_ok() {
                self.consume(len);
            } else {
                let whole = self.whole_buffers(to.done() - before.done());
                *to = before;
                to.pass(whole);
                self.consume(whole);
                return outcome;
            }
            if kind == Kind::Packet {
                break;
            }
        }
        Ok(())
    }

    /// Returns where the oldest bytes lie that follow each other in memory, `max` of them at most: first frame, offset, length.
    #[inline]
    fn oldest(&self, max: usize) -> Option<(addr::Frame, usize, usize, Kind)> {
        let (page, within, kind) = self.ring.peek(0)?;
        let (first, start, mut len) = (page.frame(), within.start, within.len());
        let mut buffers = 1;
        while len < max && kind != Kind::Packet && start + len == buffers * PAGE {
            match self.ring.peek(buffers) {
                Some((page, within, next))
                    if page.frame().number() == first.number() + buffers as u64
                        && within.start == 0
                        && next != Kind::Packet =>
                {
                    len += within.len();
                }
                _ => break,
            }
            buffers += 1;
        }
        Some((first, start, min(len, max), kind))
    }

    /// Returns how many of the oldest `count` bytes are all of their buffers.
    #[cold]
    fn whole_buffers(&self, count: usize) -> usize {
        let mut whole = 0;
        let lengths = (0..self.ring.used()).map_while(|at| self.ring.peek(at));
        for (_, within, _) in lengths {
            if whole + within.len() > count {
                break;
            }
            whole += within.len();
        }
        whole
    }

    fn consume(&mut self, mut count: usize) {
        let Self { ring, kept } = self;
        let already = *kept;
        let most = KEPT_AT_MOST.saturating_sub(KEPT.load(Relaxed)) + already;
        while count > 0
            && let Some((_, within, kind)) = ring.peek(0)
        {
            let now = min(count, within.len());
            ring.consume(now, |page, _| {
                let keeps = (*kept == 0 || *kept < most) && page.is_alone();
                *kept += usize::from(keeps);
                keeps
            });
            count -= now;
            if kind == Kind::Packet {
                break;
            }
        }
        if *kept != already {
            KEPT.fetch_add(*kept - already, Relaxed);
        }
    }

    /// Copies `rest` bytes behind the newest ones, if that is where they go; all or nothing.
    #[inline]
    fn merge(&mut self, from: &mut UserBuf<'_>, rest: usize) -> Result<(), IoError> {
        if rest == 0 {
            return Ok(());
        }
        let Some((page, at)) = self.ring.merge(rest) else {
            return Ok(());
        };
        let before = from.clone();
        match from.take_run(page.frame(), at, rest) {
            Ok(()) => self.ring.merged(rest),
            Err(error) => {
                *from = before;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Fills buffers from the program until there are no more of either; each of them or nothing of it.
    fn fill(&mut self, from: &mut UserBuf<'_>, packets: bool) -> Result<(), IoError> {
        let kind = match packets {
            true => Kind::Packet,
            false => Kind::Open,
        };
        while from.left() > 0 && self.ring.free() > 0 {
            let wanted = min(from.left().div_ceil(PAGE), self.ring.free());
            let pages = self.blank_run(wanted)?;
            let first = match self.ring.blank(0) {
                Some(page) => page.frame(),
                None => return Err(IoError::OutOfMemory),
            };
            let len = min(from.left(), pages * PAGE);
            let before = from.clone();
            let outcome = from.take_run(first, 0, len);
            let mut copied = match outcome {
                Ok(()) => len,
                Err(_) => (from.done() - before.done()) / PAGE * PAGE,
            };
            if outcome.is_err() {
                *from = before;
                from.pass(copied);
            }
            let kept = self.kept;
            while copied > 0 {
                let now = min(copied, PAGE);
                self.ring.push(now, kind);
                self.kept -= 1;
                copied -= now;
            }
            KEPT.fetch_sub(kept - self.kept, Relaxed);
            outcome?;
        }
        Ok(())
    }

    /// Sees to it that some of the next `wanted` places have pages that lie behind each other, at least the first; returns how
    /// many.
    fn blank_run(&mut self, wanted: usize) -> Result<usize, IoError> {
        self.ring
            .reserve(wanted)
            .map_err(|NoMemory| IoError::OutOfMemory)?;
        let first = match self.ring.blank(0) {
            Some(page) => page.frame().number(),
            None => {
                let first = self.supply(wanted)?;
                first.number()
            }
        };
        let mut run = 1;
        while run < wanted
            && let Some(page) = self.ring.blank(run)
            && page.frame().number() == first + run as u64
        {
            run += 1;
        }
        Ok(run)
    }

    /// Gives the next place a page, and if it can be had in one block, the places behind it too; returns the first's frame.
    #[cold]
    fn supply(&mut self, wanted: usize) -> Result<addr::Frame, IoError> {
        let empty = (0..wanted).take_while(|&at| self.ring.blank(at).is_none());
        let order = min(empty.count().ilog2() as usize, RUN_ORDER);
        let before = self.kept;
        if order > 0
            && let Some(pages) = PipePage::run(order)
        {
            for (at, page) in pages.enumerate() {
                *self.ring.blank(at) = Some(page);
                self.kept += 1;
            }
        } else {
            *self.ring.blank(0) = Some(PipePage::new().ok_or(IoError::OutOfMemory)?);
            self.kept += 1;
        }
        KEPT.fetch_add(self.kept - before, Relaxed);
        match self.ring.blank(0) {
            Some(page) => Ok(page.frame()),
            None => Err(IoError::OutOfMemory),
        }
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        KEPT.fetch_sub(self.kept, Relaxed);
    }
}
