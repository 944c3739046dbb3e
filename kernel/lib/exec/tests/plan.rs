//! What is mapped for a program, and that no file can make it wild.

mod image;
mod sound;

use addr::{USER_END, VirtAddr};
use exec::{ExecError, Kind, plan};
use image::{Image, PT_GNU_STACK, PT_INTERP, PT_LOAD, Phdr, R, W, X};
use proptest::prelude::*;
use pte::Prot;
use sound::assert_sound;

fn refused(image: &Image) -> ExecError {
    let file = image.bytes();
    plan(&file, file.len() as u64).unwrap_err()
}

/// Plans `bytes` with one byte range replaced.
fn refused_with(at: usize, new: &[u8]) -> ExecError {
    let mut file = Image::ordinary().bytes();
    file[at..at + new.len()].copy_from_slice(new);
    plan(&file, file.len() as u64).unwrap_err()
}

#[test]
fn ex_5_an_ordinary_program_maps_its_file_pages_and_its_bss() {
    let file = Image::ordinary().bytes();
    let plan = plan(&file, file.len() as u64).unwrap();
    assert_sound(&plan, file.len() as u64);
    assert_eq!((plan.kind, plan.entry), (Kind::Fixed, 0x40_1000));
    assert_eq!((plan.phnum, plan.phent), (4, 56));
    assert_eq!(plan.segments.len(), 4);
    let text = &plan.segments[1];
    assert_eq!(text.prot, Prot::READ | Prot::EXEC);
    assert_eq!(
        (text.file_page, text.file_pages, text.pages.len()),
        (1, 2, 2)
    );
    assert!(text.zero_tail.is_empty());
}

#[test]
fn ex_5_the_tail_of_the_last_file_page_is_zeroed_up_to_the_page_end() {
    let file = Image::ordinary().bytes();
    let plan = plan(&file, file.len() as u64).unwrap();
    let data = &plan.segments[3];
    // 0x404ef0 + 0x210 = 0x405100: the data crosses into a second page of the file.
    assert_eq!((data.file_page, data.file_pages), (3, 2));
    assert_eq!(data.zero_tail, 0x40_5100..0x40_6000);
    assert_eq!(data.anon_range().start.start().as_u64(), 0x40_6000);
    assert_eq!(data.anon_range().len(), 2);
    assert_eq!(plan.brk_start, 0x40_8000);
}

#[test]
fn ex_5_a_read_only_tail_is_left_alone() {
    let mut image = Image::ordinary();
    image.phdrs[3].flags = R;
    let file = image.bytes();
    let plan = plan(&file, file.len() as u64).unwrap();
    assert!(plan.segments[3].zero_tail.is_empty());
    assert_eq!(plan.segments[3].anon_range().len(), 2);
}

#[test]
fn ex_5_a_segment_without_file_bytes_is_anonymous() {
    let mut image = Image::ordinary();
    image
        .phdrs
        .push(Phdr::load(R | W, 0x77, 0x50_0000, 0, 0x2001));
    let file = image.bytes();
    let plan = plan(&file, file.len() as u64).unwrap();
    let bss = plan.segments.last().unwrap();
    assert_eq!((bss.file_pages, bss.anon_range().len()), (0, 3));
}

#[test]
fn ex_5_a_shared_page_belongs_to_the_later_segment() {
    let mut image = Image::ordinary();
    image.phdrs = vec![
        Phdr::load(R | X, 0, 0x40_0000, 0x1800, 0x1800),
        Phdr::load(R | W, 0x1800, 0x40_1800, 0x100, 0x100),
    ];
    let file = image.bytes();
    let plan = plan(&file, file.len() as u64).unwrap();
    assert_sound(&plan, file.len() as u64);
    assert_eq!(plan.segments[0].pages.len(), 1);
    assert_eq!(plan.segments[1].pages.len(), 1);
    assert_eq!(plan.segments[1].file_page, 1);
}

#[test]
fn ex_5_a_segment_whose_only_page_is_taken_over_vanishes() {
    let mut image = Image::ordinary();
    image.phdrs = vec![
        Phdr::load(R | W, 0, 0x40_0000, 0x100, 0x200),
        Phdr::load(R, 0x400, 0x40_0400, 0x100, 0x100),
        Phdr::load(R, 0x800, 0x40_0800, 0x100, 0x100),
    ];
    let file = image.bytes();
    let plan = plan(&file, file.len() as u64).unwrap();
    assert_sound(&plan, file.len() as u64);
    assert_eq!(plan.segments.len(), 1);
}

#[test]
fn ex_5_the_headers_are_found_through_the_segment_that_holds_them() {
    let file = Image::ordinary().bytes();
    assert_eq!(
        plan(&file, file.len() as u64).unwrap().phdr,
        Some(0x40_0040)
    );
    let mut image = Image::ordinary();
    image.phdrs.remove(0);
    let file = image.bytes();
    assert_eq!(plan(&file, file.len() as u64).unwrap().phdr, None);
}

#[test]
fn a_position_independent_program_moves_as_a_whole() {
    let mut image = Image::ordinary();
    image.dynamic = true;
    for phdr in &mut image.phdrs {
        phdr.vaddr -= 0x40_0000;
    }
    image.phdrs[1].align = 0x20_0000;
    image.entry = 0x1000;
    let file = image.bytes();
    let plan = plan(&file, file.len() as u64).unwrap();
    assert_eq!((plan.kind, plan.align), (Kind::Pie, 0x20_0000));
    let moved = plan
        .clone()
        .relocated(VirtAddr::new(0x7f00_0000_0000))
        .unwrap();
    assert_sound(&moved, file.len() as u64);
    assert_eq!(moved.entry, 0x7f00_0000_1000);
    assert_eq!(moved.phdr, Some(0x7f00_0000_0040));
    assert_eq!(
        moved.segments[3].zero_tail,
        0x7f00_0000_5100..0x7f00_0000_6000
    );
    assert_eq!(moved.brk_start, 0x7f00_0000_8000);
    for wild in [0x123, USER_END - 0x1000, !0xfff] {
        let outcome = plan.clone().relocated(VirtAddr::new(wild));
        assert_eq!(outcome.unwrap_err(), ExecError::OutsideUserSpace);
    }
}

#[test]
fn the_stack_is_executable_only_when_the_file_says_so() {
    for (flags, expected) in [(R | W, false), (R | W | X, true)] {
        let mut image = Image::ordinary();
        image.phdrs.push(Phdr {
            kind: PT_GNU_STACK,
            ..Phdr::load(flags, 0, 0, 0, 0)
        });
        let file = image.bytes();
        assert_eq!(plan(&file, file.len() as u64).unwrap().exec_stack, expected);
    }
    let file = Image::ordinary().bytes();
    assert!(!plan(&file, file.len() as u64).unwrap().exec_stack);
}

#[test]
fn the_interpreter_must_be_named_and_terminated() {
    let mut image = Image::ordinary();
    image.phdrs.push(Phdr {
        kind: PT_INTERP,
        ..Phdr::load(R, 0x800, 0, 7, 7)
    });
    let mut file = image.bytes();
    let len = file.len() as u64;
    assert_eq!(plan(&file, len).unwrap_err(), ExecError::BadInterpreter);
    file[0x800..0x807].copy_from_slice(b"/ld.so\0");
    assert_eq!(plan(&file, len).unwrap().interpreter, Some(&b"/ld.so"[..]));
}

#[test]
fn what_is_no_program_for_this_machine_is_refused() {
    let elf_32 = [1];
    let big_endian = [2];
    assert_eq!(plan(b"", 0).unwrap_err(), ExecError::NotElf);
    assert_eq!(plan(b"\x7fELF", 4).unwrap_err(), ExecError::NotElf);
    assert_eq!(refused_with(0, b"\x7fELG"), ExecError::NotElf);
    assert_eq!(refused_with(4, &elf_32), ExecError::WrongMachine);
    assert_eq!(refused_with(5, &big_endian), ExecError::WrongMachine);
    assert_eq!(
        refused_with(18, &3_u16.to_le_bytes()),
        ExecError::WrongMachine
    );
    assert_eq!(refused_with(16, &1_u16.to_le_bytes()), ExecError::WrongType);
    assert_eq!(refused_with(16, &4_u16.to_le_bytes()), ExecError::WrongType);
}

#[test]
fn a_table_of_program_headers_must_fit_in_the_file() {
    for phoff in [0x5000_u64, u64::MAX, u64::MAX - 56, 0x4fff] {
        assert_eq!(
            refused_with(32, &phoff.to_le_bytes()),
            ExecError::BadProgramHeaders
        );
    }
    assert_eq!(
        refused_with(54, &32_u16.to_le_bytes()),
        ExecError::BadProgramHeaders
    );
    assert_eq!(
        refused_with(56, &0_u16.to_le_bytes()),
        ExecError::BadProgramHeaders
    );
    assert_eq!(
        refused_with(56, &u16::MAX.to_le_bytes()),
        ExecError::BadProgramHeaders
    );
}

#[test]
fn segments_must_be_possible() {
    let change = |edit: fn(&mut Phdr)| {
        let mut image = Image::ordinary();
        edit(&mut image.phdrs[3]);
        refused(&image)
    };
    assert_eq!(
        change(|p| p.filesz = p.memsz + 1),
        ExecError::FileLargerThanMemory
    );
    assert_eq!(change(|p| p.offset += 1), ExecError::Misaligned);
    assert_eq!(change(|p| p.offset += 0x100_0000), ExecError::OutsideFile);
    assert_eq!(
        change(|p| p.offset = !0xfff | 0xef0),
        ExecError::OutsideFile
    );
    assert_eq!(change(|p| p.memsz = u64::MAX), ExecError::OutsideUserSpace);
    assert_eq!(change(|p| p.memsz = USER_END), ExecError::OutsideUserSpace);
    assert_eq!(
        change(|p| p.vaddr = 0xffff_8000_0000_0ef0),
        ExecError::OutsideUserSpace
    );
    assert_eq!(change(|p| p.vaddr = 0xef0), ExecError::TooLow);
    assert_eq!(change(|p| p.vaddr = 0x40_1ef0), ExecError::Overlap);
}

#[test]
fn a_program_needs_something_to_load_and_an_entry_in_user_space() {
    let mut image = Image::ordinary();
    image.entry = USER_END;
    assert_eq!(refused(&image), ExecError::OutsideUserSpace);
    for phdr in &mut image.phdrs {
        phdr.kind = PT_GNU_STACK;
    }
    assert_eq!(refused(&image), ExecError::NoSegments);
}

/// Values that sit on the edges of the arithmetic.
fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0_u64..0x10_0000,
        Just(USER_END),
        (0_u64..0x3000).prop_map(|below| USER_END - below),
        (0_u64..0x3000).prop_map(|below| u64::MAX - below),
        (0_u64..64).prop_map(|bit| 1 << bit),
    ]
}

fn phdr() -> impl Strategy<Value = Phdr> {
    let kind = prop_oneof![4 => Just(PT_LOAD), 1 => Just(PT_INTERP), 1 => any::<u32>()];
    (kind, 0_u32..8, edge(), edge(), edge(), edge(), edge()).prop_map(
        |(kind, flags, offset, vaddr, filesz, memsz, align)| Phdr {
            kind,
            flags,
            offset,
            vaddr,
            filesz,
            memsz,
            align,
        },
    )
}

/// Small, mostly valid segments close to each other: where overlaps and shared pages happen.
fn crowded() -> impl Strategy<Value = Phdr> {
    (0_u32..8, 0_u64..0x4000, 0_u64..0x1800, 0_u64..0x1800).prop_map(
        |(flags, offset, filesz, more)| {
            Phdr::load(flags, offset, 0x40_0000 + offset, filesz, filesz + more)
        },
    )
}

fn plan_is_sound_or_refused(file: &[u8]) {
    let len = file.len() as u64;
    if let Ok(found) = plan(file, len) {
        assert_sound(&found, len);
        if let Ok(moved) = found.relocated(VirtAddr::new(0x7fff_0000_0000)) {
            assert_sound(&moved, len);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_mutation_of_a_program_makes_a_plan_wild(
        edits in prop::collection::vec((0_usize..0x140, any::<u8>()), 1..12),
        dynamic in any::<bool>(),
    ) {
        let mut file = Image { dynamic, ..Image::ordinary() }.bytes();
        for (at, byte) in edits {
            file[at] = byte;
        }
        plan_is_sound_or_refused(&file);
    }

    #[test]
    fn no_program_headers_make_a_plan_wild(
        phdrs in prop::collection::vec(phdr(), 0..6),
        dynamic in any::<bool>(),
        entry in edge(),
    ) {
        plan_is_sound_or_refused(&Image { dynamic, entry, len: 0x3000, phdrs }.bytes());
    }

    #[test]
    fn crowded_segments_never_overlap(
        mut phdrs in prop::collection::vec(crowded(), 1..6),
        sorted in any::<bool>(),
    ) {
        if sorted {
            phdrs.sort_by_key(|phdr| phdr.vaddr);
        }
        let image = Image { dynamic: false, entry: 0x40_0000, len: 0x6000, phdrs };
        plan_is_sound_or_refused(&image.bytes());
    }

    #[test]
    fn every_prefix_of_a_program_is_refused_or_sound(len in 0_usize..0x5000) {
        plan_is_sound_or_refused(&Image::ordinary().bytes()[..len]);
    }

    #[test]
    fn noise_is_refused_without_a_panic(mut file in prop::collection::vec(any::<u8>(), 0..300)) {
        plan_is_sound_or_refused(&file);
        let magic = b"\x7fELF\x02\x01\x01";
        let shared = file.len().min(magic.len());
        file[..shared].copy_from_slice(&magic[..shared]);
        plan_is_sound_or_refused(&file);
    }
}
