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
//! The CPU itself writes and reads all but the marks, in user memory, and faults at what it cannot load. The marks say
//! how much of a state there is, and with that which instruction may load it.

use core::ops::Range;

use abi::linux::{FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND};

/// Bytes of the FXSAVE image.
pub const LEGACY_SIZE: usize = 512;
/// Where the XSAVE header lies, which must be zero before XSAVE writes its part of it.
pub const HEADER: Range<usize> = 512..576;
/// Where the marks lie: the end of the FXSAVE image, which the CPU leaves alone.
pub const MARKS_AT: usize = 464;
/// Bytes of the marks.
pub const MARKS_SIZE: usize = LEGACY_SIZE - MARKS_AT;
/// What lies behind the parts.
pub const MAGIC2: u32 = 0x4650_5845;
/// Bytes of [`MAGIC2`].
const MAGIC2_SIZE: usize = size_of::<u32>();
const MAGIC1: u32 = 0x4650_5853;

/// Places within the marks.
mod mark {
    use core::ops::Range;

    pub(super) const MAGIC1: Range<usize> = 0..4;
    pub(super) const WHOLE_SIZE: Range<usize> = 4..8;
    pub(super) const FEATURES: Range<usize> = 8..16;
    pub(super) const SIZE: Range<usize> = 16..20;
}

/// The x87 control word, which masks, and the status word.
const CONTROL_AND_STATUS: Range<usize> = 0..4;
const MXCSR: Range<usize> = 24..28;

/// How this CPU's FP state looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FpFormat {
    /// The parts in use, as in XCR0; 0 without XSAVE.
    pub features: u64,
    /// Bytes of the state without `magic2`.
    pub size: usize,
}

/// The marks of a state with an XSAVE header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The parts to load, all of them in use; the others get their initial state.
    pub features: u64,
    /// Where [`MAGIC2`] must be found; without it the claim is void.
    pub magic2_at: usize,
}

/// The state cannot be stored there, or not be loaded from there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadState;

impl FpFormat {
    /// The format of a CPU without XSAVE.
    pub const LEGACY: Self = Self {
        features: 0,
        size: LEGACY_SIZE,
    };

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

    /// Returns the marks of a state with an XSAVE header; [`MAGIC2`] goes to [`size`](Self::size).
    pub fn marks(&self) -> [u8; MARKS_SIZE] {
        let mut marks = [0; MARKS_SIZE];
        marks[mark::MAGIC1].copy_from_slice(&MAGIC1.to_le_bytes());
        marks[mark::WHOLE_SIZE].copy_from_slice(&(self.frame_size() as u32).to_le_bytes());
        marks[mark::FEATURES].copy_from_slice(&self.features.to_le_bytes());
        marks[mark::SIZE].copy_from_slice(&(self.size as u32).to_le_bytes());
        marks
    }

    /// Returns what the marks of a frame claim; `None` if only the first 512 bytes count.
    pub fn claim(&self, marks: &[u8; MARKS_SIZE]) -> Option<Claim> {
        let size = read_u32(marks, mark::SIZE) as usize;
        let fits = (HEADER.end..=self.size).contains(&size)
            && size <= read_u32(marks, mark::WHOLE_SIZE) as usize;
        let claims = self.has_xstate() && read_u32(marks, mark::MAGIC1) == MAGIC1 && fits;
        claims.then(|| Claim {
            features: read_u64(marks, mark::FEATURES) & self.features,
            magic2_at: size,
        })
    }
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
