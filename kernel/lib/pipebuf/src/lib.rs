//! What lies in a pipe: buffers of a page each, in the order in which they came.
//!
//! A pipe holds so many buffers, not so many bytes: a short write that does not fit behind the last one takes a buffer of
//! its own, and a pipe can be full with few bytes in it, as on Linux. [`Ring`] decides where a piece goes and what a read
//! takes; what a page is, and how bytes get there, is the caller's business.
//!
//! Places whose bytes were read keep their page for the next writer, if the caller lets them: a pipe that is used goes round
//! without asking for memory.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod size;

use alloc::vec::Vec;
use core::ops::Range;

pub use size::{BadSize, buffers_for};

/// Bytes in a buffer at most.
pub const PAGE: usize = 4096;
/// How many buffers a new pipe holds.
pub const DEFAULT: usize = 16;

/// What may happen to a buffer's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A later write may add to them.
    Open,
    /// They are as they are: the page is shared, or was made elsewhere.
    Closed,
    /// They are a message: a read takes no more than that, and what it leaves is lost.
    Packet,
}

/// There is no memory for more places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

/// More buffers are in use than there would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InUse;

/// A buffer, taken out of its pipe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer<P> {
    /// The page.
    pub page: P,
    /// Which of its bytes.
    pub within: Range<usize>,
    /// What may happen to them.
    pub kind: Kind,
}

/// A place in the ring.
#[derive(Clone, Debug)]
struct Place<P> {
    /// Always there in a place in use; in another it is a page kept for later.
    page: Option<P>,
    start: u32,
    len: u32,
    kind: Kind,
}

/// The buffers of a pipe. `P` is a reference to a page; to drop it gives it back.
#[derive(Debug)]
pub struct Ring<P> {
    /// A power of two of them, or none yet.
    places: Vec<Place<P>>,
    /// The place of the oldest buffer.
    tail: usize,
    used: usize,
    max: usize,
    /// Buffers that were taken out for a while: each of them finds a place when it comes back.
    lent: usize,
}

impl<P> Ring<P> {
    /// Makes an empty ring for [`DEFAULT`] buffers.
    pub const fn new() -> Self {
        Self {
            places: Vec::new(),
            tail: 0,
            used: 0,
            max: DEFAULT,
            lent: 0,
        }
    }

    /// Returns how many buffers are in use.
    #[inline]
    pub fn used(&self) -> usize {
        self.used
    }

    /// Returns how many buffers it holds.
    #[inline]
    pub fn max(&self) -> usize {
        self.max
    }

    /// Returns how many more buffers it could hold.
    #[inline]
    pub fn free(&self) -> usize {
        self.max.saturating_sub(self.used + self.lent)
    }

    /// Returns how many buffers are out for a while.
    pub fn lent(&self) -> usize {
        self.lent
    }

    /// Returns how many bytes wait.
    pub fn bytes(&self) -> usize {
        (0..self.used).map(|at| self.place(at).len as usize).sum()
    }

    /// Sets how many buffers it holds, and lets all pages go that it kept.
    ///
    /// # Errors
    /// More are in use.
    pub fn resize(&mut self, max: usize) -> Result<(), InUse> {
        if self.used + self.lent > max {
            return Err(InUse);
        }
        self.max = max;
        self.forget_spares();
        Ok(())
    }

    /// Lets all pages go that it kept for later.
    pub fn forget_spares(&mut self) {
        for at in self.used..self.places.len() {
            let index = self.index(at);
            self.places[index].page = None;
        }
    }

    /// Makes sure that there are places for `more` buffers; they are [`free`](Self::free).
    ///
    /// # Errors
    /// There is no memory.
    #[inline]
    pub fn reserve(&mut self, more: usize) -> Result<(), NoMemory> {
        debug_assert!(more <= self.free(), "nothing is put where nothing is free");
        let needed = self.used + self.lent + more;
        match needed <= self.places.len() {
            true => Ok(()),
            false => self.grow(needed),
        }
    }

    #[cold]
    fn grow(&mut self, needed: usize) -> Result<(), NoMemory> {
        let len = needed.next_power_of_two().max(DEFAULT.min(self.max));
        let mut places = Vec::new();
        places.try_reserve_exact(len).map_err(|_| NoMemory)?;
        let old = self.places.len();
        let at = if old == 0 { 0 } else { self.tail };
        self.places.rotate_left(at);
        places.append(&mut self.places);
        places.resize_with(len, || Place {
            page: None,
            start: 0,
            len: 0,
            kind: Kind::Open,
        });
        self.places = places;
        self.tail = 0;
        Ok(())
    }

    /// Returns where a write that ends with `len` bytes beyond whole pages may leave those: in the newest buffer behind byte so
    /// and so, if they fit.
    #[inline]
    pub fn merge(&self, len: usize) -> Option<(&P, usize)> {
        if self.used == 0 {
            return None;
        }
        let newest = self.place(self.used - 1);
        let end = (newest.start + newest.len) as usize;
        match newest.kind {
            Kind::Open if end + len <= PAGE => newest.page.as_ref().map(|page| (page, end)),
            _ => None,
        }
    }

    /// Notes that `len` bytes were added where [`merge`](Self::merge) said.
    #[inline]
    pub fn merged(&mut self, len: usize) {
        let index = self.index(self.used - 1);
        self.places[index].len += len as u32;
    }

    /// Returns the page of the `ahead`th place to be used next, for which there is [room](Self::reserve): one that was kept,
    /// or `None`, to be filled in.
    #[inline]
    pub fn blank(&mut self, ahead: usize) -> &mut Option<P> {
        let index = self.index(self.used + ahead);
        &mut self.places[index].page
    }

    /// Puts the page that [`blank`](Self::blank) 0 holds into use, with its first `len` bytes.
    #[inline]
    pub fn push(&mut self, len: usize, kind: Kind) {
        let index = self.index(self.used);
        let place = &mut self.places[index];
        debug_assert!(place.page.is_some() && len > 0 && len <= PAGE);
        (place.start, place.len, place.kind) = (0, len as u32, kind);
        self.used += 1;
    }

    /// Puts a buffer in that was made elsewhere; there is [room](Self::reserve) for it.
    pub fn put(&mut self, buffer: Buffer<P>) {
        let index = self.index(self.used);
        self.places[index] = Place {
            page: Some(buffer.page),
            start: buffer.within.start as u32,
            len: buffer.within.len() as u32,
            kind: buffer.kind,
        };
        self.used += 1;
    }

    /// Returns the `behind`th buffer from the oldest on: its page, which of its bytes wait, and what may happen to them.
    #[inline]
    pub fn peek(&self, behind: usize) -> Option<(&P, Range<usize>, Kind)> {
        if behind >= self.used {
            return None;
        }
        let place = self.place(behind);
        let (start, len) = (place.start as usize, place.len as usize);
        let page = place.page.as_ref()?;
        Some((page, start..start + len, place.kind))
    }

    /// Forgets the first `count` bytes of the oldest buffer, or all of it if it is a packet; `keep` is asked about the page of a
    /// buffer that is empty then.
    #[inline]
    pub fn consume(&mut self, count: usize, keep: impl FnMut(&P) -> bool) {
        let place = &mut self.places[self.tail];
        debug_assert!(count <= place.len as usize && self.used > 0);
        if count as u32 != place.len && place.kind != Kind::Packet {
            place.start += count as u32;
            place.len -= count as u32;
            return;
        }
        self.consume_buffers(1, keep);
    }

    /// Forgets the oldest `count` buffers; `keep` is asked about each one's page.
    #[inline]
    pub fn consume_buffers(&mut self, count: usize, mut keep: impl FnMut(&P) -> bool) {
        debug_assert!(count <= self.used);
        let mask = self.places.len().wrapping_sub(1);
        for _ in 0..count {
            let place = &mut self.places[self.tail & mask];
            if let Some(page) = &place.page
                && !keep(page)
            {
                place.page = None;
            }
            self.tail = (self.tail + 1) & mask;
        }
        self.used -= count;
        if self.used == 0 {
            self.tail = 0; // Begin anew: a pipe that is never full goes on with one page.
        }
    }

    /// Takes the oldest buffer out with all that waits in it.
    pub fn take(&mut self) -> Option<Buffer<P>> {
        if self.used == 0 {
            return None;
        }
        let place = &mut self.places[self.tail];
        let (start, len, kind) = (place.start as usize, place.len as usize, place.kind);
        let page = place.page.take()?;
        self.consume(len, |_| false);
        Some(Buffer {
            page,
            within: start..start + len,
            kind,
        })
    }

    /// Forgets everything, and how many buffers it was told to hold.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    #[inline]
    fn index(&self, at: usize) -> usize {
        (self.tail + at) & self.places.len().wrapping_sub(1)
    }

    #[inline]
    fn place(&self, at: usize) -> &Place<P> {
        &self.places[self.index(at)]
    }
}

impl<P: Clone> Ring<P> {
    /// Takes the first `count` bytes of the oldest buffer out, which shares its page from then on, and neither half grows.
    pub fn split(&mut self, count: usize) -> Option<Buffer<P>> {
        let (page, within, kind) = self.peek(0)?;
        if count >= within.len() {
            return self.take();
        }
        let page = page.clone();
        let start = within.start;
        let place = &mut self.places[self.tail];
        place.start += count as u32;
        place.len -= count as u32;
        if place.kind == Kind::Open {
            place.kind = Kind::Closed;
        }
        Some(Buffer {
            page,
            within: start..start + count,
            kind: match kind {
                Kind::Packet => Kind::Packet,
                Kind::Open | Kind::Closed => Kind::Closed,
            },
        })
    }
}

impl<P: Clone + PartialEq> Ring<P> {
    /// Takes the first `count` bytes of the oldest buffer out, as [`split`](Self::split) does, until [`settle`](Self::settle)
    /// says what became of them: nobody else reads them, nor takes their place.
    pub fn lend(&mut self, count: usize) -> Option<Buffer<P>> {
        let buffer = self.split(count)?;
        self.lent += 1;
        Some(buffer)
    }

    /// Ends [`lend`](Self::lend). What is left of the buffer is the oldest again.
    ///
    /// # Errors
    /// Several were out, and there is no memory for one more: it is lost.
    pub fn settle(&mut self, rest: Option<Buffer<P>>) -> Result<(), NoMemory> {
        debug_assert!(self.lent > 0, "only what was lent comes back");
        self.lent -= 1;
        let Some(rest) = rest else {
            return Ok(());
        };
        let (start, len) = (rest.within.start as u32, rest.within.len() as u32);
        if self.used > 0 {
            // Where it was cut off from what is still there, both are one again.
            let oldest = &mut self.places[self.tail];
            let is_same = oldest.page.as_ref() == Some(&rest.page);
            if is_same && oldest.start == start + len {
                oldest.start = start;
                oldest.len += len;
                return Ok(());
            }
        }
        if self.used == self.places.len() {
            self.grow(self.used + 1)?;
        }
        self.tail = self.index(self.places.len() - 1);
        self.places[self.tail] = Place {
            page: Some(rest.page),
            start,
            len,
            kind: rest.kind,
        };
        self.used += 1;
        Ok(())
    }
}

impl<P> Default for Ring<P> {
    fn default() -> Self {
        Self::new()
    }
}
