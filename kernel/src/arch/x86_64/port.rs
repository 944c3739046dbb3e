//! Every I/O port the kernel uses, in one table.
//!
//! A [`Port`] can only be made in this file, so the table says all that the kernel can do to the
//! machine through ports. None of the devices below writes memory when its ports are accessed, so
//! reading and writing them is safe in Rust's sense; the one exception, fw_cfg's DMA address, is an
//! [`UnsafePort`].
#![expect(unsafe_code, reason = "IN and OUT instructions")]

use core::marker::PhantomData;

use x86_64::instructions::port::{Port as RawPort, PortRead, PortWrite};

/// An I/O port whose accesses cannot touch memory.
#[derive(Clone, Copy)]
pub struct Port<T> {
    number: u16,
    width: PhantomData<T>,
}

/// The master interrupt controller: commands.
pub const PIC1_COMMAND: Port<u8> = Port::at(0x20);
/// The master interrupt controller: masks, and the later words of its initialisation.
pub const PIC1_DATA: Port<u8> = Port::at(0x21);
/// The slave interrupt controller: commands.
pub const PIC2_COMMAND: Port<u8> = Port::at(0xa0);
/// The slave interrupt controller: masks, and the later words of its initialisation.
pub const PIC2_DATA: Port<u8> = Port::at(0xa1);
/// The timer chip's channel 2 counter.
pub const PIT_CHANNEL2: Port<u8> = Port::at(0x42);
/// The timer chip's mode register.
pub const PIT_COMMAND: Port<u8> = Port::at(0x43);
/// Channel 2's gate (bit 0), the loudspeaker (bit 1) and channel 2's output (bit 5).
pub const PIT_GATE: Port<u8> = Port::at(0x61);
/// The clock chip's register number; bit 7 would mask NMI.
pub const CMOS_INDEX: Port<u8> = Port::at(0x70);
/// The clock chip's register.
pub const CMOS_DATA: Port<u8> = Port::at(0x71);
/// A port nothing listens to: one access takes about a microsecond on old buses.
pub const POST_CODE: Port<u8> = Port::at(0x80);
/// The emulator's exit device.
pub const DEBUG_EXIT: Port<u32> = Port::at(0xf4);
/// fw_cfg: which item is read.
pub const FW_CFG_SELECTOR: Port<u16> = Port::at(0x510);
/// fw_cfg: the item's next byte.
pub const FW_CFG_DATA: Port<u8> = Port::at(0x511);
/// fw_cfg: upper half of the physical address of a transfer's description.
pub const FW_CFG_DMA_HIGH: Port<u32> = Port::at(0x514);
/// fw_cfg: lower half of that address; writing it starts the transfer.
pub const FW_CFG_DMA_LOW: UnsafePort<u32> = UnsafePort(Port::at(0x518));

impl<T> Port<T> {
    const fn at(number: u16) -> Self {
        Self {
            number,
            width: PhantomData,
        }
    }
}

impl<T: PortRead> Port<T> {
    /// Reads the port.
    #[inline]
    pub fn read(self) -> T {
        // SAFETY: the table above holds no port whose reading touches memory.
        unsafe { RawPort::new(self.number).read() }
    }
}

impl<T: PortWrite> Port<T> {
    /// Writes the port.
    #[inline]
    pub fn write(self, value: T) {
        // SAFETY: the table above holds no port whose writing touches memory.
        unsafe { RawPort::new(self.number).write(value) }
    }
}

/// An I/O port through which a device can be told to write memory.
pub struct UnsafePort<T>(Port<T>);

impl<T: PortWrite> UnsafePort<T> {
    /// Writes the port.
    ///
    /// # Safety
    /// What the device does with `value` must not break anybody's memory.
    pub unsafe fn write(self, value: T) {
        self.0.write(value);
    }
}
