//! The machine's memory in `/proc`: `meminfo`, `vmstat` and `buddyinfo`, in Linux's words and order.
//!
//! A line of Linux's that would be about something this kernel does not have is left out, but for those
//! that programs look for; these say 0.

use core::fmt::{self, Write};

use addr::PAGE_SIZE;

use super::registry::{What, register};
use crate::fs::filesystem::{NAMELESS, ROOT};
use crate::mm::counters::{FAULTS_TOTAL, OOM_KILLS, RECLAIMED, SHARED_ANON_PAGES};
use crate::mm::frame::{self, Owner};
use crate::mm::{commit, mm_struct};

/// Adds the files.
pub(super) fn init() {
    register("meminfo", What::Text(mem_info));
    register("vmstat", What::Text(vm_stat));
    register("buddyinfo", What::Text(buddy_info));
}

/// Who has the machine's frames, in Linux's terms.
struct Memory {
    free: u64,
    anon: u64,
    /// Shared anonymous memory.
    shmem: u64,
    /// Pages of files.
    files: u64,
    /// Those of them that are nowhere else.
    dirty: u64,
    mapped: u64,
    slab: u64,
    kstacks: u64,
    tables: u64,
}

impl Memory {
    fn now() -> Self {
        let shmem = SHARED_ANON_PAGES.get().max(0) as u64;
        let mut tables = 0;
        mm_struct::for_each_live(|mm| tables += mm.table_pages() - 1);
        Self {
            free: frame::count(Owner::Free),
            anon: frame::count(Owner::Anon).saturating_sub(shmem),
            shmem,
            files: frame::count(Owner::PageCache),
            dirty: ROOT.used() + NAMELESS.used(),
            mapped: frame::count_mapped() + shmem,
            slab: frame::count(Owner::Slab) + frame::count(Owner::Heap),
            kstacks: frame::count(Owner::Kstack),
            tables,
        }
    }

    /// What programs could still have: free frames, and those that can be filled anew.
    fn available(&self) -> u64 {
        self.free.saturating_sub(frame::kept_back()) + self.files.saturating_sub(self.dirty)
    }
}

fn mem_info(out: &mut dyn Write) -> fmt::Result {
    let now = Memory::now();
    for (name, frames) in [
        ("MemTotal:", frame::total()),
        ("MemFree:", now.free),
        ("MemAvailable:", now.available()),
        ("Buffers:", 0),
        ("Cached:", now.files + now.shmem),
        ("SwapCached:", 0),
        ("Active:", now.anon + now.files + now.shmem),
        ("Inactive:", 0),
        ("Active(anon):", now.anon + now.shmem + now.dirty),
        ("Inactive(anon):", 0),
        ("Active(file):", now.files.saturating_sub(now.dirty)),
        ("Inactive(file):", 0),
        ("SwapTotal:", 0),
        ("SwapFree:", 0),
        ("Dirty:", 0),
        ("Writeback:", 0),
        ("AnonPages:", now.anon),
        ("Mapped:", now.mapped),
        ("Shmem:", now.shmem + now.dirty),
        ("KReclaimable:", 0),
        ("Slab:", now.slab),
        ("SReclaimable:", 0),
        ("SUnreclaim:", now.slab),
        ("KernelStack:", now.kstacks),
        ("PageTables:", now.tables),
        ("CommitLimit:", commit::limit()),
        ("Committed_AS:", commit::committed()),
    ] {
        writeln!(out, "{name:<16}{:8} kB", frames * PAGE_SIZE / 1024)?;
    }
    Ok(())
}

fn vm_stat(out: &mut dyn Write) -> fmt::Result {
    let now = Memory::now();
    for (name, value) in [
        ("nr_free_pages", now.free),
        ("nr_anon_pages", now.anon),
        ("nr_mapped", now.mapped),
        ("nr_file_pages", now.files + now.shmem),
        ("nr_dirty", 0),
        ("nr_writeback", 0),
        ("nr_shmem", now.shmem + now.dirty),
        ("nr_kernel_stack", now.kstacks * PAGE_SIZE / 1024),
        ("nr_page_table_pages", now.tables),
        ("pgfault", FAULTS_TOTAL.get() as u64),
        ("pgmajfault", 0),
        ("pgsteal_direct", RECLAIMED.get() as u64),
        ("oom_kill", OOM_KILLS.get() as u64),
    ] {
        writeln!(out, "{name} {value}")?;
    }
    Ok(())
}

/// Free blocks of each order.
fn buddy_info(out: &mut dyn Write) -> fmt::Result {
    write!(out, "Node 0, zone {:>8} ", "Normal")?;
    for blocks in frame::free_blocks() {
        write!(out, "{blocks:6} ")?;
    }
    writeln!(out)
}
