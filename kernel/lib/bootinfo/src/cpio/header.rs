//! The header of an entry: a magic and thirteen numbers of eight hexadecimal digits.
//!
//! | number | field | | number | field |
//! |---|---|---|---|---|
//! | 0 | ino | | 7 | device major |
//! | 1 | mode | | 8 | device minor |
//! | 2 | uid | | 9 | rdev major |
//! | 3 | gid | | 10 | rdev minor |
//! | 4 | nlink | | 11 | length of the name with its NUL |
//! | 5 | mtime | | 12 | sum of the data's bytes, in `070702` |
//! | 6 | length of the data | | | |

use super::{CpioError, Entry};

/// The magic and the numbers.
pub(super) const HEADER_LEN: usize = 6 + FIELDS * DIGITS;

const FIELDS: usize = 13;
const DIGITS: usize = 8;

/// What a header says.
pub(super) struct Header {
    fields: [u32; FIELDS],
    has_sum: bool,
    pub(super) name_len: u32,
    pub(super) data_len: u32,
}

impl Header {
    /// Reads the [`HEADER_LEN`] bytes of the entry at `at`.
    pub(super) fn read(bytes: &[u8], at: usize) -> Result<Self, CpioError> {
        let (magic, digits) = bytes.split_at(bytes.len().min(6));
        let has_sum = match magic {
            b"070701" => false,
            b"070702" => true,
            _ => return Err(CpioError::BadMagic { at }),
        };
        let mut fields = [0; FIELDS];
        for (field, digits) in fields.iter_mut().zip(digits.chunks_exact(DIGITS)) {
            *field = number(digits).ok_or(CpioError::BadNumber { at })?;
        }
        Ok(Self {
            fields,
            has_sum,
            name_len: fields[11],
            data_len: fields[6],
        })
    }

    /// Says whether the data have the sum that the header tells, if it tells one.
    pub(super) fn suits(&self, data: &[u8]) -> bool {
        let add = |sum: u32, byte: &u8| sum.wrapping_add(u32::from(*byte));
        !self.has_sum || data.iter().fold(0, add) == self.fields[12]
    }

    pub(super) fn entry<'a>(&self, name: &'a str, data: &'a [u8]) -> Entry<'a> {
        let [ino, mode, uid, gid, nlink, mtime, ..] = self.fields;
        Entry {
            name,
            mode,
            uid,
            gid,
            mtime,
            nlink,
            ino,
            rdev: (self.fields[9], self.fields[10]),
            data,
        }
    }
}

/// Reads eight hexadecimal digits, without sign or space.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number: u32, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | digit)
    })
}
