//! The initramfs archive.

use bootinfo::cpio::{Archive, CpioError, Entry, MAX_NAME};
use proptest::prelude::*;

/// One entry as `newc` bytes.
fn file(name: &[u8], data: &[u8]) -> Vec<u8> {
    let numbers = [
        7,
        0o100644,
        1000,
        100,
        1,
        1_700_000_000,
        data.len() as u32,
        8,
        1,
        3,
        4,
        name.len() as u32 + 1,
        0,
    ];
    let mut bytes = b"070701".to_vec();
    for number in numbers {
        bytes.extend(format!("{number:08X}").bytes());
    }
    bytes.extend(name);
    bytes.push(0);
    pad(&mut bytes);
    bytes.extend(data);
    pad(&mut bytes);
    bytes
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes: Vec<u8> = files
        .iter()
        .flat_map(|(name, data)| file(name.as_bytes(), data))
        .collect();
    bytes.extend(file(b"TRAILER!!!", b""));
    bytes
}

/// The error that ends an archive.
fn error_of(bytes: &[u8]) -> Option<CpioError> {
    Archive::new(bytes).find_map(Result::err)
}

#[test]
fn entries_come_with_all_that_their_header_says() {
    let bytes = archive(&[("init", b"#!/bin/sh\n")]);
    let entries: Vec<Entry<'_>> = Archive::new(&bytes).map(Result::unwrap).collect();
    let expected = Entry {
        name: "init",
        mode: 0o100644,
        uid: 1000,
        gid: 100,
        mtime: 1_700_000_000,
        nlink: 1,
        ino: 7,
        rdev: (3, 4),
        data: b"#!/bin/sh\n",
    };
    assert_eq!(entries, [expected]);
}

#[test]
fn an_archive_of_nothing_is_only_its_trailer() {
    assert_eq!(Archive::new(&archive(&[])).count(), 0);
}

#[test]
fn padding_behind_the_trailer_is_not_looked_at() {
    let mut bytes = archive(&[("a", b"1")]);
    bytes.extend([0xff; 512]);
    assert_eq!(Archive::new(&bytes).count(), 1);
    assert_eq!(error_of(&bytes), None);
}

#[test]
fn an_archive_without_a_trailer_is_an_error_after_its_entries() {
    let bytes = file(b"a", b"1");
    let entries: Vec<_> = Archive::new(&bytes).collect();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1], Err(CpioError::NoTrailer));
    assert_eq!(error_of(b""), Some(CpioError::NoTrailer));
}

#[test]
fn an_archive_cut_off_anywhere_is_an_error_at_the_entry_that_is_cut() {
    let first = file(b"first", b"12345").len();
    let bytes = archive(&[("first", b"12345"), ("second", b"6")]);
    let second = first + file(b"second", b"6").len();
    let trailer_name = 110 + "TRAILER!!!".len() + 1;
    for len in 0..second + trailer_name {
        let error = error_of(&bytes[..len]).unwrap();
        let at = [second, first, 0].into_iter().find(|at| len > *at);
        match at {
            // The padding behind the data may be missing: then it is the trailer that misses.
            Some(at) if error != CpioError::NoTrailer => {
                assert_eq!(error, CpioError::Truncated { at })
            }
            _ => assert_eq!(error, CpioError::NoTrailer, "{len}"),
        }
    }
}

#[test]
fn what_is_no_entry_is_told_with_its_place() {
    let first = file(b"a", b"").len();
    let mut bytes = archive(&[("a", b""), ("b", b"")]);
    bytes[first + 5] = b'7';
    assert_eq!(error_of(&bytes), Some(CpioError::BadMagic { at: first }));
    let said = error_of(&bytes).unwrap().to_string();
    assert_eq!(said, "cpio: offset 0x70: no newc entry begins here");
}

#[test]
fn numbers_have_hexadecimal_digits_only() {
    for bad in [b'+', b' ', b'g', 0, 0xff] {
        let mut bytes = archive(&[("a", b"")]);
        bytes[6] = bad;
        assert_eq!(error_of(&bytes), Some(CpioError::BadNumber { at: 0 }));
    }
}

#[test]
fn names_are_text_with_one_nul_at_the_end() {
    assert_eq!(
        error_of(&file(b"a\0b", b"")),
        Some(CpioError::BadName { at: 0 })
    );
    assert_eq!(
        error_of(&file(b"\xff", b"")),
        Some(CpioError::NameNotUtf8 { at: 0 })
    );
    let mut no_name = file(b"", b"");
    no_name[6 + 11 * 8..][..8].copy_from_slice(b"00000000");
    assert_eq!(error_of(&no_name), Some(CpioError::BadName { at: 0 }));
}

#[test]
fn the_longest_name_has_4096_bytes_with_its_nul() {
    let name = "n".repeat(MAX_NAME as usize);
    let error = Some(CpioError::NameTooLong { at: 0 });
    assert_eq!(error_of(&file(name.as_bytes(), b"")), error);
    let fits = archive(&[(&name[1..], b"")]);
    assert_eq!(error_of(&fits), None);
}

#[test]
fn absurd_lengths_are_a_truncated_archive() {
    for field in [6, 11] {
        let mut bytes = archive(&[("a", b"")]);
        bytes[6 + field * 8..][..8].copy_from_slice(b"00000FFF");
        assert_eq!(error_of(&bytes), Some(CpioError::Truncated { at: 0 }));
    }
    let mut bytes = archive(&[("a", b"")]);
    bytes[6 + 6 * 8..][..8].copy_from_slice(b"FFFFFFFF");
    assert_eq!(error_of(&bytes), Some(CpioError::Truncated { at: 0 }));
}

#[test]
fn a_checksum_is_compared_where_there_is_one() {
    let mut bytes = archive(&[("a", &[1, 2, 255])]);
    bytes[5] = b'2';
    assert_eq!(error_of(&bytes), Some(CpioError::BadChecksum { at: 0 }));
    bytes[6 + 12 * 8..][..8].copy_from_slice(format!("{:08x}", 258).as_bytes());
    assert_eq!(error_of(&bytes), None);
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        files in prop::collection::vec(
            ("[a-z/.]{1,40}", prop::collection::vec(any::<u8>(), 0..70)), 0..8),
    ) {
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect();
        let bytes = archive(&files);
        let read: Vec<Entry<'_>> = Archive::new(&bytes).map(Result::unwrap).collect();
        let read: Vec<(&str, &[u8])> = read.iter().map(|e| (e.name, e.data)).collect();
        prop_assert_eq!(read, files);
    }

    #[test]
    fn any_bytes_end_in_finitely_many_entries(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        prop_assert!(Archive::new(&bytes).count() <= bytes.len() / 110 + 1);
    }

    #[test]
    fn a_damaged_archive_never_panics(
        damage in prop::collection::vec((0_usize..1000, any::<u8>()), 1..12),
    ) {
        let mut bytes = archive(&[("one", b"data"), ("two", b""), ("three", &[9; 50])]);
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        prop_assert!(Archive::new(&bytes).count() <= bytes.len() / 110 + 1);
    }
}
