//! The FP state as programs see it: the FXSAVE image, the XSAVE header and its parts, and marks around them (SF-3).
//!
//! ```text
//!  size +-----------------+  magic2
//!       | parts           |
//!   576 +-----------------+
//!       | XSAVE header    |  which parts are not in their initial state; the rest zero
//!   512 +-----------------+
//!       | sw_reserved     |  magic1, whole size, parts, size
//!   464 +-----------------+
//!       | FXSAVE image    |  MXCSR at 24
//!     0 +-----------------+
//! ```
//!
//! Loading a bad state faults in the kernel, so [`FpFormat::accept`] finds what is bad first.

use core::ops::Range;

use abi::linux::{FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND};

/// What the parts are.
mod feature {
    pub(super) const X87: u64 = 1;
    pub(super) const SSE: u64 = 2;
    pub(super) const AVX: u64 = 4;
}

/// Bytes of the FXSAVE image.
pub const LEGACY_SIZE: usize = 512;
/// The x87 control word, which masks, and the status word.
const CONTROL_AND_STATUS: Range<usize> = 0..4;
const MXCSR: Range<usize> = 24..28;
const MAGIC1: Range<usize> = 464..468;
const EXTENDED_SIZE: Range<usize> = 468..472;
const FEATURES: Range<usize> = 472..480;
const SIZE: Range<usize> = 480..484;
const UNUSED: Range<usize> = 484..512;
const PRESENT: Range<usize> = 512..520;
/// Format of the parts, and what must be zero.
const HEADER_ZERO: Range<usize> = 520..536;
const HEADER_REST: Range<usize> = 520..576;

const MAGIC1_VALUE: u32 = 0x4650_5853;
const MAGIC2_VALUE: u32 = 0x4650_5845;
/// Bytes of `magic2`.
const MAGIC2_SIZE: usize = 4;
/// MXCSR as a program finds it at its start.
const MXCSR_INITIAL: u32 = 0x1f80;

/// How this CPU's FP state looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FpFormat {
    /// The parts in use, as in XCR0; 0 without XSAVE.
    pub features: u64,
    /// Bytes of the state without `magic2`.
    pub size: usize,
    /// The bits that MXCSR may have.
    pub mxcsr_mask: u32,
}

/// The state cannot be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadState;

impl FpFormat {
    /// The format of a CPU without XSAVE.
    pub const fn legacy(mxcsr_mask: u32) -> Self {
        Self {
            features: 0,
            size: LEGACY_SIZE,
            mxcsr_mask,
        }
    }

    /// Returns whether there is an XSAVE header.
    pub const fn has_xstate(&self) -> bool {
        self.features != 0
    }

    /// Returns the bytes of a frame's FP state.
    pub const fn frame_size(&self) -> usize {
        match self.has_xstate() {
            true => self.size + MAGIC2_SIZE,
            false => self.size,
        }
    }

    /// Returns to what an address of an FP state must be aligned.
    pub const fn alignment(&self) -> u64 {
        match self.has_xstate() {
            true => 64,
            false => 16,
        }
    }

    /// Puts the marks into a saved state of [`frame_size`](Self::frame_size) bytes.
    ///
    /// # Panics
    /// If `area` is smaller.
    pub fn seal(&self, area: &mut [u8]) {
        if !self.has_xstate() {
            return;
        }
        area[MAGIC1].copy_from_slice(&MAGIC1_VALUE.to_le_bytes());
        area[EXTENDED_SIZE].copy_from_slice(&(self.frame_size() as u32).to_le_bytes());
        area[FEATURES].copy_from_slice(&self.features.to_le_bytes());
        area[SIZE].copy_from_slice(&(self.size as u32).to_le_bytes());
        area[UNUSED].fill(0);
        area[self.magic2()].copy_from_slice(&MAGIC2_VALUE.to_le_bytes());
    }

    /// Returns whether the first 512 bytes of a state say that there are more.
    pub fn claims_more(&self, legacy: &[u8]) -> bool {
        self.has_xstate() && read_u32(legacy, MAGIC1) == MAGIC1_VALUE
    }

    /// Makes `area`, of [`frame_size`](Self::frame_size) bytes from a program, loadable, or says that it is not.
    ///
    /// Parts that it does not hold get their initial state. Without the second mark, or where not
    /// [`claims_more`](Self::claims_more), only the first 512 bytes count.
    ///
    /// # Errors
    /// [`BadState`] if it has bits set that must not be.
    pub fn accept(&self, area: &mut [u8]) -> Result<(), BadState> {
        if !self.has_xstate() {
            return self.check_mxcsr(area);
        }
        if !self.claims_more(area) || read_u32(area, self.magic2()) != MAGIC2_VALUE {
            self.check_mxcsr(area)?;
            set_present(area, feature::X87 | feature::SSE);
            return Ok(());
        }
        let present = read_u64(area, PRESENT);
        let is_clean = area[HEADER_ZERO].iter().all(|byte| *byte == 0);
        if present & !self.features != 0 || !is_clean {
            return Err(BadState);
        }
        let wanted = read_u64(area, FEATURES) & self.features;
        if wanted & (feature::SSE | feature::AVX) == 0 {
            area[MXCSR].copy_from_slice(&MXCSR_INITIAL.to_le_bytes());
        }
        self.check_mxcsr(area)?;
        set_present(area, present & wanted);
        Ok(())
    }

    fn check_mxcsr(&self, area: &[u8]) -> Result<(), BadState> {
        match read_u32(area, MXCSR) & !self.mxcsr_mask {
            0 => Ok(()),
            _ => Err(BadState),
        }
    }

    fn magic2(&self) -> Range<usize> {
        self.size..self.size + MAGIC2_SIZE
    }
}

/// Writes a header that says which parts are there.
fn set_present(area: &mut [u8], features: u64) {
    area[PRESENT].copy_from_slice(&features.to_le_bytes());
    area[HEADER_REST].fill(0);
}

/// Returns the `si_code` of an x87 exception in a state of at least 512 bytes; 0 if none is unmasked.
pub fn x87_error(area: &[u8]) -> u32 {
    let legacy = read_u32(area, CONTROL_AND_STATUS);
    error_code(legacy >> 16 & !legacy)
}

/// Returns the `si_code` of an SSE exception in a state of at least 512 bytes; 0 if none is unmasked.
pub fn simd_error(area: &[u8]) -> u32 {
    let mxcsr = read_u32(area, MXCSR);
    error_code(mxcsr & !(mxcsr >> 7))
}

/// The first of the six exceptions, which have the same bits in both units.
fn error_code(exceptions: u32) -> u32 {
    match exceptions {
        bits if bits & 1 << 0 != 0 => FPE_FLTINV,
        bits if bits & 1 << 2 != 0 => FPE_FLTDIV,
        bits if bits & 1 << 3 != 0 => FPE_FLTOVF,
        // Denormal operands count as underflow.
        bits if bits & (1 << 1 | 1 << 4) != 0 => FPE_FLTUND,
        bits if bits & 1 << 5 != 0 => FPE_FLTRES,
        _ => 0,
    }
}

fn read_u32(area: &[u8], at: Range<usize>) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&area[at]);
    u32::from_le_bytes(bytes)
}

fn read_u64(area: &[u8], at: Range<usize>) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&area[at]);
    u64::from_le_bytes(bytes)
}
