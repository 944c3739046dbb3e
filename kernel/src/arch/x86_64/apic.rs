//! This CPU's local APIC: who may interrupt it, whom it interrupts, and its timer's registers.
//!
//! Registers are reached in one of two ways, which the pure crate `lapic` chooses once, for all CPUs: as memory (xAPIC) or as
//! model-specific registers (x2APIC). The page of an xAPIC is the same for all CPUs; each finds its own APIC there.
//!
//! The old controllers stay connected to the CPU that boots, through LINT0, in the mode that asks them for the vector. NMIs
//! from outside arrive there too, through LINT1. The pins of all others are silent.
#![expect(unsafe_code, reason = "registers of the local APIC")]

use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed, Ordering::SeqCst, fence};

use addr::{PhysAddr, VirtAddr};
use lapic::mode::Given;
use lapic::{Command, Mode};
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags, Msr};

use super::cpu;
use super::idt::{SPURIOUS, TIMER};

/// A register's distance from the start of the page.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Register {
    Id = 0x20,
    Version = 0x30,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    Spurious = 0xf0,
    /// The lower half of an xAPIC's, all of an x2APIC's.
    Command = 0x300,
    /// Of an xAPIC only.
    CommandHigh = 0x310,
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
/// How often to ask whether a message has left; it has at once wherever Lodger has run.
const PATIENCE: u32 = 1_000_000;

/// The page of registers; null until [`init`], and for ever where there is none.
static REGISTERS: AtomicPtr<u32> = AtomicPtr::new(core::ptr::null_mut());
/// Whether the registers are model-specific ones.
static X2APIC: AtomicBool = AtomicBool::new(false);

/// Returns where the registers lie in physical memory, to be mapped uncached.
pub fn physical_address() -> PhysAddr {
    PhysAddr::new(ApicBase::read().0.start_address().as_u64())
}

/// Chooses how registers are reached; `largest_id` is the largest number among the APICs of this machine, `x2apic` says whether
/// the newer way is wanted.
///
/// # Errors
/// Says what is wrong if the APIC is off.
pub fn choose_mode(largest_id: u32, x2apic: bool) -> Result<Mode, &'static str> {
    let (_, flags) = ApicBase::read();
    lapic::choose(Given {
        on: flags.contains(ApicBaseFlags::LAPIC_ENABLE),
        left_in_x2apic: flags.contains(ApicBaseFlags::X2APIC_ENABLE),
        has_x2apic: cpu::features().x2apic,
        wanted: x2apic,
        largest_id,
    })
}

/// Turns the APIC of the CPU that boots on: timer ready but not armed, old controllers connected. `registers` is `None` for x2APIC.
///
/// # Errors
/// If none answers.
///
/// # Safety
/// `registers` is an uncached mapping of [`physical_address`], writable, for ever.
pub unsafe fn init(registers: Option<VirtAddr>) -> Result<(), &'static str> {
    match registers {
        Some(page) => {
            let page = core::ptr::with_exposed_provenance_mut(page.as_u64() as usize);
            REGISTERS.store(page, Relaxed);
        }
        None => X2APIC.store(true, Relaxed),
    }
    enter_mode();
    if matches!(read(Register::Version), 0 | u32::MAX) {
        return Err("no local APIC answers at its address");
    }
    set_up(EXTERNAL, NMI);
    Ok(())
}

/// Turns the APIC of another CPU on, in the mode that [`init`] began with: no pins, timer ready but not armed.
pub fn init_other() {
    enter_mode();
    set_up(MASKED, MASKED);
}

/// Moves this CPU's APIC to x2APIC mode if that is the one. The other mode is where every APIC starts.
fn enter_mode() {
    let (frame, flags) = ApicBase::read();
    let wanted = flags | ApicBaseFlags::LAPIC_ENABLE | ApicBaseFlags::X2APIC_ENABLE;
    if is_x2apic() && flags != wanted {
        // SAFETY: the APIC stays where it is; the CPU has the mode (`choose_mode`), which nobody leaves again.
        unsafe { ApicBase::write(frame, wanted) };
    }
}

fn set_up(lint0: u32, lint1: u32) {
    write(Register::Spurious, SOFTWARE_ENABLE | SPURIOUS as u32);
    write(Register::TaskPriority, 0);
    write(Register::LvtLint0, lint0);
    write(Register::LvtLint1, lint1);
    write(Register::LvtError, MASKED | SPURIOUS as u32);
    write(Register::TimerDivide, DIVIDE_BY_16);
    write(Register::TimerInitial, 0);
    write(Register::LvtTimer, TIMER as u32);
    end_of_interrupt();
}

/// Returns whether [`init`] has run.
pub(super) fn ready() -> bool {
    is_x2apic() || !REGISTERS.load(Relaxed).is_null()
}

#[inline]
fn is_x2apic() -> bool {
    X2APIC.load(Relaxed)
}

/// Returns the mode's name.
pub fn mode_name() -> &'static str {
    match mode() {
        Mode::XApic => "xAPIC",
        Mode::X2Apic => "x2APIC",
    }
}

fn mode() -> Mode {
    if is_x2apic() {
        Mode::X2Apic
    } else {
        Mode::XApic
    }
}

/// Returns the number of this CPU's APIC.
pub fn id() -> u32 {
    match mode() {
        Mode::XApic => read(Register::Id) >> 24,
        Mode::X2Apic => read(Register::Id),
    }
}

/// Returns whether an APIC of this number can be sent messages.
pub fn reaches(id: u32) -> bool {
    lapic::mode::reaches(mode(), id)
}

/// Sends a message to another CPU. What was written before is seen by whoever gets it.
pub fn send(command: Command) {
    let (high, low) = (command.high(mode()), command.low());
    if is_x2apic() {
        // Unlike one to memory, this write does not wait for those before it.
        fence(SeqCst);
        let mut register = Msr::new(number(Register::Command));
        // SAFETY: messages do not touch this CPU's memory; what receivers do is said by their handlers.
        unsafe { register.write(u64::from(high) << 32 | u64::from(low)) };
        return;
    }
    // The two halves belong together: an interrupt in between may send something itself.
    let irq = cpu::irq_save();
    let mut patience = PATIENCE;
    while read(Register::Command) & lapic::command::PENDING != 0 && patience > 0 {
        patience -= 1;
        cpu::relax();
    }
    write(Register::CommandHigh, high);
    write(Register::Command, low);
    cpu::irq_restore(irq);
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

/// Returns the model-specific register's number.
#[inline]
const fn number(register: Register) -> u32 {
    0x800 + (register as u32 >> 4)
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
    if is_x2apic() {
        let register = Msr::new(number(register));
        // SAFETY: the APIC is in x2APIC mode, in which the register exists; reading has no side effect.
        return unsafe { register.read() } as u32;
    }
    // SAFETY: the page is mapped (`init`); reading these registers has no side effect.
    unsafe { address(register).read_volatile() }
}

#[inline]
fn write(register: Register, value: u32) {
    if is_x2apic() {
        let mut register = Msr::new(number(register));
        // SAFETY: the APIC is in x2APIC mode, in which the register exists; none of them touches memory.
        return unsafe { register.write(u64::from(value)) };
    }
    // SAFETY: the page is mapped (`init`); none of these registers makes the APIC touch memory.
    unsafe { address(register).write_volatile(value) }
}
