//! The RSDP, and the list of all tables.

use crate::table::{HEAD, RSDT, Signature, Table, XSDT, sum};
use crate::{Error, Memory, number, read};

/// Bytes of the first version; the checksum in it covers no more.
const SHORT: u32 = 20;
/// Bytes of the second version, which adds 64-bit addresses.
const LONG: u32 = 36;

/// Where the lists of tables lie, according to an RSDP in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The list with 32-bit addresses.
    pub rsdt: u64,
    /// The list with 64-bit addresses, from the second version on.
    pub xsdt: Option<u64>,
}

impl Root {
    /// Reads the RSDP at `address`.
    ///
    /// A second version whose own checksum is wrong counts as a first one, for that part has a checksum of its own.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::BadRoot`].
    pub fn read(memory: &impl Memory, address: u64) -> Result<Self, Error> {
        let short: [u8; SHORT as usize] = read(memory, address)?;
        if short[..8] != *b"RSD PTR " || sum(memory, address, SHORT)? != 0 {
            return Err(Error::BadRoot);
        }
        let xsdt = match short[15] {
            0 | 1 => None,
            _ => xsdt(memory, address),
        };
        Ok(Self {
            rsdt: number(&short, 16, 4),
            xsdt,
        })
    }

    /// Finds the first table of this kind: through the list with 64-bit addresses, or else the other one.
    ///
    /// # Errors
    /// What was wrong with the second list if neither could be read; `None` if it does not have such a table.
    pub fn find(&self, memory: &impl Memory, wanted: Signature) -> Result<Option<u64>, Error> {
        let long = self
            .xsdt
            .map(|address| find_in(memory, address, XSDT, wanted));
        match long {
            Some(Ok(found)) => Ok(found),
            _ => find_in(memory, self.rsdt, RSDT, wanted),
        }
    }
}

/// Returns the address that a second version adds, if its bytes add up.
fn xsdt(memory: &impl Memory, address: u64) -> Option<u64> {
    let long: [u8; LONG as usize] = read(memory, address).ok()?;
    let length = number(&long, 20, 4) as u32;
    let in_order = (LONG..=4096).contains(&length) && sum(memory, address, length) == Ok(0);
    Some(number(&long, 24, 8)).filter(|&xsdt| in_order && xsdt != 0)
}

/// Looks through the list of this kind at `address`; a table that cannot be read is none.
fn find_in(
    memory: &impl Memory,
    address: u64,
    list: Signature,
    wanted: Signature,
) -> Result<Option<u64>, Error> {
    let width = if list == XSDT { 8 } else { 4 };
    let table = Table::check(memory, address, list)?;
    let count = u64::from(table.length - HEAD) / width;
    for index in 0..count {
        let mut bytes = [0; 8];
        let at = address + u64::from(HEAD) + index * width;
        if !memory.read(at, &mut bytes[..width as usize]) {
            return Err(Error::Unreadable(at));
        }
        let found = u64::from_le_bytes(bytes);
        if Table::signature_at(memory, found) == Ok(wanted) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
