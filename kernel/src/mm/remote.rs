//! Reading and writing an address space from outside, through its page tables and the direct map.
//!
//! exec fills the new program's stack this way before anybody runs on it. Pages come in through the
//! ordinary fault path; the bytes move under the page-table lock, which keeps the frame in place.

use core::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire},
};

use addr::{Frame, PAGE_SIZE, VirtAddr};
use pte::Access;
use vma::VmFlags;

use super::backing::{MapBacking, SourceId};
use super::fault::{self, Fault};
use super::{Mm, physmap};

/// The address is not mapped with the rights the access needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteFault;

/// Where a word of user memory is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WordPlace {
    /// In this address space only.
    Own,
    /// In a source that others may map, at this byte of it.
    Of(SourceId, u64),
}

impl Mm {
    /// Writes `bytes` to `addr` as the program itself could.
    pub fn write_remote(&self, addr: u64, bytes: &[u8]) -> Result<(), RemoteFault> {
        let mut rest = bytes;
        self.each_piece(
            addr,
            bytes.len() as u64,
            Access::Write,
            |frame, offset, len| {
                let (now, later) = rest.split_at(len);
                physmap::write(frame, offset, now);
                rest = later;
            },
        )
    }

    /// Zeroes `len` bytes from `addr` on.
    pub fn zero_remote(&self, addr: u64, len: u64) -> Result<(), RemoteFault> {
        self.each_piece(addr, len, Access::Write, |frame, offset, len| {
            physmap::zero_range(frame, offset..offset + len);
        })
    }

    /// Reads from `addr` as the program itself could.
    pub fn read_remote(&self, addr: u64, bytes: &mut [u8]) -> Result<(), RemoteFault> {
        let mut done = 0;
        self.each_piece(
            addr,
            bytes.len() as u64,
            Access::Read,
            |frame, offset, len| {
                physmap::read(frame, offset, &mut bytes[done..done + len]);
                done += len;
            },
        )
    }

    /// Returns where the word at `addr` is, for who wants to name it.
    pub fn word_place(&self, addr: u64) -> Result<WordPlace, RemoteFault> {
        let page = VirtAddr::new(addr).page();
        let map = self.map.read();
        let vma = map.vmas.find(page).ok_or(RemoteFault)?;
        Ok(match &vma.backing {
            MapBacking::File {
                source,
                page: first,
            } if vma.flags.contains(VmFlags::SHARED) => {
                let index = first + (page.number() - vma.range.start.number());
                WordPlace::Of(source.id(), index * PAGE_SIZE + addr % PAGE_SIZE)
            }
            _ => WordPlace::Own,
        })
    }

    /// Reads the aligned word at `addr` if its page is there; takes no lock that sleeps.
    pub fn peek_word(&self, addr: u64) -> Option<u32> {
        let (page, offset) = (VirtAddr::new(addr).page(), (addr % PAGE_SIZE) as usize);
        let tables = self.tables.lock();
        let pte = tables.pte(page);
        let is_there = pte.permits(Access::Read, true);
        is_there.then(|| physmap::with_word(pte.frame(), offset, |word| word.load(Acquire)))
    }

    /// Changes the aligned word at `addr` as [`Self::update_word`] does, if its page is there and may be written; takes no lock that
    /// sleeps. `None` says that the page has to be brought in first.
    pub fn poke_word(&self, addr: u64, change: impl Fn(u32) -> Option<u32>) -> Option<u32> {
        let (page, offset) = (VirtAddr::new(addr).page(), (addr % PAGE_SIZE) as usize);
        let tables = self.tables.lock();
        let pte = tables.pte(page);
        let update = |word: &AtomicU32| word.fetch_update(AcqRel, Acquire, &change);
        pte.permits(Access::Write, true).then(|| {
            let updated = physmap::with_word(pte.frame(), offset, update);
            updated.unwrap_or_else(|kept| kept)
        })
    }

    /// Changes the aligned word at `addr` in one step to what `change` makes of it, if anything; returns what it was.
    pub fn update_word(
        &self,
        addr: u64,
        change: impl Fn(u32) -> Option<u32>,
    ) -> Result<u32, RemoteFault> {
        addr::user_range(addr, size_of::<u32>() as u64).ok_or(RemoteFault)?;
        let offset = (addr % PAGE_SIZE) as usize;
        let mut before = 0;
        self.with_page(VirtAddr::new(addr), Access::Write, |frame| {
            let update = |word: &AtomicU32| word.fetch_update(AcqRel, Acquire, &change);
            let updated = physmap::with_word(frame, offset, update);
            before = updated.unwrap_or_else(|kept| kept);
        })?;
        Ok(before)
    }

    /// Calls `each` with the frame, offset and length of every piece of the range that lies in one page.
    fn each_piece(
        &self,
        addr: u64,
        len: u64,
        access: Access,
        mut each: impl FnMut(Frame, usize, usize),
    ) -> Result<(), RemoteFault> {
        let range = addr::user_range(addr, len).ok_or(RemoteFault)?;
        let mut at = range.start;
        while at < range.end {
            let offset = at % PAGE_SIZE;
            let piece = (PAGE_SIZE - offset).min(range.end - at);
            self.with_page(VirtAddr::new(at), access, |frame| {
                each(frame, offset as usize, piece as usize)
            })?;
            at += piece;
        }
        Ok(())
    }

    /// Calls `each` with the frame at `addr`, faulted in for `access`, while it cannot go away.
    fn with_page(
        &self,
        addr: VirtAddr,
        access: Access,
        each: impl FnOnce(Frame),
    ) -> Result<(), RemoteFault> {
        loop {
            let tables = self.tables.lock();
            let pte = tables.pte(addr.page());
            if pte.permits(access, true) {
                each(pte.frame());
                // No CPU notes this write, and memory that was given up goes unless somebody does.
                if access == Access::Write
                    && let Some(slot) = tables.small_slot(addr.page())
                {
                    slot.swap(slot.load().mkdirty());
                }
                return Ok(());
            }
            drop(tables);
            fault::handle(
                self,
                &Fault {
                    addr,
                    access,
                    present: false,
                },
            )
            .map_err(|_| RemoteFault)?;
        }
    }
}
