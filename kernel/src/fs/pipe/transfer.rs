//! Bytes into a pipe and out of it.
//!
//! Pages that lie behind each other in memory are copied in one go: a large write takes its pages as one block, and they
//! come round in the same order.

use core::cmp::min;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use addr::Frame;
use pipebuf::{Kind, NoMemory, PAGE};

use super::super::file::IoError;
use super::super::user_buf::{BadAddress, UserBuf};
use super::{Contents, Pipe, PipePage};

/// How many pages all pipes together keep for later, above one each.
const KEPT_AT_MOST: usize = 256;
static KEPT: AtomicUsize = AtomicUsize::new(0);
/// Pages that are taken as one block at most, as a power of two.
const RUN_ORDER: usize = 4;

/// Counts the pages that a pipe keeps, which has kept `before` until now.
#[inline]
fn note(before: usize, now: usize) {
    let more = now.saturating_sub(1).wrapping_sub(before.saturating_sub(1));
    if more != 0 {
        KEPT.fetch_add(more, Relaxed); // Wraps where there are fewer now.
    }
}

impl Pipe {
    /// Copies what there is to the program, and waits for something if there is nothing.
    #[inline]
    pub(super) fn read(&self, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        if to.left() == 0 {
            return Ok(());
        }
        loop {
            let mut contents = self.contents.lock();
            if contents.ring.used() > 0 {
                let was_full = self.is_full();
                let outcome = contents.drain(to);
                self.publish(&contents);
                let has_room = was_full && self.open_again(&contents);
                drop(contents);
                self.freed(has_room);
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
    /// Up to a page is all or nothing: it needs one buffer, or room behind the bytes in the last one. Where there is no memory
    /// for a page, a pipe that holds something is full; only an empty one fails.
    #[inline]
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
            let is_short = has_bytes && outcome == Err(IoError::OutOfMemory);
            let outcome = match is_short {
                true => self.close_for_now(&contents),
                false => outcome,
            };
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

/// Bytes that follow each other in memory.
struct Run {
    first: Frame,
    start: usize,
    len: usize,
    /// The buffers that they are.
    buffers: usize,
    kind: Kind,
}

impl Contents {
    /// Lets the pages go that are kept for later.
    pub(super) fn forget_spares(&mut self) {
        self.ring.forget_spares();
        note(core::mem::take(&mut self.kept), 0);
    }

    /// Copies bytes to the program until there are no more, or a message ends.
    ///
    /// A buffer that cannot be copied whole stays (PF-15).
    fn drain(&mut self, to: &mut UserBuf<'_>) -> Result<(), BadAddress> {
        while to.left() > 0 {
            let Some(run) = self.oldest(to.left()) else {
                break;
            };
            let before = to.done();
            let len = min(run.len, to.left());
            let outcome = to.put_run(run.first, run.start, len);
            if outcome.is_err() {
                let whole = self.whole_buffers(to.done() - before);
                to.go_back(before + whole);
                self.consume(whole);
                return outcome;
            }
            match len == run.len {
                true => self.let_go(run.buffers),
                false => self.consume(len),
            }
            if run.kind == Kind::Packet {
                break;
            }
        }
        Ok(())
    }

    /// Returns the oldest bytes that follow each other in memory: whole buffers, until there are `max` bytes.
    #[inline]
    fn oldest(&self, max: usize) -> Option<Run> {
        let (page, within, kind) = self.ring.peek(0)?;
        let mut run = Run {
            first: page.frame(),
            start: within.start,
            len: within.len(),
            buffers: 1,
            kind,
        };
        while run.len < max && kind != Kind::Packet && run.start + run.len == run.buffers * PAGE {
            match self.ring.peek(run.buffers) {
                Some((page, within, next))
                    if page.frame().number() == run.first.number() + run.buffers as u64
                        && within.start == 0
                        && next != Kind::Packet =>
                {
                    run.len += within.len();
                }
                _ => break,
            }
            run.buffers += 1;
        }
        Some(run)
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

    /// Forgets the oldest `count` bytes.
    fn consume(&mut self, mut count: usize) {
        while count > 0
            && let Some((_, within, kind)) = self.ring.peek(0)
        {
            if within.len() > count && kind != Kind::Packet {
                self.ring.consume(count, |_| false);
                break;
            }
            self.let_go(1);
            count = count.saturating_sub(within.len());
        }
    }

    /// Forgets the oldest `count` buffers, and keeps what pages it may.
    #[inline(always)]
    fn let_go(&mut self, count: usize) {
        let Self { ring, kept } = self;
        if *kept + count != 1 {
            return self.let_go_several(count);
        }
        // Every pipe may keep one.
        ring.consume_buffers(1, |page| {
            *kept = usize::from(page.is_alone());
            *kept == 1
        });
    }

    #[inline(never)]
    fn let_go_several(&mut self, count: usize) {
        let Self { ring, kept } = self;
        let before = *kept;
        let most = before + 1 + KEPT_AT_MOST.saturating_sub(KEPT.load(Relaxed));
        ring.consume_buffers(count, |page| {
            let keeps = *kept < most && page.is_alone();
            *kept += usize::from(keeps);
            keeps
        });
        note(before, *kept);
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
        let before = from.done();
        if let Err(error) = from.take_run(page.frame(), at, rest) {
            from.go_back(before);
            return Err(error.into());
        }
        self.ring.merged(rest);
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
            let before = from.done();
            let outcome = from.take_run(first, 0, len);
            let mut copied = match outcome {
                Ok(()) => len,
                Err(_) => (from.done() - before) / PAGE * PAGE,
            };
            if outcome.is_err() {
                from.go_back(before + copied);
            }
            let kept = self.kept;
            self.kept -= copied.div_ceil(PAGE);
            if kept > 1 {
                note(kept, self.kept);
            }
            while copied > 0 {
                let now = min(copied, PAGE);
                self.ring.push(now, kind);
                copied -= now;
            }
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
    fn supply(&mut self, wanted: usize) -> Result<Frame, IoError> {
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
            let page = match self.ring.used() {
                0 => PipePage::first(),
                _ => PipePage::new(),
            };
            *self.ring.blank(0) = Some(page.ok_or(IoError::OutOfMemory)?);
            self.kept += 1;
        }
        note(before, self.kept);
        match self.ring.blank(0) {
            Some(page) => Ok(page.frame()),
            None => Err(IoError::OutOfMemory),
        }
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        note(self.kept, 0);
    }
}
