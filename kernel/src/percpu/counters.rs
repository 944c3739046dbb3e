//! Counters for everything this kernel claims, in one table.
//!
//! A counter only grows, except the gauges at the end (`…_alive`), which go both ways. Each CPU counts for
//! itself, so that none waits for another's cache line; what is asked for is the sum. The sums are printed at
//! power-off and readable by programs in `/proc/lodger`, each CPU's part in `/proc/lodger_cpus`.

use super::tally::{OWNERS, Tally};
use core::fmt::{self, Write};

/// A number that tells how often something happened, or how many of something exist.
pub struct Counter(Tally);

impl Counter {
    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.0.inc();
    }

    /// Takes one away; for gauges.
    #[inline]
    pub fn dec(&self) {
        self.add(-1);
    }

    /// Adds `n`, which may be negative for gauges.
    #[inline]
    pub fn add(&self, n: i64) {
        self.0.add(n);
    }

    /// Returns the present value, of all CPUs together.
    pub fn get(&self) -> i64 {
        self.0.sum()
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident = $text:literal;)*) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "named after the counters")]
        enum Place { $($name),* }
        $($(#[$doc])+ pub static $name: Counter = Counter(Tally::new(Place::$name as usize));)*
        /// Every counter with the name it is printed under.
        const TABLE: &[(&str, Counter)] = &[$(($text, Counter(Tally::new(Place::$name as usize)))),*];
        const _: () = assert!(TABLE.len() <= OWNERS, "there is room for all");
    };
}

counters! {
    /// Context switches from one task to another.
    CONTEXT_SWITCHES = "context_switches";
    /// Tasks woken on the CPU that woke them.
    WAKEUPS_LOCAL = "wakeups_local";
    /// Tasks woken on another CPU.
    WAKEUPS_REMOTE = "wakeups_remote";
    /// Tasks that went from one CPU to another, woken ones included.
    MIGRATIONS = "migrations";
    /// Tasks that a CPU took from another one.
    BALANCE_PULLS = "balance_pulls";
    /// Switches kernel → kernel: the borrowed mm is handed on.
    SWITCH_KK = "switch_kk";
    /// Switches user → kernel: the kernel task borrows.
    SWITCH_UK = "switch_uk";
    /// Switches kernel → user: a borrow ends.
    SWITCH_KU = "switch_ku";
    /// Switches user → user.
    SWITCH_UU = "switch_uu";
    /// Writes to CR3, for whatever reason, after boot.
    CR3_WRITES = "cr3_writes";
    /// Of those, writes that kept what the PCID's slot held; all others dropped something.
    CR3_KEPT = "cr3_kept";
    /// PCID slots that were taken from one address space and given to another.
    PCIDS_RECYCLED = "pcids_recycled";
    /// INVPCID instructions.
    INVPCIDS = "invpcids";
    /// Returns to the loaded mm out of lazy mode that needed no CR3 write (LZ-12).
    CR3_SKIPPED_LAZY = "cr3_skipped_lazy";
    /// Returns to the loaded mm out of lazy mode that had to flush because its generation moved.
    CR3_CATCH_UP = "cr3_catch_up";
    /// Times a CPU went lazy (entered a kernel task).
    LAZY_ENTER = "lazy_enter";
    /// Borrowed references taken (user → kernel, exit).
    LAZY_GRAB = "lazy_grab";
    /// Borrowed references handed from one kernel task to the next.
    LAZY_TRANSFER = "lazy_transfer";
    /// Borrowed references given back.
    LAZY_DROP = "lazy_drop";
    /// Address spaces created.
    MM_CREATED = "mm_created";
    /// Address spaces whose user memory is gone (`mm_users` reached 0).
    MM_UNUSED = "mm_unused";
    /// Address spaces freed (`mm_count` reached 0).
    MM_FREED = "mm_freed";
    /// Address spaces that outlived their users because somebody borrowed them.
    MM_PINNED = "mm_pinned";
    /// For how many microseconds, all together.
    MM_PINNED_US = "mm_pinned_us";
    /// Address spaces that CPUs were taken off before they were freed (`lazy=shoot`).
    MM_SHOT = "mm_shot";
    /// Address spaces that an idle CPU gave back since it had left them.
    LAZY_GIVEN_BACK = "lazy_given_back";
    /// TLB generations raised.
    TLB_GENERATIONS = "tlb_generations";
    /// Single pages flushed from this CPU's TLB.
    TLB_PAGE_FLUSHES = "tlb_page_flushes";
    /// Full flushes of this CPU's TLB.
    TLB_FULL_FLUSHES = "tlb_full_flushes";
    /// Flushes that were not needed because the mm was not loaded, or lazily so.
    TLB_FLUSHES_SKIPPED = "tlb_flushes_skipped";
    /// CPUs interrupted for a flush.
    IPI_SENT = "ipi_sent";
    /// CPUs not interrupted because they only borrow the mm (TLB-2).
    IPI_SKIPPED_LAZY = "ipi_skipped_lazy";
    /// CPUs interrupted that had gone on to another mm by then (TLB-3).
    FLUSH_WRONG_CPU = "flush_wrong_cpu";
    /// Page faults of any kind.
    FAULTS_TOTAL = "faults_total";
    /// First writes that got a zeroed frame.
    FAULT_DEMAND_ZERO = "fault_demand_zero";
    /// First reads that got the shared zero page.
    FAULT_ZERO_PAGE = "fault_zero_page";
    /// Writes that replaced the zero page.
    FAULT_ZERO_UPGRADE = "fault_zero_upgrade";
    /// Large pages mapped.
    LARGE_MAPPED = "large_mapped";
    /// Large pages split into small ones.
    LARGE_SPLIT = "large_split";
    /// File pages mapped.
    FAULT_FILE = "fault_file";
    /// File pages mapped beside the one that was asked for.
    FAULT_AROUND = "fault_around";
    /// Private file pages copied at the first write.
    FAULT_FILE_COW = "fault_file_cow";
    /// Write faults on shared file pages.
    FAULT_SHARED_WRITE = "fault_shared_write";
    /// Copy-on-write faults that copied.
    COW_COPIED = "cow_copied";
    /// Copy-on-write faults that took the frame over because nobody else had it.
    COW_REUSED = "cow_reused";
    /// Pages by which stacks grew.
    FAULT_STACK_GROWTH = "fault_stack_growth";
    /// Faults that found nothing left to do.
    FAULT_SPURIOUS = "fault_spurious";
    /// Faults that had to take mmap_lock: no mapping permits the access, or one was being changed just then.
    FAULT_LOCKED = "fault_locked";
    /// Faults whose page table entry had changed before they could apply what they had decided.
    FAULT_REDECIDED = "fault_redecided";
    /// Faults and other exceptions answered with SIGSEGV.
    SEGV_SENT = "segv_sent";
    /// Faults and other exceptions answered with SIGBUS.
    SIGBUS_SENT = "sigbus_sent";
    /// Kernel-mode faults resolved through the exception table.
    FIXUPS = "fixups";
    /// Allocations made to fail on purpose (`failalloc=`, `/proc/self/fail-nth`).
    ALLOC_FAILURES_INJECTED = "alloc_failures_injected";
    /// Times that clean pages were wanted back.
    RECLAIM_RUNS = "reclaim_runs";
    /// Frames that came back so.
    RECLAIMED = "reclaimed";
    /// Processes ended for want of memory.
    OOM_KILLS = "oom_kills";
    /// System calls.
    SYSCALLS = "syscalls";
    /// Processes forked.
    FORKS = "forks";
    /// Programs executed.
    EXECS = "execs";
    /// Processes ended.
    EXITS = "exits";
    /// Timer interrupts.
    TIMER_INTERRUPTS = "timer_interrupts";
    /// Messages to other CPUs: run your scheduler.
    RESCHEDULES_SENT = "reschedules_sent";
    /// Messages from other CPUs to do so.
    RESCHEDULES_RECEIVED = "reschedules_received";
    /// Messages to other CPUs: call a function.
    CALLS_SENT = "calls_sent";
    /// Spurious interrupts of the local APIC or the PIC.
    SPURIOUS_INTERRUPTS = "spurious_interrupts";
    /// Tasks reaped.
    TASKS_REAPED = "tasks_reaped";
    /// Times kstatd looked at whose address space it borrowed.
    KSTATD_LOOKS = "kstatd_looks";
    /// Times that was a user's, not `init_mm`.
    KSTATD_BORROWED = "kstatd_borrowed";
    /// Times a kernel thread moved into a process's address space.
    KTHREAD_USE_MM = "kthread_use_mm";
    /// Copies from or to user memory refused since the task has none of its own (I-8).
    USER_COPIES_REFUSED = "user_copies_refused";
    /// Times that few frames were free and the background thread woke up.
    KSWAPD_WAKES = "kswapd_wakes";
    /// Frames that it fetched back.
    KSWAPD_RECLAIMED = "kswapd_reclaimed";
    /// CPUs that did not schedule for too long.
    SOFT_LOCKUPS = "soft_lockups";
    /// CPUs that took no interrupts for too long.
    HARD_LOCKUPS = "hard_lockups";
    /// Tasks that slept for too long for something that nothing interrupts.
    HUNG_TASKS = "hung_tasks";
    /// Words that the postman brought.
    LETTERS_DELIVERED = "letters_delivered";
    /// Words for places where their process cannot store.
    LETTERS_RETURNED = "letters_returned";
    /// Words for processes that had ended.
    LETTERS_LOST = "letters_lost";
    /// Rounds of the kernel's own storm.
    KSTORM_ROUNDS = "kstorm_rounds";
    /// Pieces of deferred work done.
    WORK_RUNS = "work_runs";
    /// Gauge: address-space objects that exist, `init_mm` not counted.
    MM_ALIVE = "mm_alive";
    /// Gauge: top-level page tables that exist, `init_mm`'s not counted.
    PML4_ALIVE = "pml4_alive";
    /// Gauge: pages of shared anonymous memory.
    SHARED_ANON_PAGES = "shared_anon_pages";
    /// Gauge: tasks that exist, running or not yet reaped.
    TASKS_ALIVE = "tasks_alive";
    /// Gauge: kernel stacks in use.
    KSTACKS_ALIVE = "kstacks_alive";
}

/// Calls `each` with the name and value of every counter, in the order of the table.
pub fn for_each(mut each: impl FnMut(&'static str, i64)) {
    for (name, counter) in TABLE {
        each(name, counter.get());
    }
}

/// Writes all counters as lines of `name value`.
pub fn write(out: &mut dyn Write) -> fmt::Result {
    TABLE
        .iter()
        .try_for_each(|(name, counter)| writeln!(out, "{name} {}", counter.get()))
}

/// Calls `each` with the name and CPU `cpu`'s part of the few counters that tell how busy it was.
pub fn for_each_of(cpu: usize, mut each: impl FnMut(&'static str, i64)) {
    const TOLD: [&str; 11] = [
        "context_switches",
        "wakeups_local",
        "wakeups_remote",
        "migrations",
        "cr3_writes",
        "cr3_kept",
        "cr3_skipped_lazy",
        "pcids_recycled",
        "invpcids",
        "timer_interrupts",
        "reschedules_received",
    ];
    let told = TABLE.iter().filter(|(name, _)| TOLD.contains(name));
    told.for_each(|(name, counter)| each(name, counter.0.of(cpu)));
}

/// Writes what each of the first `cpus` CPUs has counted, as lines of `name value value …`.
pub fn write_each(out: &mut dyn Write, cpus: usize) -> fmt::Result {
    for (name, counter) in TABLE {
        write!(out, "{name}")?;
        (0..cpus).try_for_each(|cpu| write!(out, " {}", counter.0.of(cpu)))?;
        writeln!(out)?;
    }
    Ok(())
}
