//! What an address space amounts to: the figures in `/proc/PID/statm` and `/proc/PID/status`.

use super::Mm;
use super::rss::Kind;

/// Figures of one address space, all in pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    /// The most that was ever mapped.
    pub peak: u64,
    /// Mapped, accessible or not.
    pub size: u64,
    /// In locked mappings.
    pub locked: u64,
    /// The most that was ever in memory.
    pub peak_rss: u64,
    /// Private pages in memory.
    pub anon: u64,
    /// Pages of files in memory.
    pub file: u64,
    /// Pages of shared anonymous memory in memory.
    pub shmem: u64,
    /// Private writable mappings but stacks.
    pub data: u64,
    /// Stacks.
    pub stack: u64,
    /// The program's own code.
    pub exe: u64,
    /// All other code.
    pub lib: u64,
    /// Page tables below the PML4.
    pub tables: u64,
}

impl Figures {
    /// Returns what is in memory.
    pub fn rss(&self) -> u64 {
        self.anon + self.file + self.shmem
    }
}

impl Mm {
    /// Notes how many pages lie between the beginning and the end of the program's own code.
    pub fn set_code_pages(&self, pages: u64) {
        self.map.write().code_pages = pages;
    }

    /// Adds everything up; takes mmap_lock for reading.
    pub fn figures(&self) -> Figures {
        let map = self.map.read();
        let totals = map.vmas.totals();
        let exe = map.code_pages.min(totals.exec);
        Figures {
            peak: self.note_vm_peak(&map),
            size: totals.total,
            locked: totals.locked,
            peak_rss: self.peak_rss_pages(),
            anon: self.rss(Kind::Anon),
            file: self.rss(Kind::File),
            shmem: self.rss(Kind::Shmem),
            data: totals.data,
            stack: totals.stack,
            exe,
            lib: totals.exec - exe,
            tables: self.table_pages() - 1,
        }
    }
}
