//! Devices without hardware: null, zero, full and random numbers. (The console has a file of its own.)

use vfs::seek::{SeekError, Whence};

use super::file::{File, IoError, Mapping, WriteAt};
use super::host::Way;
use super::inode::{InodeRef, Metadata};
use super::user_buf::UserBuf;
use crate::arch::cpu;

/// Major number of pseudo-terminals' own ends.
const PTS_MAJOR: u64 = 136;

/// The devices in `/dev`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// Swallows everything, yields nothing.
    Null,
    /// Swallows everything, yields zeros.
    Zero,
    /// Yields random numbers.
    Random,
    /// The same.
    Urandom,
    /// Has no room.
    Full,
    /// The serial port.
    Console,
    /// The controlling terminal.
    Tty,
    /// The serial port, as the terminal that it is.
    Serial,
    /// Opening it makes a pseudo-terminal.
    Ptmx,
    /// One end of the channel to the host.
    Host(Way),
    /// A pseudo-terminal's own end; not among [`Self::ALL`].
    Pts(u32),
    /// A device with this number, of which there is none.
    Other(u64),
}

impl Device {
    /// Every device.
    pub const ALL: [Self; 12] = [
        Self::Null,
        Self::Zero,
        Self::Random,
        Self::Urandom,
        Self::Full,
        Self::Console,
        Self::Tty,
        Self::Serial,
        Self::Ptmx,
        Self::Host(Way::Input),
        Self::Host(Way::Output),
        Self::Host(Way::Errors),
    ];

    /// Returns its name in `/dev`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Zero => "zero",
            Self::Random => "random",
            Self::Urandom => "urandom",
            Self::Full => "full",
            Self::Console => "console",
            Self::Tty => "tty",
            Self::Serial => "ttyS0",
            Self::Ptmx => "ptmx",
            Self::Host(Way::Input) => "hostin",
            Self::Host(Way::Output) => "hostout",
            Self::Host(Way::Errors) => "hosterr",
            Self::Pts(_) | Self::Other(_) => "",
        }
    }

    /// Returns whether it is a terminal.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Console | Self::Tty | Self::Serial | Self::Ptmx | Self::Pts(_)
        )
    }

    /// Returns its permission bits.
    pub const fn permissions(self) -> u32 {
        match self {
            Self::Console | Self::Serial => 0o600,
            Self::Pts(_) => 0o600,
            _ => 0o666,
        }
    }

    /// Returns its number as Linux encodes it.
    pub const fn number(self) -> u64 {
        let (major, minor) = match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Full => (1, 7),
            Self::Random => (1, 8),
            Self::Urandom => (1, 9),
            Self::Console => (5, 1),
            Self::Tty => (5, 0),
            Self::Serial => (4, 64),
            Self::Ptmx => (5, 2),
            // Those of terminals of a hypervisor on Linux.
            Self::Host(way) => (229, way as u64),
            Self::Pts(index) => (PTS_MAJOR + index as u64 / 256, index as u64 % 256),
            Self::Other(number) => return number,
        };
        major << 8 | minor
    }

    /// Returns the device with this number.
    pub fn with_number(number: u64) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|device| device.number() == number);
        if let (PTS_MAJOR, Ok(index)) = (number >> 8, u32::try_from(number & 0xff)) {
            return Self::Pts(index);
        }
        known.unwrap_or(Self::Other(number))
    }
}

/// An open null, zero or urandom.
pub struct Memory {
    inode: InodeRef,
    device: Device,
}

impl Memory {
    /// Opens one of the three.
    pub fn new(inode: InodeRef, device: Device) -> Self {
        Self { inode, device }
    }
}

impl File for Memory {
    fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.inode.clone())
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        match self.device {
            Device::Zero | Device::Full => to.put_zeros(usize::MAX)?,
            Device::Random | Device::Urandom => put_random(to)?,
            _ => {}
        }
        Ok(())
    }

    fn write(&self, _: &mut WriteAt, from: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        if self.device == Device::Full && from.left() > 0 {
            return Err(IoError::NoSpace);
        }
        from.skip();
        Ok(())
    }

    /// A device is everywhere the same: every move leads to its start.
    fn seek(&self, _: u64, _: i64, _: Whence) -> Result<u64, SeekError> {
        Ok(0)
    }

    fn mapping(&self) -> Option<Mapping> {
        (self.device == Device::Zero).then_some(Mapping::Zeros)
    }
}

/// Fills the rest of the buffer with random bytes.
pub fn put_random(to: &mut UserBuf<'_>) -> Result<(), IoError> {
    while to.left() > 0 {
        to.put(&random_bytes::<64>())?;
    }
    Ok(())
}

/// Returns random bytes.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&cpu::random_u64().to_le_bytes()[..chunk.len()]);
    }
    bytes
}
