//! What time it is, and one interrupt at a time of our choice.
//!
//! Two clocks of unknown speed are measured once against one that is known: the timer chip's channel 2,
//! 1,193,182 Hz in every PC. The time stamp counter then says what time it is, the local APIC's timer interrupts.
//!
//! A measurement is two samples of all three clocks, [`WINDOW`] apart, or less where that is always missed. Each sample is the tightest of a few,
//! so that a moment in which the host gave the emulator no time does not count. All waiting is bounded:
//! a chip that does not count is an error with a name, not a hang.
//!
//! Arithmetic is fixed-point in 64 bits. With `NS_SHIFT` = 28 and a counter of at least 62.5 MHz the factor is
//! below 2^32, so neither half of the product below overflows within 584 years:
//!
//! ```text
//!   ns = (ticks >> 32) * factor << (32 - 28)  +  (ticks & 0xffff_ffff) * factor >> 28
//! ```

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cpumask::MAX_CPUS;
use raw_cpuid::CpuId;

use super::port::{PIT_CHANNEL2, PIT_COMMAND, PIT_GATE};
use super::{apic, cpu, local};

const NS_PER_SECOND: u64 = 1_000_000_000;
/// The timer chip's speed.
const PIT_HZ: u64 = 1_193_182;
/// How long to measure, in the chip's ticks: 20 ms. It must be over before 16 bits have run out, after 55 ms.
const WINDOW: u16 = 23_864;
/// How often to measure with the same window, if it was missed.
const ATTEMPTS: u32 = 8;
/// How often to go on with half of it: an emulator that gets little of its host's time may miss all that are longer.
const HALVINGS: u32 = 4;
/// How many readings without a change mean that the chip does not count.
const SILENCE: u32 = 20_000;
/// How many pauses between two readings: a reading costs as much as hundreds of instructions.
const PAUSES: u32 = 200;
/// Fixed-point places of the factor from counter ticks to nanoseconds.
const NS_SHIFT: u32 = 28;
/// The slowest counter for which the factor fits into 32 bits.
const SLOWEST_TSC: u64 = (NS_PER_SECOND << NS_SHIFT) >> 32;
/// Fixed-point places of the factor from nanoseconds to timer ticks.
const TICK_SHIFT: u32 = 32;
/// The longest time one shot is asked for; whoever waits longer is woken early and asks again.
const LONGEST_SHOT: u64 = 4 * NS_PER_SECOND;

/// Counter value at time 0.
static START: AtomicU64 = AtomicU64::new(0);
/// Nanoseconds per counter tick, times 2^[`NS_SHIFT`]; 0 until [`init`].
static NS_PER_TICK: AtomicU64 = AtomicU64::new(0);
/// When each CPU's timer interrupts next, in ns since boot; `u64::MAX` for never.
static ARMED: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(u64::MAX) }; MAX_CPUS];
/// Timer ticks per nanosecond, times 2^[`TICK_SHIFT`].
static TICKS_PER_NS: AtomicU64 = AtomicU64::new(0);

/// The speeds found at boot.
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    /// The time stamp counter's, in Hz.
    pub tsc_hz: u64,
    /// The local APIC timer's, in Hz, after its divider.
    pub timer_hz: u64,
    /// What CPUID claims the time stamp counter's to be, if it says anything: for comparison only.
    pub cpuid_tsc_hz: Option<u64>,
}

/// Why there is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerError {
    /// `apic::init` has not succeeded.
    NoApic,
    /// The timer chip does not count.
    PitSilent,
    /// The measurement was interrupted for too long each time.
    PitOverrun,
    /// The local APIC's timer does not count, or too fast to be true.
    TimerSilent,
    /// The time stamp counter stands still or is too slow.
    TscSlow,
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoApic => "the local APIC is not set up",
            Self::PitSilent => "the timer chip (PIT channel 2) does not count",
            Self::PitOverrun => "the timer chip was never read in time",
            Self::TimerSilent => "the local APIC's timer does not count",
            Self::TscSlow => "the time stamp counter stands still or is slower than 62.5 MHz",
        })
    }
}

/// Returns the nanoseconds since [`init`]; 0 before it. Never runs backwards.
#[inline]
pub fn now_ns() -> u64 {
    let ticks = cpu::tsc().saturating_sub(START.load(Relaxed));
    ticks_to_ns(ticks, NS_PER_TICK.load(Relaxed))
}

/// Returns the counter's value at time 0, and ns per count times 2^28: what the formula needs besides the counter.
pub fn scale() -> (u64, u64) {
    (START.load(Relaxed), NS_PER_TICK.load(Relaxed))
}

/// The formula in this file's head.
#[inline]
const fn ticks_to_ns(ticks: u64, factor: u64) -> u64 {
    let high = ((ticks >> 32) * factor) << (32 - NS_SHIFT);
    let low = ((ticks & 0xffff_ffff) * factor) >> NS_SHIFT;
    high + low
}

const fn ns_factor(tsc_hz: u64) -> u64 {
    (NS_PER_SECOND << NS_SHIFT) / tsc_hz
}

// The slowest and a fast counter, after a second and after thirty years (rounded down by the factor).
const _: () = {
    assert!(ns_factor(SLOWEST_TSC) <= 1 << 32);
    assert!(ticks_to_ns(SLOWEST_TSC, ns_factor(SLOWEST_TSC)) == NS_PER_SECOND);
    assert!(ticks_to_ns(1_000_000_000, ns_factor(1_000_000_000)) == NS_PER_SECOND);
    let thirty_years = 30 * 365 * 86_400;
    let seconds =
        ticks_to_ns(thirty_years * 5_000_000_000, ns_factor(5_000_000_000)) / NS_PER_SECOND;
    assert!(seconds <= thirty_years && seconds > thirty_years - 60);
};

/// Asks for one timer interrupt on this CPU at `deadline_ns`, or at once if that is past; replaces an earlier wish.
///
/// A deadline more than four seconds away is interrupted early. Interrupts are off.
#[inline]
pub fn arm(deadline_ns: u64) {
    let now = now_ns();
    let wait = deadline_ns.saturating_sub(now).min(LONGEST_SHOT);
    armed().store(now + wait, Relaxed);
    let ticks = (wait * TICKS_PER_NS.load(Relaxed)) >> TICK_SHIFT;
    // Rounded up: an interrupt before the deadline would only have to be asked for again.
    apic::start_timer(ticks as u32 + 1);
}

/// Asks for one timer interrupt on this CPU at `deadline_ns` at the latest: nothing changes if one comes earlier. Interrupts are
/// off.
///
/// After an interrupt the wish is still there, in the past, until [`arm`] or [`disarm`]: its handler calls one of the two.
#[inline]
pub fn arm_by(deadline_ns: u64) {
    if deadline_ns < armed().load(Relaxed) {
        arm(deadline_ns);
    }
}

/// Asks for no timer interrupt on this CPU. Interrupts are off.
#[inline]
pub fn disarm() {
    armed().store(u64::MAX, Relaxed);
    apic::start_timer(0);
}

/// Returns when CPU `cpu`'s timer interrupts next, in ns since boot; `u64::MAX` for never. A time that has passed: it should have.
pub fn rings_at(cpu: usize) -> u64 {
    ARMED[cpu].load(Relaxed)
}

#[inline]
fn armed() -> &'static AtomicU64 {
    &ARMED[local::cpu_id() as usize]
}

/// Measures both clocks and starts time; takes about 20 ms.
///
/// # Errors
/// Says which clock failed.
pub fn init() -> Result<Calibration, TimerError> {
    if !apic::ready() {
        return Err(TimerError::NoApic);
    }
    let calibration = calibrate()?;
    TICKS_PER_NS.store(
        (calibration.timer_hz << TICK_SHIFT) / NS_PER_SECOND,
        Relaxed,
    );
    START.store(cpu::tsc(), Relaxed);
    NS_PER_TICK.store(ns_factor(calibration.tsc_hz), Relaxed);
    Ok(calibration)
}

fn calibrate() -> Result<Calibration, TimerError> {
    let (first, last) = measure()?;
    let pit = u64::from(first.pit - last.pit);
    let tsc_hz = last.tsc.wrapping_sub(first.tsc).saturating_mul(PIT_HZ) / pit;
    let timer_hz = u64::from(first.timer.saturating_sub(last.timer)) * PIT_HZ / pit;
    if tsc_hz < SLOWEST_TSC {
        return Err(TimerError::TscSlow);
    }
    // Above, the factor from nanoseconds to ticks would not fit.
    if timer_hz == 0 || timer_hz >= NS_PER_SECOND {
        return Err(TimerError::TimerSilent);
    }
    Ok(Calibration {
        tsc_hz,
        timer_hz,
        cpuid_tsc_hz: cpuid_tsc_hz(),
    })
}

fn cpuid_tsc_hz() -> Option<u64> {
    let cpuid = CpuId::new();
    let crystal = cpuid.get_tsc_info().and_then(|info| info.tsc_frequency());
    let base = || {
        cpuid
            .get_processor_frequency_info()
            .map(|info| u64::from(info.processor_base_frequency()) * 1_000_000)
    };
    crystal.or_else(base).filter(|&hz| hz != 0)
}

/// All three clocks at nearly the same moment. The chip's and the timer's count downwards.
#[derive(Clone, Copy)]
struct Sample {
    pit: u16,
    tsc: u64,
    timer: u32,
    /// How long the reading took, in counter ticks.
    blur: u64,
}

/// Returns a sample from the beginning and one from the end of a window.
fn measure() -> Result<(Sample, Sample), TimerError> {
    for attempt in 0..ATTEMPTS * (1 + HALVINGS) {
        let window = WINDOW >> (attempt / ATTEMPTS);
        start_pit();
        apic::start_timer(u32::MAX);
        wait_below(u16::MAX)?;
        let first = sample();
        wait_below(first.pit.saturating_sub(window))?;
        let last = sample();
        // Once the count has run out it starts again: the two samples would not belong together.
        let in_time = !pit_ran_out() && last.pit < first.pit;
        apic::start_timer(0);
        if in_time {
            return Ok((first, last));
        }
    }
    Err(TimerError::PitOverrun)
}

/// Returns the sharpest of a few readings.
fn sample() -> Sample {
    let mut best = sample_once();
    for _ in 0..7 {
        let next = sample_once();
        if next.blur < best.blur {
            best = next;
        }
    }
    best
}

fn sample_once() -> Sample {
    let before = cpu::tsc();
    latch_pit();
    let timer = apic::timer_left();
    let blur = cpu::tsc().wrapping_sub(before);
    Sample {
        pit: read_latched_pit(),
        tsc: before + blur / 2,
        timer,
        blur,
    }
}

/// Lets channel 2 count down from 65535, once, without sound.
fn start_pit() {
    const GATE: u8 = 1;
    const SPEAKER: u8 = 2;
    // Channel 2 (10), both bytes (11), mode 0: count down once (000), binary (0).
    const CHANNEL2_MODE0_BOTH_BYTES: u8 = 0b1011_0000;
    PIT_GATE.write((PIT_GATE.read() & !SPEAKER) | GATE);
    PIT_COMMAND.write(CHANNEL2_MODE0_BOTH_BYTES);
    PIT_CHANNEL2.write(0xff);
    PIT_CHANNEL2.write(0xff);
}

fn pit_ran_out() -> bool {
    const OUTPUT: u8 = 1 << 5;
    PIT_GATE.read() & OUTPUT != 0
}

fn latch_pit() {
    // Channel 2 (10), hold the count for the next two reads (00).
    const LATCH_CHANNEL2: u8 = 0b1000_0000;
    PIT_COMMAND.write(LATCH_CHANNEL2);
}

fn read_latched_pit() -> u16 {
    let low = PIT_CHANNEL2.read();
    u16::from_le_bytes([low, PIT_CHANNEL2.read()])
}

/// Waits until the count is below `target` or has run out.
fn wait_below(target: u16) -> Result<(), TimerError> {
    let mut last = None;
    let mut unchanged = 0;
    while unchanged < SILENCE {
        latch_pit();
        let count = read_latched_pit();
        if count < target || pit_ran_out() {
            return Ok(());
        }
        unchanged = if last == Some(count) {
            unchanged + 1
        } else {
            0
        };
        last = Some(count);
        (0..PAUSES).for_each(|_| cpu::relax());
    }
    Err(TimerError::PitSilent)
}
