//! What a CPU reaches through GS: its current task, its kernel stack, its counts.
//!
//! In the kernel GSBASE holds the address of the running CPU's [`CpuHead`]; in user mode it holds
//! the program's own value and the head waits in KERNEL_GS_BASE. The entry code exchanges the two
//! with SWAPGS, exactly once for each crossing (I-11).
//!
//! The functions here are one instruction each, so a task that is moved to another CPU between two
//! of them cannot mix the two CPUs' data inside one.
//!
//! # Invariants
//! - From [`install`] on, GSBASE points to a `CpuHead` that is never freed.
//! - All fields are atomics with relaxed order: they are the CPU's own, and only `need_resched` is
//!   written from elsewhere.
#![expect(
    unsafe_code,
    reason = "single instructions that read the running CPU's own data through GS"
)]

use core::arch::asm;
use core::mem::offset_of;
use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed,
};

use addr::VirtAddr;
use cpumask::MAX_CPUS;
use x86_64::registers::model_specific::{GsBase, KernelGsBase};

/// The head of a CPU's own data: what the entry code and the hottest paths need.
///
/// A bigger per-CPU structure starts with it: a reference to the head then is a reference to that
/// structure's first field.
#[repr(C, align(64))]
pub struct CpuHead {
    /// The address of this head, for code that needs more than one instruction.
    this: AtomicPtr<CpuHead>,
    /// The top of the current task's kernel stack: where SYSCALL's frame begins.
    kstack_top: AtomicU64,
    /// Scratch for the entry code: the user's stack pointer until it is in a frame.
    user_rsp: AtomicU64,
    /// The running task, in whatever form the scheduler keeps it.
    current: AtomicPtr<()>,
    /// How many reasons there are not to preempt the running task.
    preempt_count: AtomicU32,
    /// Whether the scheduler should run at the next chance.
    need_resched: AtomicBool,
    /// How often that wish was heard; wraps.
    schedules: AtomicU32,
    /// Written once, by [`install`].
    cpu_id: AtomicU32,
    /// Where this CPU's TSS keeps RSP0; null until `gdt::init_cpu`.
    tss_rsp0: AtomicPtr<u64>,
    /// Numbers that only this CPU changes; what they mean is the upper layers' business.
    words: [AtomicI64; WORDS],
}

/// How many such numbers each CPU has.
pub const WORDS: usize = 256;

/// Offset of the field the entry code loads RSP from.
pub(super) const KSTACK_TOP: usize = offset_of!(CpuHead, kstack_top);
/// Offset of the entry code's scratch field.
pub(super) const USER_RSP: usize = offset_of!(CpuHead, user_rsp);

/// The head of each CPU; the first is in use from the first line of the kernel.
static HEADS: [CpuHead; MAX_CPUS] = [const { CpuHead::new() }; MAX_CPUS];

impl CpuHead {
    const fn new() -> Self {
        Self {
            this: AtomicPtr::new(core::ptr::null_mut()),
            kstack_top: AtomicU64::new(0),
            user_rsp: AtomicU64::new(0),
            current: AtomicPtr::new(core::ptr::null_mut()),
            preempt_count: AtomicU32::new(0),
            need_resched: AtomicBool::new(false),
            schedules: AtomicU32::new(0),
            cpu_id: AtomicU32::new(0),
            tss_rsp0: AtomicPtr::new(core::ptr::null_mut()),
            words: [const { AtomicI64::new(0) }; WORDS],
        }
    }

    /// Asks this CPU to run its scheduler at the next chance; any CPU may call it.
    pub fn set_need_resched(&self) {
        self.need_resched.store(true, Relaxed);
    }

    /// Says where this CPU's TSS keeps RSP0.
    pub(super) fn set_tss_rsp0(&self, rsp0: *mut u64) {
        self.tss_rsp0.store(rsp0, Relaxed);
    }

    /// Makes `top` the stack of the next entry from user mode, for SYSCALL and for the TSS together (SY-10).
    ///
    /// # Safety
    /// `top` is 16-byte aligned and is the top of a mapped kernel stack that nothing else uses while the
    /// current task runs.
    pub(super) unsafe fn set_kstack_top(&self, top: VirtAddr) {
        self.kstack_top.store(top.as_u64(), Relaxed);
        let rsp0 = self.tss_rsp0.load(Relaxed);
        if !rsp0.is_null() {
            // SAFETY: `rsp0` points into this CPU's TSS, which stays mapped; the TSS is packed.
            unsafe { rsp0.write_unaligned(top.as_u64()) };
        }
    }
}

/// Makes GS point to the head of CPU `cpu`, which this one is from here on; the first thing a CPU does in the kernel.
pub(super) fn install(cpu: usize) {
    let head = head_of(cpu);
    let address = core::ptr::from_ref(head);
    head.cpu_id.store(cpu as u32, Relaxed);
    // A CPU that has been here before begins anew.
    head.preempt_count.store(0, Relaxed);
    head.need_resched.store(false, Relaxed);
    head.current.store(core::ptr::null_mut(), Relaxed);
    head.tss_rsp0.store(core::ptr::null_mut(), Relaxed);
    head.this.store(address.cast_mut(), Relaxed);
    GsBase::write(x86_64::VirtAddr::from_ptr(address));
    KernelGsBase::write(x86_64::VirtAddr::zero());
}

/// Returns the head of CPU `cpu`.
#[inline]
pub fn head_of(cpu: usize) -> &'static CpuHead {
    &HEADS[cpu]
}

/// Returns the running CPU's head.
///
/// With preemption on, the task may be on another CPU by the time it is used.
#[inline]
pub fn head() -> &'static CpuHead {
    let head: *const CpuHead;
    // SAFETY: GSBASE points to this CPU's head, whose first field is read.
    unsafe {
        asm!("mov {}, gs:[{this}]", out(reg) head, this = const offset_of!(CpuHead, this),
            options(pure, readonly, nostack, preserves_flags));
    }
    // SAFETY: the field holds the address of a head that lives for ever.
    unsafe { &*head }
}

/// Returns what [`set_current`] stored for the running task; null before the first.
#[inline]
pub fn current() -> *const () {
    let task: *const ();
    // SAFETY: GSBASE points to this CPU's head. The value is the same for as long as a task runs,
    // on whichever CPU, so the compiler may keep it.
    unsafe {
        asm!("mov {}, gs:[{current}]", out(reg) task, current = const offset_of!(CpuHead, current),
            options(pure, readonly, nostack, preserves_flags));
    }
    task
}

/// Says which task runs on this CPU; the scheduler calls it with interrupts off.
#[inline]
pub fn set_current(task: *const ()) {
    head().current.store(task.cast_mut(), Relaxed);
}

/// Returns the running CPU's number.
#[inline]
pub fn cpu_id() -> u32 {
    let id: u32;
    // SAFETY: GSBASE points to this CPU's head.
    unsafe {
        asm!("mov {:e}, gs:[{id}]", out(reg) id, id = const offset_of!(CpuHead, cpu_id),
            options(readonly, nostack, preserves_flags));
    }
    id
}

/// Adds `n` to number `index` of the CPU that this runs on, whichever that is.
///
/// One instruction: neither an interrupt nor a migration comes in between, and other CPUs have their own.
///
/// # Panics
/// If there is no such number.
#[inline(always)]
pub fn add_word(index: usize, n: i64) {
    assert!(index < WORDS, "each CPU has {WORDS} numbers");
    // SAFETY: GSBASE points to this CPU's head, which has a number `index`.
    unsafe {
        asm!("add qword ptr gs:[{index} * 8 + {words}], {n}", index = in(reg) index, n = in(reg) n,
            words = const offset_of!(CpuHead, words), options(nostack));
    }
}

/// Adds one to number `index`, likewise.
///
/// # Panics
/// If there is no such number.
#[inline(always)]
pub fn inc_word(index: usize) {
    assert!(index < WORDS, "each CPU has {WORDS} numbers");
    // SAFETY: GSBASE points to this CPU's head, which has a number `index`.
    unsafe {
        asm!("inc qword ptr gs:[{index} * 8 + {words}]", index = in(reg) index,
            words = const offset_of!(CpuHead, words), options(nostack));
    }
}

/// Returns number `index` of CPU `cpu`.
pub fn word(cpu: usize, index: usize) -> i64 {
    head_of(cpu).words[index].load(Relaxed)
}

/// Returns how many reasons there are not to preempt the running task.
#[inline]
pub fn preempt_count() -> u32 {
    let count: u32;
    // SAFETY: GSBASE points to this CPU's head.
    unsafe {
        asm!("mov {:e}, gs:[{count}]", out(reg) count, count = const offset_of!(CpuHead, preempt_count),
            options(readonly, nostack, preserves_flags));
    }
    count
}

/// Adds a reason not to preempt the running task.
#[inline]
pub fn preempt_disable() {
    // SAFETY: GSBASE points to this CPU's head. Not `nomem`: what follows must stay behind it.
    unsafe {
        asm!("inc dword ptr gs:[{count}]", count = const offset_of!(CpuHead, preempt_count), options(nostack));
    }
}

/// Takes one reason away; whether to preempt now is the caller's business.
#[inline]
pub fn preempt_enable_no_resched() {
    // SAFETY: GSBASE points to this CPU's head. Not `nomem`: what precedes must stay before it.
    unsafe {
        asm!("dec dword ptr gs:[{count}]", count = const offset_of!(CpuHead, preempt_count), options(nostack));
    }
}

/// Returns whether the scheduler should run at the next chance.
#[inline]
pub fn need_resched() -> bool {
    let wanted: u32;
    // SAFETY: GSBASE points to this CPU's head.
    unsafe {
        asm!("movzx {:e}, byte ptr gs:[{flag}]", out(reg) wanted, flag = const offset_of!(CpuHead, need_resched),
            options(readonly, nostack, preserves_flags));
    }
    wanted != 0
}

/// Asks this CPU to run its scheduler at the next chance.
#[inline]
pub fn set_need_resched() {
    head().set_need_resched();
}

/// Takes the wish to reschedule back; the scheduler calls it when it has chosen.
#[inline]
pub fn clear_need_resched() {
    let head = head();
    head.need_resched.store(false, Relaxed);
    // Only this CPU writes it, with interrupts off.
    let heard = head.schedules.load(Relaxed);
    head.schedules.store(heard.wrapping_add(1), Relaxed);
}

/// Returns how often this CPU's scheduler has run; wraps.
pub fn schedules() -> u32 {
    head().schedules.load(Relaxed)
}
