//! Names the addresses in a kernel log: the kernel prints numbers, the symbols stay on the host.
//!
//! Two forms are known, wherever they stand in a line: a backtrace's `#3 0xffffffff80012345`, which is
//! a return address (so the call before it is what is named), and `rip ffffffff80012345`, which is the
//! instruction itself. The name is appended to the line. Bytes are passed on as they come, so
//! that a prompt without a line end is seen at once.

use std::path::{Path, PathBuf};

use addr2line::Loader;

/// A filter for one log.
pub struct Symboliser {
    kernel: PathBuf,
    /// Loaded when the first address turns up; most logs have none.
    loader: Option<Option<Loader>>,
    line: Vec<u8>,
}

/// A code address found in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    address: u64,
    /// It follows a call, and the call is meant.
    is_return: bool,
}

impl Symboliser {
    /// Makes a filter that takes its names from this kernel, the one with symbols.
    pub fn new(kernel: PathBuf) -> Self {
        Self {
            kernel,
            loader: None,
            line: Vec::new(),
        }
    }

    /// Takes the next bytes of the log and returns them with names put in.
    pub fn filter(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.end_of_line(&mut out);
            } else {
                self.line.push(byte);
            }
            out.push(byte);
        }
        out
    }

    /// Ends the log: a last line without a line end gets its name too.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.end_of_line(&mut out);
        out
    }

    fn end_of_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        if let Some(name) = find(&String::from_utf8_lossy(&line)).and_then(|found| self.name(found))
        {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        }
    }

    fn name(&mut self, found: Found) -> Option<String> {
        let kernel = &self.kernel;
        let loader = self
            .loader
            .get_or_insert_with(|| Loader::new(kernel).ok())
            .as_ref()?;
        let address = found.address - u64::from(found.is_return);
        describe(loader, address).or_else(|| symbol(loader, address))
    }
}

/// `function at file:line`, and for inlined code each function it was inlined into.
///
/// The line tables know a function by its last name only; the one that the code really lies in has a
/// symbol with its whole path.
fn describe(loader: &Loader, address: u64) -> Option<String> {
    let mut frames = loader.find_frames(address).ok()?;
    let mut parts = Vec::new();
    let mut next = frames.next().ok()?;
    while let Some(frame) = next {
        next = frames.next().ok()?;
        let inlined = frame.function.filter(|_| next.is_some());
        let name = inlined
            .and_then(|function| Some(function.demangle().ok()?.into_owned()))
            .or_else(|| symbol(loader, address))?;
        let place = frame
            .location
            .and_then(|at| Some(format!("{}:{}", short(at.file?), at.line?)));
        parts.push(place.map_or(name.clone(), |place| format!("{name} at {place}")));
    }
    (!parts.is_empty()).then(|| parts.join(", inlined into "))
}

/// The bare symbol, for code without line numbers.
fn symbol(loader: &Loader, address: u64) -> Option<String> {
    let name = loader.find_symbol(address)?;
    Some(addr2line::demangle_auto(name.into(), None).into_owned())
}

/// Cuts a path down to the part a reader knows: below the project's root, the package folder of a
/// dependency, or the standard library.
fn short(file: &str) -> &str {
    let own = Path::new(file)
        .strip_prefix(crate::project::root())
        .ok()
        .and_then(Path::to_str);
    let package = || {
        file.split_once("/registry/src/")?
            .1
            .split_once('/')
            .map(|(_, path)| path)
    };
    let library = || file.find("/library/").map(|at| &file[at + 1..]);
    own.or_else(package).or_else(library).unwrap_or(file)
}

/// Looks for an address of the kernel image (the top 2 GiB) in one of the two forms.
fn find(line: &str) -> Option<Found> {
    let mut words = line
        .split([' ', '\t', '='])
        .filter(|word| !word.is_empty())
        .peekable();
    while let Some(word) = words.next() {
        let is_return = word
            .strip_prefix('#')
            .is_some_and(|number| number.parse::<u32>().is_ok());
        let names_code = is_return || word.eq_ignore_ascii_case("rip");
        if let Some(address) = words
            .peek()
            .filter(|_| names_code)
            .and_then(|next| kernel_address(next))
        {
            return Some(Found { address, is_return });
        }
    }
    None
}

fn kernel_address(word: &str) -> Option<u64> {
    let word = word.trim_end_matches([',', ';', ')']);
    let digits = word.strip_prefix("0x").unwrap_or(word);
    let address = u64::from_str_radix(digits, 16).ok()?;
    (address > 0xffff_ffff_8000_0000).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_line_is_found_behind_any_log_prefix() {
        let found = find("[    0.123456] cpu0 panic:   #3 0xffffffff80012345");
        assert_eq!(
            found,
            Some(Found {
                address: 0xffff_ffff_8001_2345,
                is_return: true
            })
        );
    }

    #[test]
    fn an_instruction_pointer_is_taken_as_it_is() {
        let found = find("[    0.1] cpu0 oops: rip ffffffff80000010 cs 0010 rflags 00000282");
        assert_eq!(
            found,
            Some(Found {
                address: 0xffff_ffff_8000_0010,
                is_return: false
            })
        );
    }

    #[test]
    fn user_addresses_and_other_numbers_are_left_alone() {
        for line in [
            "#1 0x401000",
            "#x 0xffffffff80012345",
            "at 0xffffffff80012345",
            "issue #7 done",
            "#3",
        ] {
            assert_eq!(find(line), None, "{line}");
        }
    }

    #[test]
    fn a_log_without_addresses_passes_unchanged_and_without_a_kernel() {
        let mut filter = Symboliser::new("/nowhere".into());
        assert_eq!(filter.filter(b"boot\nname? "), b"boot\nname? ");
        assert!(filter.loader.is_none());
    }

    #[test]
    fn a_missing_kernel_leaves_the_line_as_it_was() {
        let line = b"  #0 0xffffffff80012345\n";
        assert_eq!(Symboliser::new("/nowhere".into()).filter(line), line);
    }

    #[test]
    fn paths_are_cut_to_what_a_reader_knows() {
        let own = crate::project::root().join("kernel/src/main.rs");
        assert_eq!(short(own.to_str().unwrap()), "kernel/src/main.rs");
        assert_eq!(
            short("/h/registry/src/index-1/spin-0.12.3/src/lib.rs"),
            "spin-0.12.3/src/lib.rs"
        );
        assert_eq!(
            short("/rustc/abc/library/core/src/fmt/mod.rs"),
            "library/core/src/fmt/mod.rs"
        );
        assert_eq!(short("elsewhere.c"), "elsewhere.c");
    }

    #[inline(never)]
    extern "C" fn landmark() -> u32 {
        std::hint::black_box(7)
    }

    #[test]
    fn a_function_of_this_very_program_is_named_with_its_file_and_line() {
        let loader = Loader::new(std::env::current_exe().unwrap()).unwrap();
        let name = "landmark";
        let address = own_symbol(&loader, name);
        let described = describe(&loader, address).unwrap();
        assert!(
            described.contains(name) && described.contains("boot-image/src/symbols.rs:"),
            "{described}"
        );
        assert_eq!(landmark(), 7);
    }

    /// The address a symbol has in this test's file: where it runs, less where the file was loaded.
    fn own_symbol(loader: &Loader, name: &str) -> u64 {
        let here = landmark as extern "C" fn() -> u32 as usize as u64;
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let base = u64::from_str_radix(maps.split('-').next().unwrap(), 16).unwrap();
        let address = here - base;
        assert!(
            loader
                .find_symbol(address)
                .is_some_and(|symbol| symbol.contains(name))
        );
        address
    }
}
