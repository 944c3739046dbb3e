//! A maker of small ELF files.

pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_INTERP: u32 = 3;
pub(crate) const PT_GNU_STACK: u32 = 0x6474_e551;
pub(crate) const R: u32 = 4;
pub(crate) const W: u32 = 2;
pub(crate) const X: u32 = 1;

/// A program header in words.
#[derive(Clone, Debug)]
pub(crate) struct Phdr {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) vaddr: u64,
    pub(crate) filesz: u64,
    pub(crate) memsz: u64,
    pub(crate) align: u64,
}

impl Phdr {
    pub(crate) fn load(flags: u32, offset: u64, vaddr: u64, filesz: u64, memsz: u64) -> Self {
        Self {
            kind: PT_LOAD,
            flags,
            offset,
            vaddr,
            filesz,
            memsz,
            align: 0x1000,
        }
    }
}

/// An ELF file of `len` bytes with these program headers.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) dynamic: bool,
    pub(crate) entry: u64,
    pub(crate) len: usize,
    pub(crate) phdrs: Vec<Phdr>,
}

impl Image {
    /// Text, read-only data, and data with a bss, as a linker lays them out.
    pub(crate) fn ordinary() -> Self {
        Self {
            dynamic: false,
            entry: 0x40_1000,
            len: 0x5000,
            phdrs: vec![
                Phdr::load(R, 0, 0x40_0000, 0x200, 0x200),
                Phdr::load(R | X, 0x1000, 0x40_1000, 0x1234, 0x1234),
                Phdr::load(R, 0x3000, 0x40_3000, 0x10, 0x10),
                Phdr::load(R | W, 0x3ef0, 0x40_4ef0, 0x210, 0x3000),
            ],
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut file = Vec::new();
        file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file.extend_from_slice(&(if self.dynamic { 3_u16 } else { 2 }).to_le_bytes());
        file.extend_from_slice(&62_u16.to_le_bytes());
        file.extend_from_slice(&1_u32.to_le_bytes());
        for word in [self.entry, 64, 0] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&0_u32.to_le_bytes());
        for half in [64, 56, self.phdrs.len() as u16, 64, 0, 0] {
            file.extend_from_slice(&half.to_le_bytes());
        }
        for phdr in &self.phdrs {
            file.extend_from_slice(&phdr.kind.to_le_bytes());
            file.extend_from_slice(&phdr.flags.to_le_bytes());
            let words = [
                phdr.offset,
                phdr.vaddr,
                phdr.vaddr,
                phdr.filesz,
                phdr.memsz,
                phdr.align,
            ];
            for word in words {
                file.extend_from_slice(&word.to_le_bytes());
            }
        }
        file.resize(self.len.max(file.len()), 0xa5);
        file
    }
}
