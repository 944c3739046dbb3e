//! The x87, SSE and AVX registers, which belong to user programs alone.
//!
//! The kernel is compiled without them, so a system call or an interrupt leaves them as they are. Only a
//! switch between two user tasks saves and loads them, at once and in full: waiting for a program to use the FPU
//! first (CR0.TS) costs an exception for every program that does, and nearly all do.
//!
//! With XSAVE the area holds x87, SSE and AVX, and XCR0 lets programs use just these (AB-2); without it FXSAVE
//! holds x87 and SSE. One fixed size covers both, so a state is a plain value: fork copies it, and it needs
//! no memory of its own.
//!
//! ```text
//!  832 +----------------------+
//!      | AVX: ymm high halves |
//!  576 +----------------------+
//!      | XSAVE header         |  which parts are not in their initial state; the rest zero
//!  512 +----------------------+
//!      | FXSAVE image         |  control word at 0, MXCSR at 24
//!    0 +----------------------+
//! ```
//!
//! Signal frames hold the same picture; the CPU stores it there and loads it from there without coming by here
//! ([`fpu_frame`](super::fpu_frame)).
//!
//! # Invariants
//! - Every area was made by [`FpuState::new`] or saved by the CPU, so loading it cannot fault.
#![expect(unsafe_code, reason = "saving and loading the FPU's registers")]

use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use raw_cpuid::CpuId;
use sigframe::{FpFormat, fpstate};
use sync::Once;
use x86_64::registers::xcontrol::XCr0;

/// Bytes of the FXSAVE image, the XSAVE header and the AVX part.
const STATE_SIZE: usize = 512 + 64 + 256;
/// x87: all exceptions masked, full precision (ES-1).
const CONTROL_WORD: u16 = 0x37f;
/// SSE: all exceptions masked, round to nearest (ES-1).
const MXCSR: u32 = 0x1f80;
/// The components to save and load: x87, SSE, AVX; XCR0 takes away what is not enabled.
const COMPONENTS: u32 = 0b111;

/// Whether XSAVE is in use; else FXSAVE.
static XSAVE: AtomicBool = AtomicBool::new(false);
static FORMAT: Once<FpFormat> = Once::new();

/// Chooses XSAVE or FXSAVE; `cpu::init` has set XCR0.
///
/// # Errors
/// If the CPU lays the enabled components out in more room than a state has.
pub(super) fn init(xsave: bool) -> Result<(), &'static str> {
    let info = CpuId::new().get_extended_state_info();
    let size = info.map_or(0, |info| info.xsave_area_size_enabled_features()) as usize;
    if xsave && size > STATE_SIZE {
        return Err("this CPU's XSAVE area for x87, SSE and AVX is larger than expected");
    }
    FORMAT.call_once(|| match xsave {
        true => FpFormat {
            features: XCr0::read_raw(),
            size,
        },
        false => FpFormat::LEGACY,
    });
    XSAVE.store(xsave, Relaxed);
    Ok(())
}

/// Returns how the state looks in a signal frame.
///
/// # Panics
/// Before `cpu::init`.
#[inline]
pub fn format() -> &'static FpFormat {
    FORMAT.get().expect("programs run after the CPU is set up")
}

/// Gives the running program the registers that every program starts with.
pub fn reset() {
    static INITIAL: FpuState = FpuState::new();
    INITIAL.restore();
}

/// Returns the `si_code` of the x87 exception that the program has just met.
pub fn x87_error() -> u32 {
    let mut state = FpuState::new();
    state.save();
    fpstate::x87_error(&state.area)
}

/// Returns the `si_code` of the SSE or AVX exception that the program has just met.
pub fn simd_error() -> u32 {
    let mut state = FpuState::new();
    state.save();
    fpstate::simd_error(&state.area)
}

/// One user task's FPU registers while it does not run.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct FpuState {
    area: [u8; STATE_SIZE],
}

impl FpuState {
    /// Returns the state every program starts with.
    pub const fn new() -> Self {
        let mut area = [0; STATE_SIZE];
        let control = CONTROL_WORD.to_le_bytes();
        area[0] = control[0];
        area[1] = control[1];
        let mxcsr = MXCSR.to_le_bytes();
        area[24] = mxcsr[0];
        area[25] = mxcsr[1];
        Self { area }
    }

    /// Stores the CPU's registers here.
    #[inline]
    pub fn save(&mut self) {
        let area = self.area.as_mut_ptr();
        if XSAVE.load(Relaxed) {
            // SAFETY: the area is aligned and as large as the enabled components need (`init`).
            unsafe {
                asm!("xsave64 [{}]", in(reg) area, in("eax") COMPONENTS, in("edx") 0,
                    options(nostack, preserves_flags));
            }
        } else {
            // SAFETY: the area is aligned and larger than the 512 bytes of FXSAVE.
            unsafe { asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)) };
        }
    }

    /// Loads the CPU's registers from here.
    #[inline]
    pub fn restore(&self) {
        let area = self.area.as_ptr();
        if XSAVE.load(Relaxed) {
            // SAFETY: the area is valid (invariant); the kernel keeps nothing in these registers.
            unsafe {
                asm!("xrstor64 [{}]", in(reg) area, in("eax") COMPONENTS, in("edx") 0,
                    options(readonly, nostack, preserves_flags));
            }
        } else {
            // SAFETY: as above.
            unsafe {
                asm!("fxrstor64 [{}]", in(reg) area, options(readonly, nostack, preserves_flags));
            }
        }
    }
}

impl Default for FpuState {
    fn default() -> Self {
        Self::new()
    }
}
