//! A maker of small ELF files, and an independent check of what a plan promises.

use addr::{PAGE_SIZE, USER_END};
use exec::LoadPlan;
use pte::Prot;

pub const PT_LOAD: u32 = 1;
pub const PT_INTERP: u32 = 3;
pub const PT_GNU_STACK: u32 = 0x6474_e551;
pub const R: u32 = 4;
pub const W: u32 = 2;
pub const X: u32 = 1;

/// A program header in words.
#[derive(Clone, Debug)]
pub struct Phdr {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub vaddr: u64,
    pub filesz: u64,
    pub memsz: u64,
    pub align: u64,
}

impl Phdr {
    pub fn load(flags: u32, offset: u64, vaddr: u64, filesz: u64, memsz: u64) -> Self {
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
pub struct Image {
    pub dynamic: bool,
    pub entry: u64,
    pub len: usize,
    pub phdrs: Vec<Phdr>,
}

impl Image {
    /// Text, read-only data, and data with a bss, as a linker lays them out.
    pub fn ordinary() -> Self {
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

    pub fn bytes(&self) -> Vec<u8> {
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

/// Asserts everything a plan promises about a file of `file_len` bytes.
pub fn assert_sound(plan: &LoadPlan<'_>, file_len: u64) {
    let mut end = plan.span.start;
    for segment in &plan.segments {
        assert!(!segment.pages.is_empty());
        assert!(segment.pages.start >= end, "overlapping or descending");
        end = segment.pages.end;
        assert!(segment.pages.end.number() * PAGE_SIZE <= USER_END);
        assert!(segment.file_pages <= segment.pages.len());
        let file_end = (segment.file_page + segment.file_pages) * PAGE_SIZE;
        assert!(segment.file_pages == 0 || file_end < file_len + PAGE_SIZE);
        assert_eq!(
            segment.file_range().len() + segment.anon_range().len(),
            segment.pages.len()
        );
        let tail = &segment.zero_tail;
        if !tail.is_empty() {
            assert!(segment.prot.contains(Prot::WRITE));
            assert_eq!(tail.end, segment.file_range().end.start().as_u64());
            assert!(tail.end - tail.start < PAGE_SIZE);
        }
    }
    assert_eq!(plan.span.end, end);
    assert_eq!(plan.brk_start, end.start().as_u64());
    assert!(plan.entry < USER_END);
    assert!(plan.align.is_power_of_two() && plan.align >= PAGE_SIZE);
}
