//! The image as somebody who never saw this crate reads it.

use elf::ElfBytes;
use elf::abi::{DT_HASH, DT_SONAME, DT_VERDEF, DT_VERSYM, PT_DYNAMIC, PT_LOAD};
use elf::endian::LittleEndian;
use vdso::{CODE_AT, Function, SIZE, SONAME, TooLarge, build};

const FUNCTIONS: [Function; 2] = [
    Function {
        name: "__vdso_first",
        at: 0,
        len: 3,
    },
    Function {
        name: "__vdso_second",
        at: 16,
        len: 4,
    },
];

fn word(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([0, 1, 2, 3].map(|byte| image[at + byte]))
}

#[test]
fn it_is_a_shared_object_with_symbols_and_versions() {
    let code = [0x90; 20];
    let image = build(&code, &FUNCTIONS).expect("it fits");
    assert_eq!(image.len(), SIZE);
    assert_eq!(&image[CODE_AT..CODE_AT + 20], &code);
    let file = ElfBytes::<LittleEndian>::minimal_parse(&image).expect("an ELF file");
    let segments = file.segments().expect("program headers");
    let kinds: Vec<u32> = segments.iter().map(|header| header.p_type).collect();
    assert_eq!(kinds, [PT_LOAD, PT_DYNAMIC]);
    let dynamic = file
        .dynamic()
        .expect("readable")
        .expect("a dynamic section");
    let value = |tag: i64| {
        let entry = dynamic.iter().find(|entry| entry.d_tag == tag);
        entry.expect("an entry").d_val() as usize
    };
    let (strings, symbols, hash) = (value(5), value(6), value(DT_HASH));
    let name = |at: usize| {
        let text = &image[strings + at..];
        let end = text.iter().position(|byte| *byte == 0).expect("an end");
        String::from_utf8_lossy(&text[..end]).into_owned()
    };
    assert_eq!(name(value(DT_SONAME)), SONAME);
    // Down the one chain: every function, under its version.
    assert_eq!((word(&image, hash), word(&image, hash + 4)), (1, 3));
    let mut index = word(&image, hash + 8) as usize;
    let mut found = Vec::new();
    while index != 0 {
        let symbol = symbols + 24 * index;
        let at = word(&image, symbol + 8) as usize - CODE_AT;
        found.push((name(word(&image, symbol) as usize), at));
        let version = value(DT_VERSYM) + 2 * index;
        assert_eq!(image[version..version + 2], [2, 0]);
        index = word(&image, hash + 12 + 4 * index) as usize;
    }
    let wanted = FUNCTIONS.map(|function| (function.name.to_owned(), function.at));
    assert_eq!(found, wanted);
    // The second definition is the version, with the hash that the ABI says.
    let second = value(DT_VERDEF) + word(&image, value(DT_VERDEF) + 16) as usize;
    assert_eq!(word(&image, second + 8), 0x03ae_75f6);
    assert_eq!(name(word(&image, second + 20) as usize), "LINUX_2.6");
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(build(&[0; SIZE], &[]), Err(TooLarge));
}
