//! Where a position moves to.

/// Where a new position is counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whence {
    /// The start.
    Start,
    /// The present position.
    Current,
    /// The end.
    End,
    /// The next data at or after the offset.
    Data,
    /// The next hole at or after the offset.
    Hole,
}

/// Why a position was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SeekError {
    /// It would be negative.
    Invalid,
    /// There is no data or hole that far.
    BeyondEnd,
}

/// Computes a new position in a file of `len` bytes, all of them data.
pub fn seek(position: u64, len: u64, offset: i64, whence: Whence) -> Result<u64, SeekError> {
    let base = match whence {
        Whence::Start => 0,
        Whence::Current => position,
        Whence::End => len,
        Whence::Data => return within(len, offset),
        Whence::Hole => return within(len, offset).map(|_| len),
    };
    base.checked_add_signed(offset)
        .filter(|position| i64::try_from(*position).is_ok())
        .ok_or(SeekError::Invalid)
}

/// Returns an offset that lies inside a file of `len` bytes.
pub fn within(len: u64, offset: i64) -> Result<u64, SeekError> {
    u64::try_from(offset)
        .ok()
        .filter(|offset| *offset < len)
        .ok_or(SeekError::BeyondEnd)
}
