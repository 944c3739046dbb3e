//! Names of sockets, and the `sockaddr_un` that they are in.

use alloc::vec::Vec;

/// The family's number, which an address begins with.
pub const AF_UNIX: u16 = 1;
/// The longest address: the family and 108 bytes.
pub const LONGEST: usize = 110;

/// A socket's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Address {
    /// A file's path.
    Path(Vec<u8>),
    /// Bytes that stand for themselves.
    Abstract(Vec<u8>),
}

/// What a program gave as an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Given {
    /// A family without a name: any name that is free.
    Nothing,
    /// A name.
    Name(Address),
}

/// It is not an address of this family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalid;

impl Address {
    /// Reads an address.
    pub fn parse(bytes: &[u8]) -> Result<Given, Invalid> {
        let (family, name) = bytes.split_first_chunk::<2>().ok_or(Invalid)?;
        if u16::from_ne_bytes(*family) != AF_UNIX || bytes.len() > LONGEST {
            return Err(Invalid);
        }
        Ok(match name {
            [] => Given::Nothing,
            [0, rest @ ..] => Given::Name(Self::Abstract(rest.to_vec())),
            path => {
                let end = path.iter().position(|byte| *byte == 0);
                Given::Name(Self::Path(path[..end.unwrap_or(path.len())].to_vec()))
            }
        })
    }

    /// Returns the address as programs see it; a path ends with a NUL.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = nameless().to_vec();
        match self {
            Self::Path(path) => {
                bytes.extend_from_slice(path);
                bytes.push(0);
            }
            Self::Abstract(name) => {
                bytes.push(0);
                bytes.extend_from_slice(name);
            }
        }
        bytes
    }

    /// Returns the `number`th of the names that are given to who asks for any: five hexadecimal digits.
    pub fn automatic(number: u32) -> Self {
        let digits = (0..5).rev().map(|place| number >> (place * 4) & 0xf);
        let text = digits.filter_map(|digit| char::from_digit(digit, 16));
        Self::Abstract(text.map(|digit| digit as u8).collect())
    }
}

/// Returns the address of a socket without a name: the family alone.
pub const fn nameless() -> [u8; 2] {
    AF_UNIX.to_ne_bytes()
}
