//! FP states from frames: what is accepted can be loaded, what is not is refused (SF-3, SF-6).

use sigframe::fpstate::{LEGACY_SIZE, simd_error, x87_error};
use sigframe::{BadState, FpFormat};

const MASK: u32 = 0xffff;
const AVX: FpFormat = FpFormat {
    features: 7,
    size: 832,
    mxcsr_mask: MASK,
};
const SSE: FpFormat = FpFormat {
    features: 3,
    size: 576,
    mxcsr_mask: MASK,
};
const LEGACY: FpFormat = FpFormat::legacy(MASK);

/// A saved state with everything in use.
fn saved(format: FpFormat) -> Vec<u8> {
    let mut area = vec![0xa5; format.frame_size()];
    area[24..28].copy_from_slice(&0x1f80_u32.to_le_bytes());
    if format.has_xstate() {
        area[512..576].fill(0);
        area[512] = format.features as u8;
    }
    format.seal(&mut area);
    area
}

fn present(area: &[u8]) -> u8 {
    area[512]
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
        let area = saved(format);
        assert_eq!(area[464..468], 0x4650_5853_u32.to_le_bytes());
        assert_eq!(area[468..472], (format.size as u32 + 4).to_le_bytes());
        assert_eq!(area[472..480], format.features.to_le_bytes());
        assert_eq!(area[480..484], (format.size as u32).to_le_bytes());
        assert!(area[484..512].iter().all(|byte| *byte == 0));
        assert_eq!(area[format.size..], 0x4650_5845_u32.to_le_bytes());
    }
    let before = vec![0x11; 512];
    let mut area = before.clone();
    LEGACY.seal(&mut area);
    assert_eq!(area, before, "without XSAVE there are none");
}

#[test]
fn a_saved_state_comes_back_as_it_was() {
    for format in [AVX, SSE, LEGACY] {
        let mut area = saved(format);
        let before = area.clone();
        assert_eq!(format.accept(&mut area), Ok(()));
        assert_eq!(area, before);
    }
}

#[test]
fn without_either_mark_only_the_first_512_bytes_count() {
    for at in [464, 832] {
        let mut area = saved(AVX);
        area[at] ^= 1;
        // Whatever the header says, it is not looked at.
        area[512..576].fill(0xff);
        assert_eq!(AVX.claims_more(&area), at == 832);
        assert_eq!(AVX.accept(&mut area), Ok(()));
        assert_eq!(present(&area), 3);
        assert!(area[513..576].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn every_bit_of_the_header_is_zero_or_known_or_refused() {
    for bit in 0..24 * 8 {
        for format in [AVX, SSE] {
            let mut area = saved(format);
            area[512] = 0;
            area[512 + bit / 8] |= 1 << (bit % 8);
            let known = bit < 64 && format.features >> bit & 1 == 1;
            let want = if known { Ok(()) } else { Err(BadState) };
            assert_eq!(format.accept(&mut area), want, "bit {bit}");
        }
    }
}

#[test]
fn the_unused_rest_of_the_header_is_cleared() {
    let mut area = saved(AVX);
    area[536..576].fill(0xff);
    assert_eq!(AVX.accept(&mut area), Ok(()));
    assert!(area[520..576].iter().all(|byte| *byte == 0));
}

#[test]
fn parts_that_are_not_wanted_get_their_initial_state() {
    for wanted in 0..=0xff_u8 {
        let mut area = saved(AVX);
        area[472] = wanted;
        assert_eq!(AVX.accept(&mut area), Ok(()));
        assert_eq!(present(&area), wanted & 7);
        if wanted & 6 == 0 {
            assert_eq!(area[24..28], 0x1f80_u32.to_le_bytes());
        }
    }
}

#[test]
fn every_reserved_bit_of_mxcsr_is_refused() {
    for bit in 0..32 {
        for format in [AVX, SSE, LEGACY] {
            let mut area = saved(format);
            area[24..28].copy_from_slice(&(1_u32 << bit).to_le_bytes());
            let want = if bit < 16 { Ok(()) } else { Err(BadState) };
            assert_eq!(format.accept(&mut area), want);
            if format.has_xstate() {
                area[464] = 0;
                assert_eq!(format.accept(&mut area), want, "as the first 512 bytes");
            }
        }
    }
}

#[test]
fn a_bad_mxcsr_that_is_not_loaded_does_no_harm() {
    let mut area = saved(AVX);
    area[472] = 1;
    area[24..28].fill(0xff);
    assert_eq!(AVX.accept(&mut area), Ok(()));
}

#[test]
fn a_legacy_state_never_claims_more() {
    assert!(!LEGACY.claims_more(&saved(AVX)[..LEGACY_SIZE]));
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
