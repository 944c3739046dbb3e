//! The `newc` archive format, as in an initramfs, read in place.
//!
//! Each entry is a header of hexadecimal numbers, a name and the data, both padded to four bytes;
//! an entry named `TRAILER!!!` ends the archive. After an error nothing more is read.

mod header;

use core::fmt;
use core::str;

use header::{HEADER_LEN, Header};

/// The longest name, with its NUL, as Linux has it.
pub const MAX_NAME: u32 = 4096;

/// The name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// An archive: an iterator over its entries.
#[derive(Clone, Debug)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    /// Where the next entry begins; `None` at the end and after an error.
    at: Option<usize>,
}

/// A file, directory, link or device in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The path as it stands in the archive, with or without a leading `/` or `./`.
    pub name: &'a str,
    /// The kind and the permissions, as in `st_mode`.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// The time of the last change, in seconds since 1970.
    pub mtime: u32,
    /// How many names the file has; only the last of them carries the data.
    pub nlink: u32,
    /// The file's number, the same for all of its names.
    pub ino: u32,
    /// A device's major and minor number.
    pub rdev: (u32, u32),
    /// The contents; a symbolic link's target.
    pub data: &'a [u8],
}

/// Why an archive cannot be read on; `at` is the offset of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpioError {
    /// The archive ends inside the entry.
    Truncated {
        /// The entry's offset.
        at: usize,
    },
    /// The entry does not begin with `070701` or `070702`.
    BadMagic {
        /// The entry's offset.
        at: usize,
    },
    /// A header field is not a hexadecimal number.
    BadNumber {
        /// The entry's offset.
        at: usize,
    },
    /// The name is longer than [`MAX_NAME`].
    NameTooLong {
        /// The entry's offset.
        at: usize,
    },
    /// The name has no NUL at its end, or one before it.
    BadName {
        /// The entry's offset.
        at: usize,
    },
    /// The name is not UTF-8.
    NameNotUtf8 {
        /// The entry's offset.
        at: usize,
    },
    /// The data do not have the sum that the header tells.
    BadChecksum {
        /// The entry's offset.
        at: usize,
    },
    /// The archive ends without its last entry.
    NoTrailer,
}

impl<'a> Archive<'a> {
    /// Reads from the beginning of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: Some(0) }
    }

    /// Reads one entry; returns it with the offset of the next one.
    fn entry(&self, at: usize) -> Result<(Entry<'a>, usize), CpioError> {
        let header = Header::read(self.take(at, at, HEADER_LEN)?, at)?;
        if header.name_len > MAX_NAME {
            return Err(CpioError::NameTooLong { at });
        }
        let name_at = at + HEADER_LEN;
        let name_len = header.name_len as usize;
        let name = name(self.take(at, name_at, name_len)?, at)?;
        let data_at = padded(name_at + name_len);
        let data_len = header.data_len as usize;
        let data = self.take(at, data_at, data_len)?;
        if !header.suits(data) {
            return Err(CpioError::BadChecksum { at });
        }
        Ok((header.entry(name, data), padded(data_at + data_len)))
    }

    /// Returns `len` bytes from `from` of the entry at `at`.
    fn take(&self, at: usize, from: usize, len: usize) -> Result<&'a [u8], CpioError> {
        let end = from.checked_add(len);
        let bytes = end.and_then(|end| self.bytes.get(from..end));
        bytes.ok_or(CpioError::Truncated { at })
    }
}

impl<'a> Iterator for Archive<'a> {
    type Item = Result<Entry<'a>, CpioError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at.take()?;
        if at >= self.bytes.len() {
            return Some(Err(CpioError::NoTrailer));
        }
        match self.entry(at) {
            Ok((entry, _)) if entry.name == TRAILER => None,
            Ok((entry, next)) => {
                self.at = Some(next);
                Some(Ok(entry))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Takes the NUL off a name.
fn name(bytes: &[u8], at: usize) -> Result<&str, CpioError> {
    match bytes.split_last() {
        Some((0, name)) if !name.contains(&0) => {
            str::from_utf8(name).map_err(|_| CpioError::NameNotUtf8 { at })
        }
        _ => Err(CpioError::BadName { at }),
    }
}

/// Rounds an offset inside the archive up to the next entry or field.
fn padded(offset: usize) -> usize {
    offset.next_multiple_of(4)
}

impl fmt::Display for CpioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, what) = match self {
            Self::Truncated { at } => (at, "the archive ends inside this entry"),
            Self::BadMagic { at } => (at, "no newc entry begins here"),
            Self::BadNumber { at } => (at, "a header field is not a hexadecimal number"),
            Self::NameTooLong { at } => (at, "the name is too long"),
            Self::BadName { at } => (at, "the name does not end with its only NUL"),
            Self::NameNotUtf8 { at } => (at, "the name is not UTF-8"),
            Self::BadChecksum { at } => (at, "the data do not match their checksum"),
            Self::NoTrailer => return f.write_str("cpio: the archive has no trailer"),
        };
        write!(f, "cpio: offset {at:#x}: {what}")
    }
}

impl core::error::Error for CpioError {}
