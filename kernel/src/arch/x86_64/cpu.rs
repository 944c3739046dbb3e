//! What the CPU can do, and the bits that make it obey us.
//!
//! [`features`] asks CPUID once. [`init`] sets every control bit the kernel relies on, on each CPU,
//! whatever the firmware left there. The rest is one instruction each: interrupts on and off,
//! waiting, time stamps, segment bases, random numbers, the way out of the emulator.
//!
//! | register | bits | why |
//! |---|---|---|
//! | CR0 | WP | the kernel's stores obey read-only pages too: COW inside system calls (PF-15) |
//! | CR0 | MP, NE, not EM, not TS | user programs use the FPU, its errors are exceptions |
//! | CR4 | PGE | the kernel half stays in the TLB when CR3 is loaded |
//! | CR4 | PCIDE, set later (`mm::pcid`) | the TLB remembers several address spaces side by side |
//! | CR4 | SMEP, SMAP, UMIP | the kernel cannot run or touch user pages by accident; programs cannot see the tables |
//! | CR4 | OSFXSR, OSXMMEXCPT, OSXSAVE | programs may use SSE, and AVX exactly if we save it |
//! | EFER | NXE, SCE | no-execute pages; the SYSCALL instruction |
//! | CR4 | not FSGSBASE | only then the sign of GSBASE tells kernel from user (SY-9) |
#![expect(unsafe_code, reason = "control registers and model-specific registers")]

use core::arch::asm;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use addr::VirtAddr;
use raw_cpuid::CpuId;
use sync::Once;
use x86_64::instructions::interrupts;
use x86_64::instructions::random::RdRand;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::{FsBase, KernelGsBase, LStar, SFMask, Star};
use x86_64::registers::rflags::RFlags;
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

use super::serial::COM1;
use super::trapframe::{KERNEL_CS, USER_CS};
use super::{entry, fpu, port, uaccess};

/// What CPUID says about the features the kernel asks for, by their names in the manuals.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    pub nx: bool,
    pub syscall: bool,
    pub fxsr: bool,
    pub apic: bool,
    pub x2apic: bool,
    pub tsc: bool,
    pub pge: bool,
    pub smep: bool,
    pub smap: bool,
    pub umip: bool,
    pub pcid: bool,
    pub invpcid: bool,
    pub xsave: bool,
    pub avx: bool,
    pub gib_pages: bool,
    pub fsgsbase: bool,
    pub rdrand: bool,
}

static FEATURES: Once<Features> = Once::new();

/// Returns the CPU's features; CPUID is asked the first time only.
pub fn features() -> &'static Features {
    FEATURES.call_once(detect)
}

fn detect() -> Features {
    let cpuid = CpuId::new();
    let mut features = Features::default();
    if let Some(basic) = cpuid.get_feature_info() {
        features.apic = basic.has_apic();
        features.x2apic = basic.has_x2apic();
        features.tsc = basic.has_tsc();
        features.pge = basic.has_pge();
        features.pcid = basic.has_pcid();
        features.fxsr = basic.has_fxsave_fxstor();
        features.xsave = basic.has_xsave();
        features.avx = basic.has_avx();
        features.rdrand = basic.has_rdrand();
    }
    if let Some(extended) = cpuid.get_extended_feature_info() {
        features.smep = extended.has_smep();
        features.smap = extended.has_smap();
        features.umip = extended.has_umip();
        features.invpcid = extended.has_invpcid();
        features.fsgsbase = extended.has_fsgsbase();
    }
    if let Some(amd) = cpuid.get_extended_processor_and_feature_identifiers() {
        features.nx = amd.has_execute_disable();
        features.syscall = amd.has_syscall_sysret();
        features.gib_pages = amd.has_1gib_pages();
    }
    features
}

/// Sets every control bit the kernel relies on; each CPU calls it once, before it uses own page tables.
///
/// # Errors
/// Names the feature without which Lodger cannot run.
pub fn init() -> Result<&'static Features, &'static str> {
    let features = features();
    check_required(features)?;
    set_cr0();
    set_cr4(features);
    if features.xsave {
        set_xcr0(features);
    }
    fpu::init(features.xsave)?;
    set_syscall();
    uaccess::set_smap(features.smap);
    Ok(features)
}

fn check_required(features: &Features) -> Result<(), &'static str> {
    let required = [
        (features.nx, "this CPU has no NX (no-execute pages)"),
        (
            features.syscall,
            "this CPU has no SYSCALL instruction in 64-bit mode",
        ),
        (features.fxsr, "this CPU has no FXSAVE"),
        (features.apic, "this CPU has no local APIC"),
        (features.tsc, "this CPU has no time stamp counter"),
        (features.pge, "this CPU has no global pages"),
    ];
    match required.into_iter().find(|(present, _)| !present) {
        Some((_, missing)) => Err(missing),
        None => Ok(()),
    }
}

fn set_cr0() {
    let on = Cr0Flags::WRITE_PROTECT | Cr0Flags::MONITOR_COPROCESSOR | Cr0Flags::NUMERIC_ERROR;
    let off = Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED;
    // SAFETY: paging and protection stay as they are; the others only make more accesses trap.
    unsafe { Cr0::write((Cr0::read() | on) - off) };
}

fn set_cr4(features: &Features) {
    let mut flags = Cr4::read() - Cr4Flags::FSGSBASE - Cr4Flags::PCID;
    flags |= Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    flags.set(Cr4Flags::PAGE_GLOBAL, features.pge);
    flags.set(Cr4Flags::OSXSAVE, features.xsave);
    flags.set(
        Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION,
        features.smep,
    );
    flags.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, features.smap);
    flags.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, features.umip);
    // SAFETY: each bit is set only if CPUID reports it; page-table size and physical-address bits stay.
    unsafe { Cr4::write(flags) };
    // SAFETY: NX exists (`check_required`); no page of ours has bit 63 set by accident.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::NO_EXECUTE_ENABLE)) };
}

/// Lets programs use what a context switch saves, and nothing more (AB-2).
fn set_xcr0(features: &Features) {
    let mut flags = XCr0Flags::X87 | XCr0Flags::SSE;
    flags.set(XCr0Flags::AVX, features.avx);
    // SAFETY: CPUID reports XSAVE, and AVX where it is set.
    unsafe { XCr0::write_raw(flags.bits()) };
}

/// Returns whether programs can read the number that [`set_number`] sets (RDTSCP).
pub fn tells_number() -> bool {
    let cpuid = CpuId::new();
    let extended = cpuid.get_extended_processor_and_feature_identifiers();
    extended.is_some_and(|extended| extended.has_rdtscp())
}

/// Sets the number of this CPU that RDTSCP tells programs.
pub fn set_number(number: usize) {
    const IA32_TSC_AUX: u32 = 0xc000_0103;
    if tells_number() {
        let mut aux = x86_64::registers::model_specific::Msr::new(IA32_TSC_AUX);
        // SAFETY: a CPU with RDTSCP has the register, which nothing else reads.
        unsafe { aux.write(number as u64) };
    }
}

/// Points SYSCALL at the entry code.
///
/// STAR's two bases: SYSCALL loads CS and SS from 0x10 and 0x18; SYSRET loads CS from base + 16 and
/// SS from base + 8, so the base 0x23 gives 0x33 and 0x2b. CSTAR (SYSCALL from 32-bit code) is not
/// set: no 32-bit code segment exists, see `gdt`.
fn set_syscall() {
    // SAFETY: `gdt` lays the segments out for exactly these bases.
    unsafe { Star::write_raw(USER_CS as u16 - 16, KERNEL_CS as u16) };
    LStar::write(x86_64::VirtAddr::from_ptr(
        entry::syscall_entry as *const (),
    ));
    // Cleared on entry: no interrupts before the stack is ours, no single-stepping of the kernel,
    // string instructions upwards, SMAP in force, IRET usable (SY-1).
    SFMask::write(
        RFlags::INTERRUPT_FLAG
            | RFlags::TRAP_FLAG
            | RFlags::DIRECTION_FLAG
            | RFlags::ALIGNMENT_CHECK
            | RFlags::NESTED_TASK
            | RFlags::IOPL_LOW
            | RFlags::IOPL_HIGH
            | RFlags::RESUME_FLAG,
    );
    // SAFETY: STAR and LSTAR are set.
    unsafe { Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS)) };
}

/// Whether interrupts were on, for [`irq_restore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "interrupts stay off until it is given back to irq_restore"]
pub struct IrqState(bool);

impl IrqState {
    /// Interrupts were on.
    pub const ON: Self = Self(true);
}

/// Turns interrupts off and returns how they were.
#[inline]
pub fn irq_save() -> IrqState {
    let state = IrqState(irqs_enabled());
    interrupts::disable();
    state
}

/// Puts interrupts back to how they were.
#[inline]
pub fn irq_restore(state: IrqState) {
    if state.0 {
        interrupts::enable();
    }
}

/// Returns whether interrupts are on.
#[inline]
pub fn irqs_enabled() -> bool {
    interrupts::are_enabled()
}

/// Turns interrupts on.
#[inline]
pub fn irq_enable() {
    interrupts::enable();
}

/// Turns interrupts off.
#[inline]
pub fn irq_disable() {
    interrupts::disable();
}

/// Turns interrupts on and waits for one, with no gap between in which one could be missed.
///
/// The caller looks for work with interrupts off and calls this if there is none: STI takes
/// effect only after the following HLT has begun.
#[inline]
pub fn idle_wait() {
    interrupts::enable_and_hlt();
}

/// Tells the CPU that this is a waiting loop.
#[inline]
pub fn relax() {
    core::hint::spin_loop();
}

/// Stops this CPU for ever.
pub fn halt() -> ! {
    loop {
        interrupts::disable();
        x86_64::instructions::hlt();
    }
}

/// Ends the emulator with exit status `code * 2 + 1`; on a machine without that device, says so and halts.
pub fn debug_exit(code: u32) -> ! {
    port::DEBUG_EXIT.write(code);
    // Whoever watches the serial line may end the machine then. Nothing can be done if there is no such line.
    let _ = writeln!(&COM1, "\n* the machine ended: {code:#x}");
    halt()
}

/// Reads the time stamp counter.
#[inline]
pub fn tsc() -> u64 {
    // SAFETY: reading the counter has no effect on memory; `check_required` knows it exists.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Returns the caller's frame pointer, where a backtrace of the running code begins.
#[inline(always)]
pub fn frame_pointer() -> u64 {
    let rbp: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rbp", out(reg) rbp, options(nomem, nostack, preserves_flags)) };
    rbp
}

/// Returns whether the debug exception that has just come was a single step, and forgets it.
///
/// The CPU sets the bit in DR6 and never clears it (SDM 3B 19.2.3).
pub fn take_single_step() -> bool {
    const SINGLE_STEP: u64 = 1 << 14;
    let dr6: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, dr6", out(reg) dr6, options(nomem, nostack, preserves_flags)) };
    // SAFETY: writes a status register; no breakpoints are enabled in DR7.
    unsafe {
        asm!("mov dr6, {}", in(reg) dr6 & !SINGLE_STEP, options(nomem, nostack, preserves_flags));
    }
    dr6 & SINGLE_STEP != 0
}

/// Reads CR0, CR3 and CR4, for an oops.
pub fn control_registers() -> (u64, u64, u64) {
    let (root, low) = Cr3::read_raw();
    let cr3 = root.start_address().as_u64() | u64::from(low);
    (Cr0::read_raw(), cr3, Cr4::read_raw())
}

/// Writes the program's FS base; callers pass addresses below the end of user space.
#[inline]
pub fn set_fs_base(base: u64) {
    FsBase::write(x86_64::VirtAddr::new_truncate(base));
}

/// Writes the program's GS base.
///
/// # Panics
/// If `base` is not below the end of user space: the entry code tells the kernel's base from a
/// program's by its sign (SY-9).
#[inline]
pub fn set_user_gs_base(base: u64) {
    assert!(
        VirtAddr::new(base).is_user(),
        "a program's GS base lies in user space"
    );
    KernelGsBase::write(x86_64::VirtAddr::new_truncate(base));
}

/// Loads null selectors into DS, ES, FS and the program's GS, as exec must; the bases may become 0.
///
/// Without it a program could find selectors that an earlier one left behind.
pub fn reset_user_segments() {
    let state = irq_save();
    // SAFETY: null selectors are allowed in 64-bit mode. Loading GS clears GSBASE, so that is done
    // while the program's base is the active one; interrupts are off in between.
    unsafe {
        asm!("mov ds, {0:x}", "mov es, {0:x}", "mov fs, {0:x}", "swapgs", "mov gs, {0:x}", "swapgs",
            in(reg) 0_u64, options(nostack, preserves_flags));
    }
    irq_restore(state);
}

/// Returns a number that is hard to guess: from the CPU's generator, else mixed from time stamps.
pub fn random_u64() -> u64 {
    const ATTEMPTS: usize = 10;
    let hardware = RdRand::new().and_then(|source| (0..ATTEMPTS).find_map(|_| source.get_u64()));
    hardware.unwrap_or_else(mixed_time)
}

/// The splitmix64 generator, stirred with the time stamp counter at each call.
fn mixed_time() -> u64 {
    static STATE: AtomicU64 = AtomicU64::new(0);
    let step = 0x9e37_79b9_7f4a_7c15_u64 ^ tsc().rotate_left(32);
    let mut z = STATE.fetch_add(step, Relaxed).wrapping_add(step);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
