//! The vDSO as a program finds it: its functions by name, called where they are.
#![expect(
    unsafe_code,
    reason = "reads a shared object in memory and calls what it finds there"
)]

use std::ffi::CStr;

/// A function of the vDSO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Function(u64);

/// Where the vDSO is, as the auxiliary vector says; 0 for nowhere.
#[must_use]
pub fn base() -> u64 {
    // SAFETY: the call reads the auxiliary vector only.
    unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) }
}

/// Reads a word of the vDSO.
fn word<T: Copy>(addr: u64) -> T {
    // SAFETY: the kernel mapped the object whose own tables lead to this address.
    unsafe { (addr as *const T).read_unaligned() }
}

/// Finds a function of version `LINUX_2.6`.
#[must_use]
pub fn find(name: &str) -> Option<Function> {
    let base = base();
    if base == 0 {
        return None;
    }
    let headers = base + word::<u64>(base + 32);
    let count: u16 = word(base + 56);
    let of_kind = |kind: u32| {
        let mut all = (0..u64::from(count)).map(|index| headers + 56 * index);
        all.find(|header| word::<u32>(*header) == kind)
    };
    let load = of_kind(libc::PT_LOAD)?;
    let bias = base + word::<u64>(load + 8) - word::<u64>(load + 16);
    let dynamic = bias + word::<u64>(of_kind(libc::PT_DYNAMIC)? + 16);
    let value = |tag: u64| {
        let mut entry = dynamic;
        while word::<u64>(entry) != 0 {
            if word::<u64>(entry) == tag {
                return Some(word::<u64>(entry + 8));
            }
            entry += 16;
        }
        None
    };
    let (strings, symbols) = (bias + value(5)?, bias + value(6)?);
    let versions = bias + value(0x6fff_fff0)?;
    // Behind the null symbol, until the strings or the names begin to make no sense: as many as were looked for.
    for index in 1..64_u64 {
        let symbol = symbols + 24 * index;
        // SAFETY: every name in the string table ends with a NUL.
        let found =
            unsafe { CStr::from_ptr((strings + u64::from(word::<u32>(symbol))) as *const _) };
        if found.to_bytes() == name.as_bytes() && word::<u16>(versions + 2 * index) & 0x7fff >= 2 {
            return Some(Function(bias + word::<u64>(symbol + 8)));
        }
        if symbol + 48 > strings && strings > symbols {
            break;
        }
    }
    None
}

impl Function {
    /// Calls it with two arguments.
    #[must_use]
    pub fn call(self, first: u64, second: u64) -> i64 {
        type Raw = extern "C" fn(u64, u64, u64) -> i64;
        // SAFETY: every function of the vDSO takes up to three words and returns one.
        let raw = unsafe { std::mem::transmute::<u64, Raw>(self.0) };
        raw(first, second, 0)
    }
}
