//! QEMU's fw_cfg device: named files the emulator's user hands to the machine.
//!
//! The kernel command line comes this way, without a new disk image, and so can anything large: a
//! transfer by DMA takes one exit from the emulator where port reads take one for each byte.
//! Every loop is bounded by what the device says, and that by [`MOST_FILES`].
#![expect(unsafe_code, reason = "transfers that write physical memory")]

use addr::{PhysAddr, VirtAddr};

use super::port::{FW_CFG_DATA, FW_CFG_DMA_HIGH, FW_CFG_DMA_LOW, FW_CFG_SELECTOR};

const SELECT_SIGNATURE: u16 = 0x0000;
const SELECT_FEATURES: u16 = 0x0001;
const SELECT_DIRECTORY: u16 = 0x0019;
/// Feature bit: transfers by DMA.
const FEATURE_DMA: u32 = 1 << 1;
/// More entries than any emulator has.
const MOST_FILES: u32 = 4096;
/// Bytes of a file's name in the directory, zeros at the end included.
const NAME_SIZE: usize = 56;

/// A file in the device's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    selector: u16,
    size: u32,
}

impl File {
    /// Returns the file's length in bytes.
    pub fn size(&self) -> usize {
        self.size as usize
    }
}

/// Returns whether the device is there.
pub fn present() -> bool {
    select(SELECT_SIGNATURE);
    read_bytes() == *b"QEMU"
}

/// Returns whether the device is there and can transfer by DMA.
pub fn has_dma() -> bool {
    if !present() {
        return false;
    }
    select(SELECT_FEATURES);
    // The one number of this device that is little-endian.
    u32::from_le_bytes(read_bytes()) & FEATURE_DMA != 0
}

/// Returns the file called `name`, if the device is there and has it.
pub fn find(name: &str) -> Option<File> {
    if !present() {
        return None;
    }
    select(SELECT_DIRECTORY);
    let count = u32::from_be_bytes(read_bytes()).min(MOST_FILES);
    (0..count).find_map(|_| next_entry(name))
}

/// Reads the next directory entry and returns its file if it is called `name`.
fn next_entry(name: &str) -> Option<File> {
    let size = u32::from_be_bytes(read_bytes());
    let selector = u16::from_be_bytes(read_bytes());
    let _reserved: [u8; 2] = read_bytes();
    let entry_name: [u8; NAME_SIZE] = read_bytes();
    let length = entry_name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(NAME_SIZE);
    (entry_name[..length] == *name.as_bytes()).then_some(File { selector, size })
}

/// Fills `buffer` from the start of the file, byte by byte, and returns how many bytes there were.
pub fn read(file: File, buffer: &mut [u8]) -> usize {
    select(file.selector);
    let count = buffer.len().min(file.size());
    buffer[..count].fill_with(|| FW_CFG_DATA.read());
    count
}

fn select(selector: u16) {
    FW_CFG_SELECTOR.write(selector);
}

fn read_bytes<const N: usize>() -> [u8; N] {
    core::array::from_fn(|_| FW_CFG_DATA.read())
}

/// What the device reads to learn what to transfer; all numbers big-endian.
#[repr(C)]
struct Descriptor {
    control: u32,
    length: u32,
    address: u64,
}

/// Control: the device failed.
const CONTROL_ERROR: u32 = 1;
/// Control: from device to memory.
const CONTROL_READ: u32 = 1 << 1;
/// Control: the upper half is a selector.
const CONTROL_SELECT: u32 = 1 << 3;
/// How often to look whether a transfer is over; QEMU finishes before the next instruction.
const PATIENCE: u32 = 10_000_000;

/// Sixteen bytes of memory for the description of a transfer.
///
/// # Invariants
/// `virt` and `phys` name the same 8-byte aligned memory, which nobody else uses.
#[derive(Clone, Copy, Debug)]
pub struct Scratch {
    virt: VirtAddr,
    phys: PhysAddr,
}

impl Scratch {
    /// Names memory for the description of a transfer.
    ///
    /// # Safety
    /// `virt` maps `phys`; both are 8-byte aligned; the 16 bytes there are nobody else's.
    pub const unsafe fn new(virt: VirtAddr, phys: PhysAddr) -> Self {
        Self { virt, phys }
    }
}

/// Transfers the first `length` bytes of the file to physical memory at `target`.
///
/// # Errors
/// If the device reports an error or does not finish.
///
/// # Safety
/// [`has_dma`] said yes, and the memory at `target` is the caller's to overwrite.
pub unsafe fn read_dma(
    file: File,
    scratch: Scratch,
    target: PhysAddr,
    length: usize,
) -> Result<(), &'static str> {
    let length = u32::try_from(length).map_err(|_| "a fw_cfg transfer of 4 GiB or more")?;
    let control = u32::from(file.selector) << 16 | CONTROL_SELECT | CONTROL_READ;
    let descriptor = Descriptor {
        control: control.to_be(),
        length: length.min(file.size).to_be(),
        address: target.as_u64().to_be(),
    };
    let place: *mut Descriptor =
        core::ptr::with_exposed_provenance_mut(scratch.virt.as_u64() as usize);
    // SAFETY: the scratch memory is ours (its invariant).
    unsafe { place.write_volatile(descriptor) };
    let address = scratch.phys.as_u64();
    FW_CFG_DMA_HIGH.write(((address >> 32) as u32).to_be());
    // SAFETY: the description names memory that is the caller's.
    unsafe { FW_CFG_DMA_LOW.write((address as u32).to_be()) };
    let control = place.cast::<u32>();
    // SAFETY: `control` is the description's first field; the device writes it, hence the volatile read.
    wait_until_done(|| u32::from_be(unsafe { control.read_volatile() }))
}

fn wait_until_done(control: impl Fn() -> u32) -> Result<(), &'static str> {
    for _ in 0..PATIENCE {
        match control() {
            0 => return Ok(()),
            state if state & CONTROL_ERROR != 0 => return Err("fw_cfg reports an error"),
            _ => super::cpu::relax(),
        }
    }
    Err("fw_cfg does not finish a transfer")
}
