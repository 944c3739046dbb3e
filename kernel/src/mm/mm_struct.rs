//! The address space, and the two counts that decide when its parts die.
//!
//! [`MmUserRef`] is one unit of `mm_users`: while one lives, so does user memory. [`MmRef`] is one
//! unit of `mm_count`: while one lives, so does the PML4. All users together hold one `MmRef`
//! (inside [`UserMemory`]), so `mm_count >= 1` while `mm_users > 0` holds by construction (I-4).
//! The last `MmUserRef` tears down VMAs, user pages and user tables; the last `MmRef` frees the
//! PML4; never the other way round (I-5).
//!
//! | operation | here |
//! |---|---|
//! | mmget / mmput | clone / drop of `MmUserRef` |
//! | mmgrab / mmdrop | [`MmUserRef::grab`] or clone / drop of `MmRef` |
//! | mmget_not_zero | [`Mm::try_user`] |

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::ops::Deref;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicBool, AtomicU64};

use addr::{Frame, PAGE_SIZE, Page, PageRange, USER_END, VirtAddr};
use cpumask::{AtomicCpuMask, CpuMask};
use lazytlb::MmId;
use vma::{VmFlags, VmaSet};

use super::backing::MapBacking;
use super::counters::{MM_ALIVE, MM_CREATED, MM_FREED, MM_UNUSED, PML4_ALIVE};
use super::gather::Gather;
pub use super::limits::{DEFAULT_STACK_LIMIT, MmLimits};
use super::pinned::Pinned;
use super::rss::Peak;
use super::table_lock::TableLock;
use super::{OutOfMemory, borrow, commit, frame, pgtable, switch, zap};
use crate::locks::{Once, RwSem, SpinLock, WriteGuard, rank};

/// An address space: one PML4, and the VMAs that say what its user half means.
pub struct Mm {
    id: MmId,
    root: Frame,
    /// Raised by whoever weakens or removes a translation, after doing so (TLB-1).
    pub(super) tlb_gen: AtomicU64,
    /// The CPUs that may have it loaded (TLB-5); [`switch`] puts them in.
    pub(super) cpus: AtomicCpuMask,
    /// What is mapped; `mmap_lock`.
    pub(super) map: RwSem<AddressSpace, { rank::MMAP }>,
    /// The lower half of the page tables.
    pub(super) tables: TableLock,
    /// The most pages that were in memory; how many are is counted beside the tables.
    pub(super) rss_peak: Peak,
    /// The most pages that were mapped before any of them was unmapped.
    vm_peak: AtomicU64,
    /// Whether its private memory was taken because it had to end (HF-19).
    reaped: AtomicBool,
    /// Since when it has no users, and is held all the same.
    pinned: Pinned,
    /// The way back from a pin to a user, while users exist.
    users: Once<Weak<UserMemory>>,
}

/// What `mmap_lock` guards.
pub struct AddressSpace {
    /// The mappings.
    pub vmas: VmaSet<MapBacking>,
    /// First byte of the heap; page-aligned.
    pub brk_start: u64,
    /// The present break; byte-granular.
    pub brk: u64,
    /// Pages of the program's own code.
    pub(super) code_pages: u64,
    /// How mappings made from now on are locked (mlockall with MCL_FUTURE).
    pub lock_flags: VmFlags,
    /// What the process may map; read at fault time too (SG-5).
    pub limits: MmLimits,
    /// How many bytes lower mappings begin than the stack's room asks for.
    pub(super) mmap_shift: u64,
}

/// `mmap_lock` held for writing: no fault goes on but where it is [`opened`](sync::WriteGuard::opened).
pub(super) type MapGuard<'a> = WriteGuard<'a, AddressSpace, { rank::MMAP }>;

/// One unit of `mm_count`: pins the PML4, promises nothing about user memory.
#[derive(Clone)]
pub struct MmRef(Arc<Mm>);

/// One unit of `mm_users`: user memory exists while this does. Dropping the last one may sleep.
#[derive(Clone)]
pub struct MmUserRef(Arc<UserMemory>);

/// All users together; holds their one unit of `mm_count`.
pub(super) struct UserMemory {
    mm: MmRef,
}

static INIT_MM: Once<MmRef> = Once::new();
static INIT_ROOT: AtomicU64 = AtomicU64::new(0);
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
/// Every live mm but `init_mm`, for audits and reports.
static LIVE: SpinLock<BTreeMap<u64, Weak<Mm>>, { rank::MM_LIST }> = SpinLock::new(BTreeMap::new());

/// Makes `root` the reference page table, once; needed before any kernel mapping is made.
pub fn set_init_root(root: Frame) {
    INIT_ROOT.store(root.start().as_u64(), Relaxed);
}

/// Returns the PML4 of `init_mm`, whose upper half is everybody's.
pub fn init_mm_root() -> Frame {
    Frame::containing(addr::PhysAddr::new(INIT_ROOT.load(Relaxed)))
}

/// Returns the kernel's own mm: nobody's `mm`, only ever borrowed, never freed (MM-7).
pub fn init_mm() -> &'static MmRef {
    INIT_MM.call_once(|| MmRef(Arc::new(Mm::with_root(MmId::INIT, init_mm_root()))))
}

/// Calls `each` for every live mm but `init_mm`; the references live only that long.
///
/// Returns false where the list's lock is held by whoever was interrupted (panic).
pub fn for_each_live(mut each: impl FnMut(&MmRef)) -> bool {
    let mut after = 0;
    loop {
        let Some(live) = LIVE.try_lock() else {
            return false;
        };
        let next = live
            .range(after + 1..)
            .find_map(|(id, mm)| Some((*id, MmRef(mm.upgrade()?))));
        drop(live);
        let Some((id, mm)) = next else { return true };
        after = id;
        each(&mm);
    }
}

impl Mm {
    /// Makes an empty address space with one user and the kernel's upper half (MM-2).
    #[expect(
        clippy::new_ret_no_self,
        reason = "an mm only exists behind its counts"
    )]
    pub fn new() -> Result<MmUserRef, OutOfMemory> {
        let root = pgtable::new_root()?;
        let id = NEXT_ID.fetch_add(1, Relaxed);
        let mm = MmRef(Arc::new(Self::with_root(MmId::new(id), root)));
        LIVE.lock().insert(id, Arc::downgrade(&mm.0));
        for counter in [&MM_CREATED, &MM_ALIVE, &PML4_ALIVE] {
            counter.inc();
        }
        let users = Arc::new(UserMemory { mm: mm.clone() });
        mm.users.call_once(|| Arc::downgrade(&users));
        Ok(MmUserRef(users))
    }

    fn with_root(id: MmId, root: Frame) -> Self {
        Self {
            id,
            root,
            tlb_gen: AtomicU64::new(0),
            cpus: AtomicCpuMask::new(CpuMask::EMPTY),
            map: RwSem::new(AddressSpace::new()),
            tables: TableLock::new(root),
            rss_peak: Peak::default(),
            vm_peak: AtomicU64::new(0),
            reaped: AtomicBool::new(false),
            pinned: Pinned::default(),
            users: Once::new(),
        }
    }

    /// Returns the number that names this mm and no other, ever.
    pub fn id(&self) -> MmId {
        self.id
    }

    /// Returns the PML4.
    pub fn root(&self) -> Frame {
        self.root
    }

    /// Returns `mm_users`.
    pub fn users(&self) -> usize {
        self.users.get().map_or(0, Weak::strong_count)
    }

    /// Returns the present TLB generation.
    pub fn generation(&self) -> u64 {
        self.tlb_gen.load(SeqCst)
    }

    /// Remembers how much is mapped if it was never more; to be called before it becomes less.
    pub(super) fn note_vm_peak(&self, map: &AddressSpace) -> u64 {
        let now = map.vmas.totals().total;
        self.vm_peak.fetch_max(now, Relaxed).max(now)
    }

    /// Returns how many page tables there are, the PML4 included.
    pub fn table_pages(&self) -> u64 {
        self.tables.lock().tables + 1
    }

    /// Makes every fault fail from now on: what the program had may be gone.
    pub(super) fn mark_reaped(&self) {
        self.reaped.store(true, Relaxed);
    }

    /// Returns whether private memory was taken from a program that has to end.
    pub(super) fn is_reaped(&self) -> bool {
        self.reaped.load(Relaxed)
    }

    /// Becomes one more user, unless user memory is gone already (MM-3).
    pub fn try_user(&self) -> Option<MmUserRef> {
        self.users.get()?.upgrade().map(MmUserRef)
    }

    /// Returns a way to the users that holds none of them up.
    pub(super) fn weak_user(&self) -> Option<Weak<UserMemory>> {
        self.users.get().cloned()
    }

    /// Sets what may be mapped from now on; what is mapped already stays.
    pub fn set_limits(&self, limits: MmLimits) {
        self.map.write().limits = limits;
    }

    /// Makes mappings begin `bytes`, at most 2 TiB, lower than the stack's room asks for.
    pub fn lower_mappings(&self, bytes: u64) {
        self.map.write().mmap_shift = bytes;
    }

    /// Removes everything from the user half: VMAs, pages, tables. The mm has no users left.
    /// First takes this CPU off the tables (LZ-17), then unhooks, flushes and frees (I-6).
    fn exit_mmap(&self) {
        // The set as it is: a list of tens of thousands of mappings would need memory to free memory.
        let vmas = core::mem::take(&mut self.map.write().vmas);
        for source in vmas.iter().filter_map(|vma| vma.backing.source()) {
            source.mappings().remove(self);
        }
        commit::uncharge(vmas.totals().account);
        switch::leave_mm(self);
        let everything = PageRange::new(Page::new(0), Page::containing(VirtAddr::new(USER_END)));
        zap::zap_pages(self, everything);
        let mut gather = Gather::new(self);
        self.tables.lock().unhook_all(&mut gather);
        gather.finish();
        borrow::recall(self);
        drop(vmas);
        MM_UNUSED.inc();
    }
}

impl AddressSpace {
    fn new() -> Self {
        Self {
            vmas: VmaSet::new(),
            brk_start: 0,
            brk: 0,
            code_pages: 0,
            lock_flags: VmFlags::empty(),
            limits: MmLimits::DEFAULT,
            mmap_shift: 0,
        }
    }

    /// Whether `pages` more fit under the limits; `data` tells that they count as data (VM-13).
    pub fn allows(&self, pages: u64, data: bool) -> bool {
        fits(self.vmas.totals().total, pages, self.limits.address_space)
            && (!data || self.allows_data(pages))
    }

    /// Whether `pages` more may count as data.
    pub fn allows_data(&self, pages: u64) -> bool {
        let limit = match self.limits.data {
            0 => self.limits.data_hard,
            soft => soft,
        };
        fits(self.vmas.totals().data, pages, limit)
    }

    /// As [`Self::allows`] for a mapping of `range` that replaces what is there.
    pub fn allows_instead(&self, range: PageRange, data: bool) -> bool {
        if self.allows(range.len(), data) {
            return true;
        }
        let replaced = self.vmas.overlapping(range);
        let replaced: u64 = replaced
            .filter_map(|vma| vma.range.intersection(&range))
            .map(|part| part.len())
            .sum();
        self.allows(range.len() - replaced, data)
    }

    /// The highest address that placement may choose: leaves room for the stack to grow (VM-4).
    pub fn mmap_top(&self) -> Page {
        let gap =
            self.limits.stack.clamp(128 << 20, USER_END / 6 * 5) + vma::STACK_GUARD_GAP * PAGE_SIZE;
        VirtAddr::new(USER_END - gap - self.mmap_shift).page()
    }
}

/// Whether `more` pages beside `used` stay below `limit` bytes.
fn fits(used: u64, more: u64, limit: u64) -> bool {
    limit == u64::MAX || used + more <= limit / PAGE_SIZE
}

/// Whether a mapping with these flags counts as data.
pub fn is_data(flags: VmFlags) -> bool {
    flags.is_data()
}

impl MmRef {
    /// Returns `mm_count`.
    pub fn count(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl MmUserRef {
    pub(super) fn from_memory(memory: Arc<UserMemory>) -> Self {
        Self(memory)
    }

    /// Pins the PML4 for a borrower (mmgrab).
    pub fn grab(&self) -> MmRef {
        self.0.mm.clone()
    }

    /// Returns `mm_count`: one for all users, and one for each borrower.
    pub fn count(&self) -> usize {
        self.0.mm.count()
    }
}

impl Deref for MmRef {
    type Target = Mm;
    fn deref(&self) -> &Mm {
        &self.0
    }
}

impl Deref for MmUserRef {
    type Target = Mm;
    fn deref(&self) -> &Mm {
        &self.0.mm
    }
}

impl Drop for UserMemory {
    fn drop(&mut self) {
        self.mm.exit_mmap();
        if self.mm.count() > 1 {
            self.mm.pinned.begin();
        }
    }
}

impl Drop for Mm {
    fn drop(&mut self) {
        assert!(self.id != MmId::INIT, "init_mm is never freed");
        borrow::shoot(self);
        assert!(
            !switch::is_loaded(self),
            "no CPU stands on a PML4 that is freed (I-1)"
        );
        let tables = self.tables.lock().tables;
        assert!(tables == 0, "an mm dies without page tables: {tables} left");
        let rss = self.rss_pages();
        assert!(rss == 0, "an mm dies without user pages: rss is {rss}");
        LIVE.lock().remove(&self.id.as_u64());
        frame::free(self.root);
        self.pinned.end();
        MM_FREED.inc();
        MM_ALIVE.dec();
        PML4_ALIVE.dec();
    }
}
