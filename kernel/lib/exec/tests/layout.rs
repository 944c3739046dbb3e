//! Random places at their extremes (VM-4, VM-9, EX-5).

use addr::{PAGE_SIZE, USER_END};
use exec::layout::{Layout, PIE_BASE};
use exec::{Kind, plan};

const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const MIB: u64 = 1 << 20;
/// The largest stack that mappings leave room for, and the gap below it.
const STACK_ROOM: u64 = USER_END / 6 * 5 + MIB;

const LOWEST: [u64; 4] = [0; 4];
const HIGHEST: [u64; 4] = [u64::MAX; 4];

/// Returns the smallest sound program of this type, without an interpreter.
fn program(kind: u16) -> Vec<u8> {
    let mut file = vec![0; 0x1000];
    file[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file[16..18].copy_from_slice(&kind.to_le_bytes());
    file[18..20].copy_from_slice(&62_u16.to_le_bytes());
    file[20..24].copy_from_slice(&1_u32.to_le_bytes());
    let start: u64 = if kind == 2 { 0x40_0000 } else { 0 };
    file[24..32].copy_from_slice(&start.to_le_bytes());
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[52..54].copy_from_slice(&64_u16.to_le_bytes());
    file[54..56].copy_from_slice(&56_u16.to_le_bytes());
    file[56..58].copy_from_slice(&1_u16.to_le_bytes());
    let words = [(5 << 32) | 1, 0, start, start, 0x1000, 0x1000, 0x1000];
    for (index, word) in words.into_iter().enumerate() {
        file[64 + 8 * index..][..8].copy_from_slice(&u64::to_le_bytes(word));
    }
    file
}

#[test]
fn every_place_is_a_page_boundary_within_its_bounds() {
    for words in [LOWEST, HIGHEST, [0x5555_5555_5555_5555; 4], [1; 4]] {
        let layout = Layout::random(words);
        assert!(layout.stack_top <= USER_END && USER_END - layout.stack_top < 16 * GIB);
        assert!(layout.mmap_shift >= 16 * GIB && layout.mmap_shift < TIB + 16 * GIB);
        assert!(layout.pie_base >= PIE_BASE && layout.pie_base < PIE_BASE + TIB);
        for place in [layout.stack_top, layout.mmap_shift, layout.pie_base] {
            assert_eq!(place % PAGE_SIZE, 0);
        }
    }
}

#[test]
fn the_bounds_are_reached() {
    let (low, high) = (Layout::random(LOWEST), Layout::random(HIGHEST));
    assert_eq!(low.stack_top, USER_END);
    assert_eq!(high.stack_top, USER_END - (16 * GIB - PAGE_SIZE));
    assert_eq!(high.mmap_shift - low.mmap_shift, TIB - PAGE_SIZE);
    assert_eq!(high.pie_base - low.pie_base, TIB - PAGE_SIZE);
}

/// However large the stack may grow, it does not reach the first mapping.
#[test]
fn the_stacks_room_lies_above_the_mappings() {
    for stack in [0, u64::MAX] {
        for mappings in [0, u64::MAX] {
            let layout = Layout::random([stack, mappings, 0, 0]);
            for room in [128 * MIB, STACK_ROOM] {
                let first = USER_END - room - layout.mmap_shift;
                assert!(first <= layout.stack_top - room);
            }
        }
    }
}

#[test]
fn a_program_with_an_interpreter_lies_below_the_stacks_usual_room() {
    let highest = Layout::random(HIGHEST).pie_base;
    let first_mapping = USER_END - 128 * MIB - Layout::random(HIGHEST).mmap_shift;
    assert!(highest + 32 * TIB < first_mapping);
}

#[test]
fn each_place_has_a_word_of_its_own() {
    let plain = Layout::random(LOWEST);
    let differs = |word: usize| {
        let mut words = LOWEST;
        words[word] = 1;
        let layout = Layout::random(words);
        [
            layout.stack_top != plain.stack_top,
            layout.mmap_shift != plain.mmap_shift,
            layout.pie_base != plain.pie_base,
        ]
    };
    assert_eq!(differs(0), [true, false, false]);
    assert_eq!(differs(1), [false, true, false]);
    assert_eq!(differs(2), [false, false, true]);
    assert_eq!(differs(3), [false, false, false]);
}

#[test]
fn vm_9_the_heap_begins_up_to_32_mib_behind_the_program() {
    let file = program(2);
    let fixed = plan(&file, 0x1000).expect("the program is sound");
    assert_eq!(fixed.kind, Kind::Fixed);
    assert_eq!(Layout::PLAIN.heap_start(&fixed), 0x40_1000);
    assert_eq!(Layout::random(LOWEST).heap_start(&fixed), 0x40_1000);
    let highest = Layout::random(HIGHEST).heap_start(&fixed);
    assert_eq!(highest, 0x40_1000 + 32 * MIB - PAGE_SIZE);
}

#[test]
fn vm_9_the_heap_of_a_static_pie_does_not_follow_it_among_the_mappings() {
    let file = program(3);
    let pie = plan(&file, 0x1000).expect("the program is sound");
    assert_eq!(pie.kind, Kind::Pie);
    assert_eq!(Layout::PLAIN.heap_start(&pie), PIE_BASE);
    let highest = Layout::random(HIGHEST).heap_start(&pie);
    assert_eq!(highest, PIE_BASE + 32 * MIB - PAGE_SIZE);
}

#[test]
fn a_program_at_the_end_of_user_space_has_its_heap_there() {
    let file = program(2);
    let mut last = plan(&file, 0x1000).expect("the program is sound");
    last.brk_start = USER_END;
    assert_eq!(Layout::random(HIGHEST).heap_start(&last), USER_END);
}
