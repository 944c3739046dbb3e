//! A table's head: what it is called, how long it is, and whether its bytes add up.

use core::fmt;

use crate::{Error, Memory, number, read};

/// Bytes of every table's head.
pub const HEAD: u32 = 36;
/// The longest table believed: with 16 bytes for a processor, 60 times what there can be.
pub const LONGEST: u32 = 1 << 20;

/// The four letters a table begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 4]);

/// The list of tables by 32-bit addresses.
pub const RSDT: Signature = Signature(*b"RSDT");
/// The list of tables by 64-bit addresses.
pub const XSDT: Signature = Signature(*b"XSDT");
/// The table of interrupt controllers, called MADT everywhere but in itself.
pub const MADT: Signature = Signature(*b"APIC");

/// A table whose head and checksum are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Where it begins.
    pub address: u64,
    /// Its length in bytes, head included: [`HEAD`] to [`LONGEST`].
    pub length: u32,
}

impl Table {
    /// Checks the table of this kind at `address`.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::BadSignature`], [`Error::BadLength`], [`Error::BadChecksum`].
    pub fn check(memory: &impl Memory, address: u64, signature: Signature) -> Result<Self, Error> {
        let head: [u8; 8] = read(memory, address)?;
        if head[..4] != signature.0 {
            return Err(Error::BadSignature(signature));
        }
        let length = number(&head, 4, 4) as u32;
        if !(HEAD..=LONGEST).contains(&length) {
            return Err(Error::BadLength(signature));
        }
        match sum(memory, address, length)? {
            0 => Ok(Self { address, length }),
            _ => Err(Error::BadChecksum(signature)),
        }
    }

    /// Returns the signature of whatever lies at `address`.
    ///
    /// # Errors
    /// [`Error::Unreadable`].
    pub fn signature_at(memory: &impl Memory, address: u64) -> Result<Signature, Error> {
        read(memory, address).map(Signature)
    }
}

/// Adds bytes up, modulo 256.
///
/// # Errors
/// [`Error::Unreadable`].
pub(crate) fn sum(memory: &impl Memory, address: u64, length: u32) -> Result<u8, Error> {
    const PIECE: usize = 64;
    let end = address
        .checked_add(u64::from(length))
        .ok_or(Error::Unreadable(address))?;
    let mut total = 0_u8;
    for at in (address..end).step_by(PIECE) {
        let mut bytes = [0; PIECE];
        let piece = &mut bytes[..PIECE.min((end - at) as usize)];
        if !memory.read(at, piece) {
            return Err(Error::Unreadable(at));
        }
        total = piece
            .iter()
            .fold(total, |sum, byte| sum.wrapping_add(*byte));
    }
    Ok(total)
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if *self == MADT { *b"MADT" } else { self.0 };
        write!(f, "the {}", name.escape_ascii())
    }
}
