//! The file header and the table of program headers, checked.

use elf::abi::{EM_X86_64, ET_DYN, ET_EXEC, PT_INTERP};
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::segment::ProgramHeader;

use crate::{ExecError, Kind};

/// Bytes of the file header.
const EHDR_SIZE: usize = 64;
/// Bytes of the identification that opens it.
const IDENT_SIZE: usize = 16;
/// Bytes of one program header.
pub(crate) const PHDR_SIZE: u16 = 56;
/// One program header as it lies in the file.
type RawHeader = [u8; PHDR_SIZE as usize];
/// Linux refuses a table of program headers larger than this.
const MAX_TABLE: usize = 65536;
/// Longest interpreter name with its NUL.
const PATH_MAX: u64 = 4096;

/// A file's headers.
pub(crate) struct Headers<'a> {
    pub(crate) kind: Kind,
    pub(crate) entry: u64,
    pub(crate) phoff: u64,
    pub(crate) phnum: u16,
    table: &'a [RawHeader],
}

impl<'a> Headers<'a> {
    /// Reads the headers at the start of `head`, which must hold all of them.
    pub(crate) fn parse(head: &'a [u8]) -> Result<Self, ExecError> {
        let header = file_header(head)?;
        Ok(Self {
            kind: kind(header.e_type)?,
            entry: header.e_entry,
            phoff: header.e_phoff,
            phnum: header.e_phnum,
            table: program_headers(head, &header)?,
        })
    }

    /// Visits the program headers of one type in the table's order.
    pub(crate) fn of_type(&self, p_type: u32) -> impl Iterator<Item = ProgramHeader> {
        let table = self.table.iter();
        let wanted = table.filter(move |raw| word(raw, 0) == p_type);
        wanted.map(program_header)
    }

    /// Returns the name of the interpreter, without its NUL.
    pub(crate) fn interpreter(&self, head: &'a [u8]) -> Result<Option<&'a [u8]>, ExecError> {
        let Some(header) = self.of_type(PT_INTERP).next() else {
            return Ok(None);
        };
        let bytes = bytes_at(head, header.p_offset, header.p_filesz);
        let name = bytes.filter(|_| header.p_filesz <= PATH_MAX);
        match name.and_then(<[u8]>::split_last) {
            Some((0, name)) if !name.is_empty() => Ok(Some(until_nul(name))),
            _ => Err(ExecError::BadInterpreter),
        }
    }
}

fn file_header(head: &[u8]) -> Result<FileHeader<LittleEndian>, ExecError> {
    let head = head.get(..EHDR_SIZE).ok_or(ExecError::NotElf)?;
    if !head.starts_with(&elf::abi::ELFMAGIC) {
        return Err(ExecError::NotElf);
    }
    let ident = parse_ident(head).map_err(|_| ExecError::WrongMachine)?;
    let header =
        FileHeader::parse_tail(ident, &head[IDENT_SIZE..]).map_err(|_| ExecError::NotElf)?;
    match (header.class, header.e_machine) {
        (Class::ELF64, EM_X86_64) => Ok(header),
        _ => Err(ExecError::WrongMachine),
    }
}

const fn kind(e_type: u16) -> Result<Kind, ExecError> {
    match e_type {
        ET_EXEC => Ok(Kind::Fixed),
        ET_DYN => Ok(Kind::Pie),
        _ => Err(ExecError::WrongType),
    }
}

/// Reads a 64-bit header; field by field, as most of them are looked at more than once.
fn program_header(raw: &RawHeader) -> ProgramHeader {
    ProgramHeader {
        p_type: word(raw, 0),
        p_flags: word(raw, 4),
        p_offset: long(raw, 8),
        p_vaddr: long(raw, 16),
        p_paddr: long(raw, 24),
        p_filesz: long(raw, 32),
        p_memsz: long(raw, 40),
        p_align: long(raw, 48),
    }
}

#[inline]
fn word(raw: &RawHeader, at: usize) -> u32 {
    u32::from_le_bytes(core::array::from_fn(|byte| raw[at + byte]))
}

#[inline]
fn long(raw: &RawHeader, at: usize) -> u64 {
    u64::from_le_bytes(core::array::from_fn(|byte| raw[at + byte]))
}

fn program_headers<'a>(
    head: &'a [u8],
    header: &FileHeader<LittleEndian>,
) -> Result<&'a [RawHeader], ExecError> {
    let size = usize::from(header.e_phnum) * usize::from(PHDR_SIZE);
    if header.e_phentsize != PHDR_SIZE || size == 0 || size > MAX_TABLE {
        return Err(ExecError::BadProgramHeaders);
    }
    bytes_at(head, header.e_phoff, size as u64)
        .map(|table| table.as_chunks().0)
        .ok_or(ExecError::BadProgramHeaders)
}

fn bytes_at(head: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    head.get(start..end)
}

fn until_nul(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == 0).next().unwrap_or(name)
}
