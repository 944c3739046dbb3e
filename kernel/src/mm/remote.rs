//! Reading and writing an address space from outside, through its page tables and the direct map.
//!
//! exec fills the new program's stack this way before anybody runs on it. Pages come in through the
//! ordinary fault path; the bytes move under the page-table lock, which keeps the frame in place.

use addr::{Frame, PAGE_SIZE, VirtAddr};
use pte::Access;

use super::fault::{self, Fault};
use super::{Mm, physmap};

/// The address is not mapped with the rights the access needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteFault;

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
        const ZEROS: [u8; 256] = [0; 256];
        let mut done = 0;
        while done < len {
            let step = (len - done).min(ZEROS.len() as u64);
            self.write_remote(addr + done, &ZEROS[..step as usize])?;
            done += step;
        }
        Ok(())
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
