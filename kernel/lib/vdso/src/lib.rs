//! The vDSO as a file: a shared object of one page that programs find mapped, with code that answers without a system call.
//!
//! ```text
//!   0      ELF header, program headers: one segment to load, the dynamic section
//!          symbols, their names, hash table, versions, dynamic section
//!   0x800  the code, which somebody else made
//!   0x1000 end; the page behind it holds what the code reads
//! ```
//!
//! Symbols have the version `LINUX_2.6`, under which libraries look for them. There are no sections: nobody who runs needs them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

/// Bytes of the image.
pub const SIZE: usize = 4096;
/// Where the code lies in it.
pub const CODE_AT: usize = 0x800;
/// The name of the object.
pub const SONAME: &str = "linux-vdso.so.1";
/// The version of every symbol.
pub const VERSION: &str = "LINUX_2.6";

const EHDR_SIZE: usize = 64;
const PHDR_SIZE: usize = 56;
const SYMBOL_SIZE: usize = 24;
/// Where the tables begin: behind two program headers.
const TABLES_AT: usize = EHDR_SIZE + 2 * PHDR_SIZE;

/// What the headers say.
mod elf64 {
    pub(super) const IDENT: [u8; 16] = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    pub(super) const ET_DYN: u16 = 3;
    pub(super) const EM_X86_64: u16 = 62;
    pub(super) const PT_LOAD: u32 = 1;
    pub(super) const PT_DYNAMIC: u32 = 2;
    pub(super) const READ: u32 = 4;
    pub(super) const READ_EXECUTE: u32 = 5;
    pub(super) const GLOBAL_FUNCTION: u8 = 0x12;
    /// Any section will do, as long as it is one.
    pub(super) const SOME_SECTION: u16 = 1;
    pub(super) const DT_HASH: u64 = 4;
    pub(super) const DT_STRTAB: u64 = 5;
    pub(super) const DT_SYMTAB: u64 = 6;
    pub(super) const DT_STRSZ: u64 = 10;
    pub(super) const DT_SYMENT: u64 = 11;
    pub(super) const DT_SONAME: u64 = 14;
    pub(super) const DT_VERSYM: u64 = 0x6fff_fff0;
    pub(super) const DT_VERDEF: u64 = 0x6fff_fffc;
    pub(super) const DT_VERDEFNUM: u64 = 0x6fff_fffd;
}

/// A function: its name, where it begins in the code, and its length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Bytes from the beginning of the code.
    pub at: usize,
    /// Bytes.
    pub len: usize,
}

/// It does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge;

/// Makes the image around `code`, in which `functions` lie.
pub fn build(code: &[u8], functions: &[Function]) -> Result<Vec<u8>, TooLarge> {
    let names = Names::new(functions);
    let mut image = Image(alloc::vec![0; TABLES_AT]);
    let symbols = image.align(8);
    image.0.extend_from_slice(&[0; SYMBOL_SIZE]);
    for (function, name) in functions.iter().zip(&names.functions) {
        image.u32(*name);
        image.0.push(elf64::GLOBAL_FUNCTION);
        image.0.push(0);
        image.u16(elf64::SOME_SECTION);
        image.u64((CODE_AT + function.at) as u64);
        image.u64(function.len as u64);
    }
    let strings = image.align(1);
    image.0.extend_from_slice(&names.bytes);
    let hash = image.hash_table(functions.len());
    let versions = image.versions(functions.len());
    let definitions = image.definitions(&names);
    let dynamic = image.align(8);
    let entries = [
        (elf64::DT_SONAME, names.soname.into()),
        (elf64::DT_HASH, hash as u64),
        (elf64::DT_STRTAB, strings as u64),
        (elf64::DT_SYMTAB, symbols as u64),
        (elf64::DT_STRSZ, names.bytes.len() as u64),
        (elf64::DT_SYMENT, SYMBOL_SIZE as u64),
        (elf64::DT_VERSYM, versions as u64),
        (elf64::DT_VERDEF, definitions as u64),
        (elf64::DT_VERDEFNUM, 2),
        (0, 0),
    ];
    for (tag, value) in entries {
        image.u64(tag);
        image.u64(value);
    }
    let end = image.0.len();
    if end > CODE_AT || code.len() > SIZE - CODE_AT {
        return Err(TooLarge);
    }
    let headers = headers(dynamic, end - dynamic);
    image.0[..headers.len()].copy_from_slice(&headers);
    image.0.resize(CODE_AT, 0);
    image.0.extend_from_slice(code);
    image.0.resize(SIZE, 0);
    Ok(image.0)
}

/// The ELF header and the program headers.
fn headers(dynamic: usize, dynamic_len: usize) -> Vec<u8> {
    let mut out = Image(elf64::IDENT.to_vec());
    out.u16(elf64::ET_DYN);
    out.u16(elf64::EM_X86_64);
    out.u32(1);
    out.u64(CODE_AT as u64);
    out.u64(EHDR_SIZE as u64);
    out.u64(0);
    out.u32(0);
    for half in [EHDR_SIZE, PHDR_SIZE, 2, 0, 0, 0] {
        out.u16(half as u16);
    }
    out.program_header(elf64::PT_LOAD, elf64::READ_EXECUTE, 0, SIZE, 4096);
    out.program_header(elf64::PT_DYNAMIC, elf64::READ, dynamic, dynamic_len, 8);
    out.0
}

/// The string table, and where the names are in it.
struct Names {
    bytes: Vec<u8>,
    functions: Vec<u32>,
    soname: u32,
    version: u32,
}

impl Names {
    fn new(functions: &[Function]) -> Self {
        let mut bytes = alloc::vec![0];
        let mut add = |name: &str| {
            let at = bytes.len() as u32;
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0);
            at
        };
        let functions = functions
            .iter()
            .map(|function| add(function.name))
            .collect();
        let (soname, version) = (add(SONAME), add(VERSION));
        Self {
            bytes,
            functions,
            soname,
            version,
        }
    }
}

/// The hash of a name in the System V ABI.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0, |hash: u32, byte| {
        let next = (hash << 4).wrapping_add(byte.into());
        let high = next & 0xf000_0000;
        (next ^ high >> 24) & !high
    })
}

/// Bytes that grow.
struct Image(Vec<u8>);

impl Image {
    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Fills up to a multiple of `to`, and returns where that is.
    fn align(&mut self, to: usize) -> usize {
        let at = self.0.len().next_multiple_of(to);
        self.0.resize(at, 0);
        at
    }

    fn program_header(&mut self, kind: u32, flags: u32, at: usize, len: usize, align: u64) {
        self.u32(kind);
        self.u32(flags);
        for place in [at; 3] {
            self.u64(place as u64);
        }
        self.u64(len as u64);
        self.u64(len as u64);
        self.u64(align);
    }

    /// One bucket, with all symbols in a chain.
    fn hash_table(&mut self, functions: usize) -> usize {
        let at = self.align(8);
        let symbols = functions as u32 + 1;
        let first = u32::from(functions > 0);
        for word in [1, symbols, first, 0] {
            self.u32(word);
        }
        for symbol in 1..symbols {
            self.u32(if symbol + 1 < symbols { symbol + 1 } else { 0 });
        }
        at
    }

    /// The version of each symbol: the second of the definitions.
    fn versions(&mut self, functions: usize) -> usize {
        let at = self.align(2);
        self.u16(0);
        (0..functions).for_each(|_| self.u16(2));
        at
    }

    /// The definitions of the versions: the object's own name, and [`VERSION`].
    fn definitions(&mut self, names: &Names) -> usize {
        const BASE: u16 = 1;
        const DEFINITION: u32 = 20;
        const WHOLE: u32 = DEFINITION + 8;
        let at = self.align(8);
        let definitions = [
            (BASE, 1, SONAME, names.soname, WHOLE),
            (0, 2, VERSION, names.version, 0),
        ];
        for (flags, index, name, place, next) in definitions {
            for half in [1, flags, index, 1] {
                self.u16(half);
            }
            for word in [hash(name), DEFINITION, next, place, 0] {
                self.u32(word);
            }
        }
        at
    }
}
