//! This CPU's local APIC: who may interrupt it, and its timer's registers.
//!
//! Only the memory-mapped form (xAPIC) is used: it exists everywhere Lodger runs. The old controllers
//! stay connected through LINT0, in the mode that asks them for the vector.
#![expect(unsafe_code, reason = "memory-mapped registers of the local APIC")]

use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use addr::{PhysAddr, VirtAddr};
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags};

use super::idt::{SPURIOUS, TIMER};

/// A register's distance from the start of the page.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Register {
    Version = 0x30,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    Spurious = 0xf0,
    LvtTimer = 0x320,
    LvtLint0 = 0x350,
    LvtLint1 = 0x360,
    LvtError = 0x370,
    TimerInitial = 0x380,
    TimerCurrent = 0x390,
    TimerDivide = 0x3e0,
}

/// Spurious register: the APIC is on.
const SOFTWARE_ENABLE: u32 = 1 << 8;
/// Local vector table: the source is silent.
const MASKED: u32 = 1 << 16;
/// Local vector table: the old controllers supply the vector.
const EXTERNAL: u32 = 0b111 << 8;
/// Local vector table: a non-maskable interrupt.
const NMI: u32 = 0b100 << 8;
/// The timer counts every 16th cycle of its clock: at 1 GHz one shot then reaches a minute.
const DIVIDE_BY_16: u32 = 0b0011;

/// The page of registers; null until [`init`].
static REGISTERS: AtomicPtr<u32> = AtomicPtr::new(core::ptr::null_mut());

/// Returns where the registers lie in physical memory, to be mapped uncached.
pub fn physical_address() -> PhysAddr {
    PhysAddr::new(ApicBase::read().0.start_address().as_u64())
}

/// Turns this CPU's APIC on: timer ready but not armed, old controllers connected.
///
/// # Errors
/// Says what is wrong if the APIC is off, in another mode, or not at `registers`.
///
/// # Safety
/// `registers` is an uncached mapping of [`physical_address`], writable, for ever.
pub unsafe fn init(registers: VirtAddr) -> Result<(), &'static str> {
    let (_, flags) = ApicBase::read();
    if !flags.contains(ApicBaseFlags::LAPIC_ENABLE) {
        return Err("the firmware turned the local APIC off");
    }
    if flags.contains(ApicBaseFlags::X2APIC_ENABLE) {
        return Err("the firmware left the local APIC in x2APIC mode");
    }
    let page = core::ptr::with_exposed_provenance_mut(registers.as_u64() as usize);
    REGISTERS.store(page, Relaxed);
    if matches!(read(Register::Version), 0 | u32::MAX) {
        return Err("no local APIC answers at its address");
    }
    set_up();
    Ok(())
}

fn set_up() {
    write(Register::Spurious, SOFTWARE_ENABLE | SPURIOUS as u32);
    write(Register::TaskPriority, 0);
    write(Register::LvtLint0, EXTERNAL);
    write(Register::LvtLint1, NMI);
    write(Register::LvtError, MASKED | SPURIOUS as u32);
    write(Register::TimerDivide, DIVIDE_BY_16);
    write(Register::TimerInitial, 0);
    write(Register::LvtTimer, TIMER as u32);
    end_of_interrupt();
}

/// Returns whether [`init`] has run.
pub(super) fn ready() -> bool {
    !REGISTERS.load(Relaxed).is_null()
}

/// Ends the handling of an interrupt that came from the APIC itself (the spurious one excepted).
#[inline]
pub fn end_of_interrupt() {
    write(Register::EndOfInterrupt, 0);
}

/// Starts the timer: one interrupt after `ticks`; 0 stops it.
#[inline]
pub(super) fn start_timer(ticks: u32) {
    write(Register::TimerInitial, ticks);
}

/// Returns how many ticks the timer has left.
#[inline]
pub(super) fn timer_left() -> u32 {
    read(Register::TimerCurrent)
}

/// Returns the address of a register.
///
/// # Panics
/// Before [`init`].
#[inline]
fn address(register: Register) -> *mut u32 {
    let page = REGISTERS.load(Relaxed);
    assert!(!page.is_null(), "the local APIC is used before apic::init");
    page.wrapping_byte_add(register as usize)
}

#[inline]
fn read(register: Register) -> u32 {
    // SAFETY: the page is mapped (`init`); reading these registers has no side effect.
    unsafe { address(register).read_volatile() }
}

#[inline]
fn write(register: Register, value: u32) {
    // SAFETY: the page is mapped (`init`); none of these registers makes the APIC touch memory.
    unsafe { address(register).write_volatile(value) }
}
