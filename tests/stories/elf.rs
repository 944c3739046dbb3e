//! Executables made byte by byte: one that is right, and many that are wrong in one place each.

/// Is a file's name and contents.
pub(crate) type Named = (&'static str, Vec<u8>);

const BASE: u64 = 0x40_0000;
const HEADERS: u64 = 64 + 56;
const PROGRAM_HEADER: usize = 64;

/// `mov edi, 42; mov eax, 231; syscall`: exits with 42.
const CODE: [u8; 12] = [0xbf, 42, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05];

/// Makes the smallest program that exits with 42.
pub(crate) fn good() -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut put = |bytes: &[u8]| file.extend_from_slice(bytes);
    put(&2_u16.to_le_bytes()); // ET_EXEC
    put(&62_u16.to_le_bytes()); // x86-64
    put(&1_u32.to_le_bytes());
    put(&(BASE + HEADERS).to_le_bytes()); // entry
    put(&64_u64.to_le_bytes()); // program headers
    put(&0_u64.to_le_bytes());
    put(&0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        put(&half.to_le_bytes());
    }
    let size = HEADERS + CODE.len() as u64;
    put(&1_u32.to_le_bytes()); // PT_LOAD
    put(&5_u32.to_le_bytes()); // readable, executable
    for word in [0, BASE, BASE, size, size, 4096] {
        put(&word.to_le_bytes());
    }
    put(&CODE);
    file
}

/// Makes the good file with some bytes replaced.
fn with(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut file = good();
    for (at, bytes) in changes {
        file[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    file
}

fn word(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

/// Offsets of the fields that are spoiled.
const ENTRY: usize = 24;
const PHOFF: usize = 32;
const PHENTSIZE: usize = 54;
const PHNUM: usize = 56;
const P_TYPE: usize = PROGRAM_HEADER;
const P_OFFSET: usize = PROGRAM_HEADER + 8;
const P_VADDR: usize = PROGRAM_HEADER + 16;
const P_FILESZ: usize = PROGRAM_HEADER + 32;
const P_MEMSZ: usize = PROGRAM_HEADER + 40;

/// Gives the good file, and every way to spoil it.
pub(crate) fn files() -> Vec<Named> {
    let high = word(0xffff_8880_0000_0000);
    let huge = word(u64::MAX - 100);
    vec![
        ("good", good()),
        ("empty", vec![]),
        ("one-byte", vec![0x7f]),
        ("text", b"this is no program\n".to_vec()),
        ("half-a-header", good()[..40].to_vec()),
        ("header-only", good()[..64].to_vec()),
        ("half-a-program-header", good()[..100].to_vec()),
        ("big-endian-machine", with(&[(18, &[0, 62])])),
        ("other-machine", with(&[(18, &[183, 0])])),
        ("no-executable", with(&[(16, &[1, 0])])),
        ("core-file", with(&[(16, &[4, 0])])),
        ("no-program-headers", with(&[(PHNUM, &[0, 0])])),
        ("many-program-headers", with(&[(PHNUM, &[0xff, 0xff])])),
        ("small-program-headers", with(&[(PHENTSIZE, &[8, 0])])),
        ("program-headers-beyond", with(&[(PHOFF, &word(1 << 40))])),
        ("program-headers-wrap", with(&[(PHOFF, &huge)])),
        ("nothing-to-load", with(&[(P_TYPE, &[4, 0, 0, 0])])),
        ("entry-in-kernel", with(&[(ENTRY, &high)])),
        (
            "entry-not-canonical",
            with(&[(ENTRY, &word(0x8000_0000_0000))]),
        ),
        ("entry-null", with(&[(ENTRY, &word(0))])),
        ("entry-beside", with(&[(ENTRY, &word(BASE + 0x10_0000))])),
        ("segment-in-kernel", with(&[(P_VADDR, &high)])),
        (
            "segment-over-the-end",
            with(&[(P_VADDR, &word(0x7fff_ffff_e000)), (P_MEMSZ, &word(0x4000))]),
        ),
        ("segment-wraps", with(&[(P_MEMSZ, &huge)])),
        ("segment-huge", with(&[(P_MEMSZ, &word(1 << 47))])),
        ("file-larger-than-memory", with(&[(P_MEMSZ, &word(16))])),
        ("offset-wraps", with(&[(P_OFFSET, &word(u64::MAX - 0xfff))])),
        ("offset-not-congruent", with(&[(P_OFFSET, &word(0x10))])),
        (
            "file-size-wraps",
            with(&[(P_FILESZ, &huge), (P_MEMSZ, &huge)]),
        ),
    ]
}
