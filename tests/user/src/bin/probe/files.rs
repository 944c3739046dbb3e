//! Files in memory: mappings of the program's own file, its last page, its descriptors (HF-11…HF-14, VM-3).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::probe::{Topic, Verdict, dies, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "files",
    about: "the program's own file, read and mapped",
    cases: &[
        ("mapping_equals_reading", mapping_equals_reading),
        ("offset_is_honoured", offset_is_honoured),
        (
            "tail_of_the_last_page_is_zero",
            tail_of_the_last_page_is_zero,
        ),
        (
            "mapping_outlives_its_descriptor",
            mapping_outlives_its_descriptor,
        ),
        ("two_mappings_see_one_file", two_mappings_see_one_file),
        ("private_writes_are_private", private_writes_are_private),
        ("own_code_is_the_file", own_code_is_the_file),
        ("refused_mappings", refused_mappings),
        ("part_of_a_mapping_unmapped", part_of_a_mapping_unmapped),
        ("read_and_seek", read_and_seek),
        ("pread", pread),
        (
            "duplicate_shares_its_position",
            duplicate_shares_its_position,
        ),
        ("missing_file", missing_file),
        ("file_is_no_directory", file_is_no_directory),
        ("root_is_a_directory", root_is_a_directory),
        ("bad_descriptors", bad_descriptors),
        (
            "position_is_shared_with_a_child",
            position_is_shared_with_a_child,
        ),
    ],
};

fn text(error: std::io::Error) -> String {
    error.to_string()
}

fn own_file() -> Result<File, String> {
    File::open(std::env::current_exe().map_err(text)?).map_err(text)
}

fn own_bytes() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    own_file()?.read_to_end(&mut bytes).map_err(text)?;
    holds("the file has some pages", bytes.len() > 4 * PAGE as usize)?;
    Ok(bytes)
}

fn map_file(file: &File, pages: u64, prot: i32, offset: u64) -> Result<Map, String> {
    let flags = libc::MAP_PRIVATE;
    let start = must(
        "mmap of a file",
        sys::mmap(0, pages * PAGE, prot, flags, file.as_raw_fd(), offset),
    )?;
    Ok(Map { start, pages })
}

fn bytes_of(map: Map, len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|at| mem::peek(map.start + at))
        .collect()
}

fn mapping_equals_reading() -> Verdict {
    let bytes = own_bytes()?;
    let pages = (bytes.len() as u64).div_ceil(PAGE);
    let map = map_file(&own_file()?, pages, map::R, 0)?;
    let differs = (0..bytes.len()).find(|at| mem::peek(map.start + *at as u64) != bytes[*at]);
    same("the first byte that differs", differs, None)
}

fn offset_is_honoured() -> Verdict {
    let bytes = own_bytes()?;
    let file = own_file()?;
    for page in [1, 3, 2] {
        let map = map_file(&file, 1, map::R, page * PAGE)?;
        let want = &bytes[(page * PAGE) as usize..][..PAGE as usize];
        holds(
            "a page from the middle",
            bytes_of(map, PAGE as usize) == want,
        )?;
    }
    Ok(())
}

fn tail_of_the_last_page_is_zero() -> Verdict {
    let size = own_file()?.metadata().map_err(text)?.len();
    let last = size / PAGE;
    holds("the file does not fill its last page", size % PAGE != 0)?;
    let map = map_file(&own_file()?, 1, map::RW, last * PAGE)?;
    let tail = || (size % PAGE..PAGE).all(|at| mem::peek(map.start + at) == 0);
    holds("its tail reads zero", tail())?;
    mem::poke(map.start, 1);
    holds("and still after a copy", tail())
}

fn mapping_outlives_its_descriptor() -> Verdict {
    let map = {
        let file = own_file()?;
        map_file(&file, 2, map::R, 0)?
    };
    same("the file's magic", bytes_of(map, 4), b"\x7fELF".to_vec())?;
    lives("a child sees it", || {
        i32::from(mem::peek(map.start + 1) != b'E')
    })
}

fn two_mappings_see_one_file() -> Verdict {
    let file = own_file()?;
    let (first, second) = (
        map_file(&file, 2, map::R, 0)?,
        map_file(&file, 2, map::R, 0)?,
    );
    holds("they are apart", first.start != second.start)?;
    holds("and equal", bytes_of(first, 8192) == bytes_of(second, 8192))
}

fn private_writes_are_private() -> Verdict {
    let file = own_file()?;
    let (mine, other) = (
        map_file(&file, 3, map::RW, 0)?,
        map_file(&file, 3, map::RW, 0)?,
    );
    (0..3).for_each(|page| mem::poke(mine.page(page) + 1, 200));
    let clean = own_bytes()?;
    (0..3).try_for_each(|page| {
        let at = page * PAGE + 1;
        same(
            "the other mapping",
            mem::peek(other.start + at),
            clean[at as usize],
        )?;
        same("my own", mem::peek(mine.start + at), 200)
    })
}

/// The running code was mapped from the file, so its bytes are there.
fn own_code_is_the_file() -> Verdict {
    let code = own_code_is_the_file as *const () as u64;
    let here: Vec<u8> = (0..32).map(|at| mem::peek(code + at)).collect();
    let bytes = own_bytes()?;
    holds(
        "this function's bytes are in the file",
        bytes.windows(32).any(|window| window == here),
    )
}

fn refused_mappings() -> Verdict {
    let file = own_file()?;
    let fd = file.as_raw_fd();
    let of = |len, prot, flags, offset| sys::mmap(0, len, prot, flags, fd, offset);
    refused(
        "length 0",
        of(0, map::R, libc::MAP_PRIVATE, 0),
        libc::EINVAL,
    )?;
    refused(
        "an odd offset",
        of(PAGE, map::R, libc::MAP_PRIVATE, 100),
        libc::EINVAL,
    )?;
    refused("no type", of(PAGE, map::R, 0, 0), libc::EINVAL)?;
    refused(
        "shared and writable",
        of(PAGE, map::RW, libc::MAP_SHARED, 0),
        libc::EACCES,
    )?;
    refused(
        "growing",
        of(PAGE, map::R, libc::MAP_PRIVATE | libc::MAP_GROWSDOWN, 0),
        libc::EINVAL,
    )?;
    refused(
        "past all offsets",
        of(2 * PAGE, map::R, libc::MAP_PRIVATE, u64::MAX - PAGE + 1),
        libc::EOVERFLOW,
    )?;
    let shared = must(
        "shared and read-only",
        of(PAGE, map::R, libc::MAP_SHARED, 0),
    )?;
    refused(
        "making it writable",
        sys::mprotect(shared, PAGE, map::RW),
        libc::EACCES,
    )?;
    let [reader, _writer] = must("pipe", sys::pipe())?;
    refused(
        "a pipe",
        sys::mmap(0, PAGE, map::R, libc::MAP_PRIVATE, reader, 0),
        libc::ENODEV,
    )
}

fn part_of_a_mapping_unmapped() -> Verdict {
    let bytes = own_bytes()?;
    let map = map_file(&own_file()?, 4, map::R, 0)?;
    must("munmap", sys::munmap(map.page(1), PAGE))?;
    same("before the hole", mem::peek(map.start), 0x7f)?;
    let after = bytes_of(
        Map {
            start: map.page(2),
            pages: 2,
        },
        2 * PAGE as usize,
    );
    holds(
        "after the hole the offsets are right",
        after == bytes[2 * PAGE as usize..4 * PAGE as usize],
    )?;
    dies("the hole", libc::SIGSEGV, || {
        i32::from(mem::peek(map.page(1)))
    })
}

fn read_and_seek() -> Verdict {
    let mut file = own_file()?;
    let size = file.metadata().map_err(text)?.len();
    let mut magic = [0_u8; 4];
    file.read_exact(&mut magic).map_err(text)?;
    same("the magic", &magic, b"\x7fELF")?;
    same("the position", file.stream_position().map_err(text)?, 4)?;
    same("the end", file.seek(SeekFrom::End(0)).map_err(text)?, size)?;
    same("a read there", file.read(&mut magic).map_err(text)?, 0)?;
    same(
        "back",
        file.seek(SeekFrom::Current(-(size as i64))).map_err(text)?,
        0,
    )?;
    let before = sys::call(libc::SYS_lseek, [file.as_raw_fd() as u64, u64::MAX, 0]);
    refused("before the start", before, libc::EINVAL)
}

fn pread() -> Verdict {
    let bytes = own_bytes()?;
    let file = own_file()?;
    let mut part = [0_u8; 100];
    let args = [file.as_raw_fd() as u64, sys::at(&mut part), 100, 5000];
    same(
        "bytes",
        must("pread64", sys::call(libc::SYS_pread64, args))?,
        100,
    )?;
    holds("they are the file's", part == bytes[5000..5100])?;
    let position = sys::call(libc::SYS_lseek, [file.as_raw_fd() as u64, 0, 1]);
    same("the position", position, Ok(0))
}

fn duplicate_shares_its_position() -> Verdict {
    let mut file = own_file()?;
    let mut twin = file.try_clone().map_err(text)?;
    let mut byte = [0_u8; 1];
    file.read_exact(&mut byte).map_err(text)?;
    twin.read_exact(&mut byte).map_err(text)?;
    same("the second byte", byte[0], b'E')?;
    drop(file);
    twin.read_exact(&mut byte).map_err(text)?;
    same(
        "the third, after the first descriptor has gone",
        byte[0],
        b'L',
    )
}

fn missing_file() -> Verdict {
    let path = c"/no/such/file";
    refused("open", sys::open(path), libc::ENOENT)?;
    refused("open of nothing", sys::open(c""), libc::ENOENT)
}

fn file_is_no_directory() -> Verdict {
    let exe = std::env::current_exe().map_err(text)?;
    let below =
        std::ffi::CString::new(format!("{}/x", exe.display())).map_err(|e| e.to_string())?;
    refused("open below a file", sys::open(&below), libc::ENOTDIR)
}

fn root_is_a_directory() -> Verdict {
    let root = must("open of /", sys::open(c"/"))?;
    let mut room = [0_u8; 16];
    refused(
        "read",
        sys::read(root, sys::at(&mut room), 16),
        libc::EISDIR,
    )?;
    refused(
        "mmap",
        sys::mmap(0, PAGE, map::R, libc::MAP_PRIVATE, root, 0),
        libc::ENODEV,
    )
}

fn bad_descriptors() -> Verdict {
    let mut room = [0_u8; 16];
    for fd in [-1, 57, 1_000_000, i32::MAX] {
        refused("read", sys::read(fd, sys::at(&mut room), 16), libc::EBADF)?;
        refused("write", sys::write(fd, sys::at(&mut room), 16), libc::EBADF)?;
        refused("close", sys::close(fd), libc::EBADF)?;
    }
    let [reader, writer] = must("pipe", sys::pipe())?;
    refused(
        "write to the reading end",
        sys::write(reader, sys::at(&mut room), 1),
        libc::EBADF,
    )?;
    refused(
        "read from the writing end",
        sys::read(writer, sys::at(&mut room), 1),
        libc::EBADF,
    )?;
    let file = own_file()?;
    refused(
        "write to a file open for reading",
        sys::write(file.as_raw_fd(), sys::at(&mut room), 1),
        libc::EBADF,
    )
}

fn position_is_shared_with_a_child() -> Verdict {
    let mut file = own_file()?;
    let fd = file.as_raw_fd();
    lives("the child reads one byte", || {
        let mut byte = [0_u8];
        i32::from(sys::read(fd, sys::at(&mut byte), 1) != Ok(1))
    })?;
    let mut byte = [0_u8];
    file.read_exact(&mut byte).map_err(text)?;
    same("the parent reads the next", byte[0], b'E')
}
