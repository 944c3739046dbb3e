//! What the pages of mappings are, in the format of `/proc/PID/smaps` and `smaps_rollup` (VM-17).
//!
//! Counted are the entries that map a frame; the zero page and guard markers are not. A page that
//! several entries map, here or in other address spaces, is shared; each has its part of it (`Pss`).

use core::fmt::{self, Write};
use core::ops::AddAssign;

use addr::PAGE_SIZE;
use pte::Pte;
use vma::{VmFlags, Vma};

use super::backing::MapBacking;
use super::rss::{self, Kind};
use super::{Mm, large, maps};

/// Parts of pages are summed up in so many binary digits behind the byte.
const PSS_SHIFT: u32 = 12;

/// Sums in bytes; those of parts in fractions of a byte.
#[derive(Clone, Copy, Default)]
struct Sums {
    rss: u64,
    referenced: u64,
    anonymous: u64,
    lazily_free: u64,
    /// In large pages.
    large: u64,
    /// By whether others map the page too, and whether it was written to.
    pages: [[u64; 2]; 2],
    /// Parts, by kind.
    parts: [u64; 3],
    dirty_parts: u64,
    locked_parts: u64,
}

impl Mm {
    /// Writes what `/proc/PID/smaps` shows; takes mmap_lock for reading.
    pub fn describe_pages(&self, out: &mut dyn Write) -> fmt::Result {
        let map = self.map.read();
        for vma in map.vmas.iter() {
            maps::line(vma, out)?;
            for (name, pages) in [("Size:", vma.pages()), ("KernelPageSize:", 1)] {
                kib(out, name, pages * PAGE_SIZE)?;
            }
            kib(out, "MMUPageSize:", PAGE_SIZE)?;
            let sums = self.sums(vma);
            sums.write(out, false)?;
            let eligible = u8::from(large::fits(vma));
            writeln!(out, "{:<16}{eligible:8}", "THPeligible:")?;
            flags(vma.flags, out)?;
        }
        Ok(())
    }

    /// Writes what `/proc/PID/smaps_rollup` shows: the sums over all mappings.
    pub fn describe_all_pages(&self, out: &mut dyn Write) -> fmt::Result {
        let map = self.map.read();
        let (mut all, mut start, mut end) = (Sums::default(), None, 0);
        for vma in map.vmas.iter() {
            start.get_or_insert(vma.range.start.start().as_u64());
            end = vma.range.end.start().as_u64();
            all += self.sums(vma);
        }
        let start = start.unwrap_or(0);
        let mut head = arrayvec::ArrayString::<80>::new();
        write!(head, "{start:08x}-{end:08x} ---p 00000000 00:00 0 ")?;
        writeln!(out, "{head:<73}[rollup]")?;
        all.write(out, true)
    }

    fn sums(&self, vma: &Vma<MapBacking>) -> Sums {
        let mut sums = Sums::default();
        let locked = vma.flags.contains(VmFlags::LOCKED);
        self.tables.lock().read(vma.range, |_, pte, is_large| {
            sums.count(pte, locked);
            sums.large += if is_large { PAGE_SIZE } else { 0 };
        });
        sums
    }
}

impl Sums {
    fn count(&mut self, pte: Pte, locked: bool) {
        let Some(kind) = rss::kind(pte) else { return };
        let mappings = u64::from(rss::mappings(pte, kind).max(1));
        let part = (PAGE_SIZE << PSS_SHIFT) / mappings;
        let is_dirty = pte.is_dirty();
        let if_so = |truth: bool, amount: u64| if truth { amount } else { 0 };
        self.rss += PAGE_SIZE;
        self.referenced += if_so(pte.is_accessed(), PAGE_SIZE);
        self.anonymous += if_so(kind == Kind::Anon, PAGE_SIZE);
        self.lazily_free += if_so(pte.is_lazy() && !is_dirty, PAGE_SIZE);
        self.pages[usize::from(mappings == 1)][usize::from(is_dirty)] += PAGE_SIZE;
        self.parts[kind as usize] += part;
        self.dirty_parts += if_so(is_dirty, part);
        self.locked_parts += if_so(locked, part);
    }

    fn write(&self, out: &mut dyn Write, by_kind: bool) -> fmt::Result {
        let [[shared_clean, shared_dirty], [private_clean, private_dirty]] = self.pages;
        let parts: u64 = self.parts.iter().sum();
        kib(out, "Rss:", self.rss)?;
        kib(out, "Pss:", parts >> PSS_SHIFT)?;
        kib(out, "Pss_Dirty:", self.dirty_parts >> PSS_SHIFT)?;
        if by_kind {
            for (name, kind) in [
                ("Pss_Anon:", Kind::Anon),
                ("Pss_File:", Kind::File),
                ("Pss_Shmem:", Kind::Shmem),
            ] {
                kib(out, name, self.parts[kind as usize] >> PSS_SHIFT)?;
            }
        }
        for (name, bytes) in [
            ("Shared_Clean:", shared_clean),
            ("Shared_Dirty:", shared_dirty),
            ("Private_Clean:", private_clean),
            ("Private_Dirty:", private_dirty),
            ("Referenced:", self.referenced),
            ("Anonymous:", self.anonymous),
            ("KSM:", 0),
            ("LazyFree:", self.lazily_free),
            ("AnonHugePages:", self.large),
            ("ShmemPmdMapped:", 0),
            ("FilePmdMapped:", 0),
            ("Shared_Hugetlb:", 0),
            ("Private_Hugetlb:", 0),
            ("Swap:", 0),
            ("SwapPss:", 0),
            ("Locked:", self.locked_parts >> PSS_SHIFT),
        ] {
            kib(out, name, bytes)?;
        }
        Ok(())
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.rss += other.rss;
        self.referenced += other.referenced;
        self.anonymous += other.anonymous;
        self.lazily_free += other.lazily_free;
        self.large += other.large;
        self.dirty_parts += other.dirty_parts;
        self.locked_parts += other.locked_parts;
        for (sum, more) in self.parts.iter_mut().zip(other.parts) {
            *sum += more;
        }
        let pages = self.pages.as_flattened_mut();
        for (sum, more) in pages.iter_mut().zip(other.pages.as_flattened()) {
            *sum += more;
        }
    }
}

fn kib(out: &mut dyn Write, name: &str, bytes: u64) -> fmt::Result {
    writeln!(out, "{name:<16}{:8} kB", bytes / 1024)
}

/// The line with two letters for each flag, in Linux's order.
fn flags(flags: VmFlags, out: &mut dyn Write) -> fmt::Result {
    // A shared mapping that can never be written to is one for `maps`, and else not.
    let is_shared = flags.contains(VmFlags::SHARED);
    let writes = is_shared && flags.contains(VmFlags::MAYWRITE);
    let has = |flag| flags.contains(flag);
    out.write_str("VmFlags: ")?;
    for (letters, shown) in [
        ("rd", has(VmFlags::READ)),
        ("wr", has(VmFlags::WRITE)),
        ("ex", has(VmFlags::EXEC)),
        ("sh", writes),
        ("mr", has(VmFlags::MAYREAD)),
        ("mw", has(VmFlags::MAYWRITE)),
        ("me", has(VmFlags::MAYEXEC)),
        ("ms", is_shared),
        ("gd", has(VmFlags::GROWSDOWN)),
        ("lo", has(VmFlags::LOCKED)),
        ("sr", has(VmFlags::SEQ_READ)),
        ("rr", has(VmFlags::RAND_READ)),
        ("dc", has(VmFlags::DONTFORK)),
        ("lf", has(VmFlags::LOCKONFAULT)),
        ("ac", has(VmFlags::ACCOUNT)),
        ("nr", has(VmFlags::NORESERVE)),
        ("wf", has(VmFlags::WIPEONFORK)),
        ("dd", has(VmFlags::DONTDUMP)),
        ("hg", has(VmFlags::HUGEPAGE)),
        ("nh", has(VmFlags::NOHUGEPAGE)),
        ("dp", has(VmFlags::DROPPABLE)),
    ] {
        if shown {
            write!(out, "{letters} ")?;
        }
    }
    writeln!(out)
}
