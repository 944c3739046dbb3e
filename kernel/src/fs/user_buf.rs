//! Where the bytes of a read go and those of a write come from: spans of the program's memory, or a page of the kernel's, for
//! who moves bytes from one file to another.

use core::ops::Range;

use addr::{Frame, PAGE_SIZE};

use crate::mm::{physmap, uaccess};

/// A span of user memory, not checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UserSpan {
    /// First address.
    pub addr: u64,
    /// Bytes.
    pub len: u64,
}

/// A cursor over spans of user memory.
///
/// A copy that is cut short met memory the program may not touch; what was copied before stays
/// copied (PF-15). A copy of the cursor remembers a place to go back to.
#[derive(Clone)]
pub struct UserBuf<'a> {
    spans: &'a [UserSpan],
    /// The spans it began with.
    whole: &'a [UserSpan],
    /// Bytes of the first span that are done.
    offset: u64,
    done: usize,
    /// Bytes to come: those of the spans, or fewer.
    left: usize,
    is_broken: bool,
    /// The page that the spans lie in, if they are not the program's: their addresses are offsets.
    page: Option<Frame>,
}

/// The program may not touch the memory it named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAddress;

impl<'a> UserBuf<'a> {
    /// Starts at the first byte of the first span.
    #[inline]
    pub fn new(spans: &'a [UserSpan]) -> Self {
        Self {
            spans,
            whole: spans,
            offset: 0,
            done: 0,
            left: match spans {
                [only] => only.len as usize,
                spans => total(spans),
            },
            is_broken: false,
            page: None,
        }
    }

    /// Starts at the first byte of the first span of a page, to which the caller has a reference.
    ///
    /// # Panics
    /// When it is used, if the spans do not lie in the page.
    pub fn in_page(page: Frame, spans: &'a [UserSpan]) -> Self {
        Self {
            page: Some(page),
            ..Self::new(spans)
        }
    }

    /// Returns how many bytes were transferred so far.
    #[inline]
    pub fn done(&self) -> usize {
        self.done
    }

    /// Returns how many bytes there is still room for, or data of.
    #[inline]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Notes that nobody will ever read the rest.
    pub fn break_off(&mut self) {
        self.is_broken = true;
    }

    /// Returns whether nobody will ever read the rest, of which a program is told even if a part was transferred.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Copies `bytes` to the program, as far as there is room.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), BadAddress> {
        let (mut rest, page) = (bytes, self.page);
        self.each_piece(bytes.len(), |addr, len| {
            let (now, later) = rest.split_at(len);
            rest = later;
            match page {
                None => uaccess::copy_to_user_partial(addr, now),
                Some(page) => {
                    physmap::write(page, addr as usize, now);
                    len
                }
            }
        })
    }

    /// Fills `bytes` from the program, as far as there is data.
    pub fn take(&mut self, bytes: &mut [u8]) -> Result<(), BadAddress> {
        let (mut at, page) = (0, self.page);
        self.each_piece(bytes.len(), |addr, len| {
            let now = &mut bytes[at..at + len];
            at += len;
            match page {
                None => uaccess::copy_from_user_partial(now, addr),
                Some(page) => {
                    physmap::read(page, addr as usize, now);
                    len
                }
            }
        })
    }

    /// Copies the bytes `within` of a frame that the caller has a reference to.
    pub fn put_frame(&mut self, frame: Frame, within: Range<usize>) -> Result<(), BadAddress> {
        if self.page.is_some() {
            return self.put_run(frame, within.start, within.len());
        }
        let mut at = within.start;
        self.each_piece(within.len(), |addr, len| {
            let copied = uaccess::copy_frame_to_user(addr, frame, at..at + len);
            at += len;
            copied
        })
    }

    /// Fills the bytes `within` of a frame that the caller has a reference to.
    pub fn take_frame(&mut self, frame: Frame, within: Range<usize>) -> Result<(), BadAddress> {
        if self.page.is_some() {
            return self.take_run(frame, within.start, within.len());
        }
        let mut at = within.start;
        self.each_piece(within.len(), |addr, len| {
            let copied = uaccess::copy_from_user_to_frame(frame, at..at + len, addr);
            at += len;
            copied
        })
    }

    /// Copies `len` bytes, from byte `start` on, of frames that follow each other, which the caller has references to.
    #[inline(always)]
    pub fn put_run(&mut self, first: Frame, start: usize, len: usize) -> Result<(), BadAddress> {
        if let Some(addr) = self.piece(len) {
            let copied = uaccess::copy_run_to_user(addr, first, start..start + len);
            return self.advance(copied, len);
        }
        self.put_pieces(first, start, len)
    }

    /// Fills `len` bytes, from byte `start` on, of frames that follow each other, which the caller has references to.
    #[inline(always)]
    pub fn take_run(&mut self, first: Frame, start: usize, len: usize) -> Result<(), BadAddress> {
        if let Some(addr) = self.piece(len) {
            let copied = uaccess::copy_from_user_to_run(first, start..start + len, addr);
            return self.advance(copied, len);
        }
        self.take_pieces(first, start, len)
    }

    /// Goes back to where `done` bytes were done.
    #[cold]
    pub fn go_back(&mut self, done: usize) {
        self.left += self.done;
        (self.spans, self.offset, self.done) = (self.whole, 0, 0);
        self.pass(done);
    }

    #[cold]
    fn put_pieces(&mut self, first: Frame, start: usize, len: usize) -> Result<(), BadAddress> {
        let (mut at, page) = (start, self.page);
        self.each_piece(len, |addr, len| {
            let copied = match page {
                None => uaccess::copy_run_to_user(addr, first, at..at + len),
                Some(page) => copy_run((first, at), (page, addr as usize), len),
            };
            at += len;
            copied
        })
    }

    #[cold]
    fn take_pieces(&mut self, first: Frame, start: usize, len: usize) -> Result<(), BadAddress> {
        let (mut at, page) = (start, self.page);
        self.each_piece(len, |addr, len| {
            let copied = match page {
                None => uaccess::copy_from_user_to_run(first, at..at + len, addr),
                Some(page) => copy_run((page, addr as usize), (first, at), len),
            };
            at += len;
            copied
        })
    }

    /// Counts the next `len` bytes as transferred, without looking at them.
    pub fn pass(&mut self, len: usize) {
        // What is never cut short cannot fail.
        let _ = self.each_piece(len, |_, len| len);
    }

    /// Writes at most `max` zeros, as far as there is room.
    pub fn put_zeros(&mut self, max: usize) -> Result<(), BadAddress> {
        let page = self.page;
        self.each_piece(max, |addr, len| match page {
            None => uaccess::clear_user(addr, len as u64) as usize,
            Some(page) => {
                physmap::zero_range(page, addr as usize..addr as usize + len);
                len
            }
        })
    }

    /// Leaves out what lies beyond the next `max` bytes, if anything does.
    pub fn limit(&mut self, max: u64) {
        self.left = self.left.min(usize::try_from(max).unwrap_or(usize::MAX));
    }

    /// Counts everything that is left as transferred, without looking at it.
    pub fn skip(&mut self) {
        self.done += core::mem::take(&mut self.left);
        self.spans = &[];
        self.offset = 0;
    }

    /// Returns where the next `len` bytes are, if all of them are in one span of the program's, as they mostly are.
    #[inline]
    fn piece(&self, len: usize) -> Option<u64> {
        let span = self.spans.first()?;
        let fits = len as u64 <= span.len - self.offset && len <= self.left && self.page.is_none();
        fits.then_some(span.addr + self.offset)
    }

    /// Counts the `copied` bytes of such a piece.
    #[inline]
    fn advance(&mut self, copied: usize, len: usize) -> Result<(), BadAddress> {
        self.done += copied;
        self.left -= copied;
        self.offset += copied as u64;
        match copied == len {
            true => Ok(()),
            false => Err(BadAddress),
        }
    }

    /// Calls `copy` for each piece of at most `max` bytes in all that lies in one span.
    fn each_piece(
        &mut self,
        max: usize,
        mut copy: impl FnMut(u64, usize) -> usize,
    ) -> Result<(), BadAddress> {
        let mut left = max.min(self.left);
        while left > 0 {
            let Some(span) = self.spans.first() else {
                return Ok(());
            };
            let len = left.min((span.len - self.offset) as usize);
            if len > 0 {
                let copied = copy(span.addr + self.offset, len);
                self.done += copied;
                self.left -= copied;
                self.offset += copied as u64;
                left -= copied;
                if copied < len {
                    return Err(BadAddress);
                }
            }
            if self.offset == span.len {
                self.spans = &self.spans[1..];
                self.offset = 0;
            }
        }
        Ok(())
    }
}

fn total(spans: &[UserSpan]) -> usize {
    spans.iter().map(|span| span.len as usize).sum()
}

/// Copies `len` bytes between places in frames that follow each other, which the caller has references to.
fn copy_run(from: (Frame, usize), to: (Frame, usize), len: usize) -> usize {
    const PAGE: usize = PAGE_SIZE as usize;
    let mut bytes = [0; 512];
    let mut done = 0;
    while done < len {
        let [source, target] = [from, to].map(|(first, at)| {
            let at = at + done;
            (Frame::new(first.number() + (at / PAGE) as u64), at % PAGE)
        });
        let room = PAGE - source.1.max(target.1);
        let piece = &mut bytes[..room.min(512).min(len - done)];
        physmap::read(source.0, source.1, piece);
        physmap::write(target.0, target.1, piece);
        done += piece.len();
    }
    len
}
