//! Compares page tables, mappings and frames of every live mm with each other.
//!
//! | compared | with |
//! |---|---|
//! | each entry | its mapping's rights and kind, its frame's owner (the pure crate `fsck`) |
//! | each table's count and groups of entries | its entries; the number of tables, with the tables |
//! | rss | the entries that map a frame |
//! | each anonymous or cached frame's references | the entries of all mms that map it, and its source |
//! | the frames that are page tables | the tables of all mms and of the kernel |
//! | the set of mappings | its own invariants and sums |
//! | what is promised to programs | the charged pages of all mappings and of shared memory |
//!
//! Nobody else runs meanwhile, nothing is waited for and nothing allocated: it works in a panic too. An
//! mm whose locks somebody holds is skipped, and the report says so; what depends on having seen every
//! mm is then checked as far as that goes. Entries are counted in the frame table, in the words that
//! anonymous and page-cache frames do not use.

use core::fmt::{self, Arguments};
use core::sync::atomic::Ordering::Relaxed;

use addr::{Frame, Page};
use fsck::{Charge, Mapping, References, Shown, judge, table_entry};
use pte::Pte;
use vma::Vma;

use super::counters::{MM_CREATED, MM_UNUSED, SHARED_ANON_PAGES, TASKS_ALIVE};
use super::frame::{self, FrameInfo, Owner};
use super::layout::KERNEL_SLOT;
use super::mm_struct::{self, AddressSpace, init_mm_root};
use super::physmap::{self, TABLE_ENTRIES};
use super::rss::Kind;
use super::table::UserTable;
use super::{MapBacking, Mm, commit};
use crate::arch::local;

/// What a check looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Address spaces compared.
    pub mms: u64,
    /// Address spaces that somebody was changing, or that were on their way out.
    pub busy: u64,
    /// Entries judged.
    pub entries: u64,
    /// Page tables of programs, PML4s included.
    pub tables: u64,
    /// Anonymous and page-cache frames whose references were counted.
    pub frames: u64,
    /// What was wrong; each was told.
    pub findings: u64,
}

/// Where findings go, one line each.
pub type Sink<'a> = &'a mut dyn FnMut(Arguments<'_>);

/// Checks everything and tells `sink` what is wrong. The other CPUs have stopped, or wait (`smp::stop`).
pub fn run(sink: Sink<'_>) -> Report {
    // Nobody else changes anything while this task cannot be preempted: no other processor runs.
    local::preempt_disable();
    let mut check = Check {
        report: Report::default(),
        charged: 0,
        sink,
    };
    check.all();
    let report = check.report;
    local::preempt_enable_no_resched();
    report
}

/// Words of a frame's links while it is counted: how many entries map it, and as what.
const PRIVATE: u32 = 1;
const SHARED: u32 = 2;

struct Check<'a> {
    report: Report,
    /// Charged pages of the mappings seen.
    charged: u64,
    sink: Sink<'a>,
}

impl Check<'_> {
    fn finding(&mut self, what: Arguments<'_>) {
        self.report.findings += 1;
        (self.sink)(what);
    }

    fn all(&mut self) {
        each_frame(|_, info| {
            if is_counted(info) {
                info.links().0.store(0, Relaxed);
                info.links().1.store(0, Relaxed);
            }
        });
        let mut with_users = 0;
        let complete = mm_struct::for_each_live(|mm| {
            with_users += i64::from(mm.users() > 0);
            self.mm(mm);
        });
        // An mm that nobody uses any more is torn down outside of its locks.
        let dying = MM_CREATED.get() - MM_UNUSED.get() - with_users;
        self.report.busy += dying.unsigned_abs() + u64::from(!complete);
        self.frames();
        if let Err(what) = frame::check() {
            self.finding(format_args!("{what}"));
        }
    }

    fn mm(&mut self, mm: &Mm) {
        let idle = mm.map.is_idle();
        let (Some(map), Some(tables)) = (mm.map.try_read(), mm.tables.try_lock()) else {
            self.report.busy += 1;
            return;
        };
        if mm.users() == 0 && tables.tables != 0 {
            return; // on its way out, and counted as busy by the caller
        }
        self.report.mms += 1;
        self.report.busy += u64::from(!idle);
        let mut walk = Walk {
            check: self,
            mm: mm.id().as_u64(),
            map: &map,
            vma: None,
            rss: [0; 3],
            tables: 0,
        };
        walk.table(mm.root(), 4, 0);
        let (rss, found) = (walk.rss, walk.tables);
        self.charged += map.vmas.totals().account;
        // Those set aside for large pages are linked nowhere, but accounted for.
        self.report.tables += found + tables.spare.count + 1;
        let id = mm.id().as_u64();
        for kind in [Kind::Anon, Kind::File, Kind::Shmem] {
            let (told, counted) = (mm.rss(kind), rss[kind as usize]);
            if told != counted {
                self.finding(format_args!(
                    "mm {id}: rss of {kind:?} is {told}, and {counted} entries map a frame"
                ));
            }
        }
        if found != tables.tables {
            let told = tables.tables;
            self.finding(format_args!(
                "mm {id}: {found} tables below the PML4, not {told}"
            ));
        }
        if let Err(what) = map.vmas.check() {
            self.finding(format_args!("mm {id}: {what}"));
        }
    }

    /// Compares what was counted with the references of every frame.
    fn frames(&mut self) {
        let complete = self.report.busy == 0;
        let (mut sources, mut borrowed, mut page_tables) = (0, 0, 0);
        each_frame(|frame, info| {
            page_tables += u64::from(info.owner() == Owner::PageTable);
            if !is_counted(info) {
                return;
            }
            self.report.frames += 1;
            let cached = info.owner() == Owner::PageCache;
            let counts = references(info, complete && !cached);
            sources += u64::from(!cached && counts.is_sources());
            // A task that reads or writes a file holds one more while it copies.
            borrowed += if cached {
                counts.refs.saturating_sub(counts.expected())
            } else {
                0
            };
            let kept = !cached || !complete || counts.refs >= counts.expected();
            if !counts.holds() || !kept {
                self.finding(format_args!(
                    "{frame:?} of {:?}: {} references, {} entries map it (private {}, shared {})",
                    info.owner(),
                    counts.refs,
                    counts.mapped,
                    counts.private,
                    counts.shared
                ));
            }
        });
        if !complete {
            return;
        }
        if i64::from(borrowed) > TASKS_ALIVE.get() {
            self.finding(format_args!(
                "{borrowed} references too many on pages of files"
            ));
        }
        let (told, charged) = (commit::by_mappings(), self.charged);
        if told != charged as i64 {
            self.finding(format_args!(
                "{told} pages are promised to mappings, which are charged for {charged}"
            ));
        }
        let told = SHARED_ANON_PAGES.get();
        if told != sources as i64 {
            self.finding(format_args!(
                "{sources} anonymous frames are nobody's private memory, but {told} are shared: the others leaked"
            ));
        }
        let expected = self.report.tables + kernel_tables(init_mm_root(), 4);
        if page_tables != expected {
            self.finding(format_args!(
                "{page_tables} frames are page tables, but only {expected} are linked"
            ));
        }
    }
}

/// One mm's tables, walked from the root down.
struct Walk<'c, 'a, 'm> {
    check: &'c mut Check<'a>,
    mm: u64,
    map: &'m AddressSpace,
    /// The mapping found last: neighbours mostly lie in the same.
    vma: Option<&'m Vma<MapBacking>>,
    /// Charged entries by kind: private, file, shared memory.
    rss: [u64; 3],
    tables: u64,
}

impl Walk<'_, '_, '_> {
    /// Walks the table of `level` whose first entry translates page number `first`.
    fn table(&mut self, table: Frame, level: u8, first: u64) {
        let entries = if level == 4 {
            KERNEL_SLOT
        } else {
            TABLE_ENTRIES
        };
        let mut used = 0;
        for (number, entry) in (0..).zip(&physmap::table(table)[..entries]) {
            let entry = Pte::from_raw(entry.load(Relaxed));
            if entry.is_none() {
                continue;
            }
            used += 1;
            if !UserTable::new(table).expects(number as usize) {
                let mm = self.mm;
                self.check.finding(format_args!(
                    "mm {mm}: entry {number} of {table:?} (level {level}) is in use, its group said to be empty"
                ));
            }
            let page = Page::new(first + (number << (9 * (level - 1))));
            match level {
                1 => self.leaf(page, entry),
                _ => self.link(page, entry, level - 1),
            }
        }
        let told = frame::info(table).word().load(Relaxed);
        if level < 4 && told != used {
            let mm = self.mm;
            self.check.finding(format_args!(
                "mm {mm}: the table {table:?} of level {level} counts {told} entries and has {used}"
            ));
        }
    }

    fn link(&mut self, page: Page, entry: Pte, level: u8) {
        let frame = entry.frame();
        if entry.is_huge() && level == 1 {
            for number in 0..TABLE_ENTRIES as u64 {
                self.leaf(Page::new(page.number() + number), entry.small(number));
            }
            return;
        }
        let is_table =
            frame.number() < frame::table_len() && frame::info(frame).owner() == Owner::PageTable;
        if !table_entry(entry) || !is_table {
            let mm = self.mm;
            return self.check.finding(format_args!(
                "mm {mm}: {page:?}: {entry:?} does not link a table of level {level}"
            ));
        }
        self.tables += 1;
        self.table(frame, level, page.number());
    }

    fn leaf(&mut self, page: Page, pte: Pte) {
        self.check.report.entries += 1;
        if self.vma.is_none_or(|vma| !vma.range.contains(page)) {
            self.vma = self.map.vmas.find(page);
        }
        let mapping = self.vma.map(|vma| Mapping {
            flags: vma.flags,
            has_source: vma.backing.source().is_some(),
        });
        let info = (pte.frame().number() < frame::table_len()).then(|| frame::info(pte.frame()));
        let shown = info.map_or(Shown::Other, |info| shown(info.owner()));
        match judge(mapping, pte, shown) {
            Ok(Charge::Nothing) => {}
            Ok(Charge::Anon) => self.rss[Kind::Anon as usize] += 1,
            Ok(Charge::File) => self.rss[Kind::File as usize] += 1,
            Ok(Charge::Shmem) => self.rss[Kind::Shmem as usize] += 1,
            Err(misfit) => {
                let mm = self.mm;
                self.check.finding(format_args!(
                    "mm {mm}: {page:?}: {pte:?} {misfit} (frame of {:?}, mapping {:?})",
                    info.map(FrameInfo::owner),
                    mapping.map(|mapping| mapping.flags)
                ));
            }
        }
        if let Some(info) = info.filter(|info| !pte.is_guard() && is_counted(info)) {
            let kind = if pte.is_anon() { PRIVATE } else { SHARED };
            info.links().0.fetch_add(1, Relaxed);
            info.links().1.fetch_or(kind, Relaxed);
        }
    }
}

fn references(info: &FrameInfo, complete: bool) -> References {
    let kinds = info.links().1.load(Relaxed);
    References {
        refs: info.word().load(Relaxed),
        mapped: info.links().0.load(Relaxed),
        private: kinds & PRIVATE != 0,
        shared: kinds & SHARED != 0,
        complete,
    }
}

fn shown(owner: Owner) -> Shown {
    match owner {
        Owner::Anon => Shown::Anon,
        Owner::PageCache => Shown::PageCache,
        Owner::Zero => Shown::Zero,
        _ => Shown::Other,
    }
}

/// Whether entries that map the frame are counted in its links.
fn is_counted(info: &FrameInfo) -> bool {
    matches!(info.owner(), Owner::Anon | Owner::PageCache)
}

fn each_frame(mut each: impl FnMut(Frame, &FrameInfo)) {
    for number in 0..frame::table_len() {
        let frame = Frame::new(number);
        each(frame, frame::info(frame));
    }
}

/// Counts the kernel's own tables, `table` of `level` included; of the PML4 only the upper half.
fn kernel_tables(table: Frame, level: u8) -> u64 {
    let first = if level == 4 { KERNEL_SLOT } else { 0 };
    let mut count = u64::from(frame::info(table).owner() == Owner::PageTable);
    if level > 1 {
        for entry in &physmap::table(table)[first..] {
            let entry = Pte::from_raw(entry.load(Relaxed));
            if entry.is_present() && !entry.is_huge() {
                count += kernel_tables(entry.frame(), level - 1);
            }
        }
    }
    count
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mms,
            busy,
            entries,
            tables,
            frames,
            ..
        } = self;
        write!(
            f,
            "{mms} address spaces, {entries} entries, {tables} tables, {frames} frames compared; {busy} busy"
        )
    }
}
