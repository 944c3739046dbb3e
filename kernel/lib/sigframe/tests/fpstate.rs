//! The marks around FP states in frames (SF-3, SF-6), and what exceptions are told of.

use sigframe::FpFormat;
use sigframe::fpstate::{Claim, simd_error, x87_error};

const AVX: FpFormat = FpFormat {
    features: 7,
    size: 832,
};
const SSE: FpFormat = FpFormat {
    features: 3,
    size: 576,
};
const LEGACY: FpFormat = FpFormat::LEGACY;

fn whole(format: FpFormat) -> Option<Claim> {
    Some(Claim {
        features: format.features,
        magic2_at: format.size,
    })
}

#[test]
fn sizes_and_alignment_follow_the_features() {
    assert_eq!((AVX.frame_size(), AVX.alignment()), (836, 64));
    assert_eq!((SSE.frame_size(), SSE.alignment()), (580, 64));
    assert_eq!((LEGACY.frame_size(), LEGACY.alignment()), (512, 16));
}

#[test]
fn the_marks_are_where_linux_puts_them() {
    for format in [AVX, SSE] {
        let marks = format.marks();
        assert_eq!(marks[..4], 0x4650_5853_u32.to_le_bytes());
        assert_eq!(marks[4..8], (format.size as u32 + 4).to_le_bytes());
        assert_eq!(marks[8..16], format.features.to_le_bytes());
        assert_eq!(marks[16..20], (format.size as u32).to_le_bytes());
        assert!(marks[20..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn marks_come_back_as_they_were() {
    for format in [AVX, SSE] {
        assert_eq!(format.claim(&format.marks()), whole(format));
    }
    assert_eq!(LEGACY.claim(&AVX.marks()), None, "there is no such header");
}

#[test]
fn every_bit_of_the_first_mark_counts() {
    for bit in 0..32 {
        let mut marks = AVX.marks();
        marks[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(AVX.claim(&marks), None);
    }
}

#[test]
fn a_size_must_hold_the_header_and_be_no_larger_than_the_state() {
    for size in 0..2000_u32 {
        for whole in [575, 576, 700, 832, 836, u32::MAX] {
            let mut marks = AVX.marks();
            marks[16..20].copy_from_slice(&size.to_le_bytes());
            marks[4..8].copy_from_slice(&whole.to_le_bytes());
            let fits = (576..=832).contains(&size) && size <= whole;
            let want = fits.then_some(Claim {
                features: 7,
                magic2_at: size as usize,
            });
            assert_eq!(AVX.claim(&marks), want, "{size} of {whole}");
        }
    }
}

#[test]
fn parts_that_are_not_in_use_are_never_loaded() {
    for wanted in 0..=0xff_u8 {
        let mut marks = AVX.marks();
        marks[8..16].copy_from_slice(&u64::from_le_bytes([wanted; 8]).to_le_bytes());
        let claim = AVX.claim(&marks).expect("the sizes are right");
        assert_eq!(claim.features, u64::from(wanted & 7));
    }
}

#[test]
fn exceptions_have_linux_s_codes_in_linux_s_order() {
    let codes = [
        (1, 7),
        (4, 3),
        (8, 4),
        (2, 5),
        (16, 5),
        (32, 6),
        (0, 0),
        (0x3f, 7),
        (0x38, 4),
    ];
    for (exceptions, code) in codes {
        let mut area = vec![0; 512];
        area[2] = exceptions;
        area[24] = exceptions;
        assert_eq!(x87_error(&area), code);
        assert_eq!(simd_error(&area), code);
        area[0] = 0x3f;
        area[24..26].copy_from_slice(&(u16::from(exceptions) | 0x1f80).to_le_bytes());
        assert_eq!((x87_error(&area), simd_error(&area)), (0, 0), "masked");
    }
}
