//! Positions at every edge.

use vfs::seek::{SeekError, Whence, seek};

const MAX: u64 = i64::MAX as u64;

#[test]
fn positions_move() {
    assert_eq!(seek(5, 10, 3, Whence::Start), Ok(3));
    assert_eq!(seek(5, 10, 3, Whence::Current), Ok(8));
    assert_eq!(seek(5, 10, -5, Whence::Current), Ok(0));
    assert_eq!(seek(5, 10, 7, Whence::End), Ok(17));
    assert_eq!(seek(MAX, 10, 0, Whence::Current), Ok(MAX));
}

#[test]
fn positions_are_never_negative_nor_too_large() {
    for (position, offset, whence) in [
        (5, -1, Whence::Start),
        (5, -6, Whence::Current),
        (5, -11, Whence::End),
        (MAX, 1, Whence::Current),
        (1, i64::MAX, Whence::Current),
    ] {
        assert_eq!(seek(position, 10, offset, whence), Err(SeekError::Invalid));
    }
}

#[test]
fn a_file_without_holes_ends_in_one() {
    assert_eq!(seek(0, 10, 9, Whence::Data), Ok(9));
    assert_eq!(seek(0, 10, 9, Whence::Hole), Ok(10));
    for whence in [Whence::Data, Whence::Hole] {
        assert_eq!(seek(0, 10, 10, whence), Err(SeekError::BeyondEnd));
        assert_eq!(seek(0, 10, -1, whence), Err(SeekError::BeyondEnd));
        assert_eq!(seek(0, 0, 0, whence), Err(SeekError::BeyondEnd));
    }
}
