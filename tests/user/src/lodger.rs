//! What Lodger shows of itself: counters in `/proc/lodger`, and the process's own address space in `/proc/self/mm`.
//!
//! Both are absent on Linux; then there is nothing to compare and the callers go on without.

use std::ffi::CStr;

use crate::sys;

const COUNTERS: &CStr = c"/proc/lodger";
/// Twice what the text is when all numbers are short.
const ROOM: usize = 16384;

/// Is the text of the kernel's counters at one moment, in memory that taking it does not fault in.
pub struct Counters {
    text: Box<[u8; ROOM]>,
    len: usize,
}

impl Counters {
    /// Makes room, and touches all of it, so that [`Counters::take`] causes no fault of its own.
    #[must_use]
    pub fn new() -> Self {
        let mut counters = Self {
            text: Box::new([1; ROOM]),
            len: 0,
        };
        counters.take();
        counters.take();
        counters
    }

    /// Reads the counters now.
    pub fn take(&mut self) {
        self.len = 0;
        let Ok(fd) = sys::open(COUNTERS) else { return };
        while self.len < ROOM {
            let start = sys::at(&mut self.text[self.len..]);
            match sys::read(fd, start, (ROOM - self.len) as u64) {
                Ok(0) | Err(_) => break,
                Ok(count) => self.len += count as usize,
            }
        }
        let _ = sys::close(fd);
    }

    /// Gives one counter's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        let text = std::str::from_utf8(&self.text[..self.len]).ok()?;
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(' ')?;
            if key == name {
                value.trim().parse().ok()
            } else {
                None
            }
        })
    }

    /// Gives the counters line by line.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = std::str::from_utf8(&self.text[..self.len]).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once(' '))
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

/// Measures a piece of work by the counters, with room that is touched before, so that measuring costs nothing.
#[derive(Default)]
pub struct Meter {
    before: Counters,
    after: Counters,
}

impl Meter {
    /// Makes room for two readings, in this process: after a fork a child needs a meter of its own.
    #[must_use]
    pub fn new() -> Self {
        let _ = sys::minor_faults();
        let mut meter = Self::default();
        meter.wait_for_rest();
        meter
    }

    /// Waits until nobody else faults: who waits for this process may still be on its way there, on another processor,
    /// and the counters are everybody's.
    fn wait_for_rest(&mut self) {
        let mut time = [0_i64, 1_000_000];
        for _ in 0..100 {
            self.before.take();
            let _ = sys::raw(libc::SYS_nanosleep, [sys::at(&mut time), 0, 0, 0, 0, 0]);
            self.after.take();
            if self.grew("faults_total").is_none_or(|faults| faults == 0) {
                return;
            }
        }
    }

    /// Does `work` between two readings; gives the minor faults it cost, where they are counted.
    pub fn measure(&mut self, work: impl FnOnce()) -> Option<u64> {
        for _ in 0..2 {
            self.after.take();
            self.before.take();
        }
        let start = sys::minor_faults();
        work();
        let end = sys::minor_faults();
        self.after.take();
        Some(end? - start?)
    }

    /// Gives how much a counter grew during the last measured work.
    #[must_use]
    pub fn grew(&self, name: &str) -> Option<u64> {
        growth(&self.before, &self.after, name)
    }
}

/// Gives how much `name` grew from one reading to the next; nothing on a kernel without counters.
#[must_use]
pub fn growth(before: &Counters, after: &Counters, name: &str) -> Option<u64> {
    Some(after.get(name)?.wrapping_sub(before.get(name)?))
}

/// Says whether this kernel is Lodger.
#[must_use]
pub fn here() -> bool {
    sys::open(COUNTERS).map(sys::close).is_ok()
}

/// Describes an address space as `/proc/self/mm` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnMm {
    /// Its number, never used twice.
    pub id: u64,
    /// The physical address of its PML4.
    pub root: u64,
    /// How many real users it has.
    pub users: u64,
}

/// Reads which address space this process has; nothing on a kernel that does not tell.
#[must_use]
pub fn own_mm() -> Option<OwnMm> {
    let text = std::fs::read_to_string("/proc/self/mm").ok()?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let after = |key| {
        words
            .iter()
            .position(|word| *word == key)
            .and_then(|at| words.get(at + 1))
    };
    let root = after("root")?.trim_start_matches("0x");
    Some(OwnMm {
        id: after("mm")?.parse().ok()?,
        root: u64::from_str_radix(root, 16).ok()?,
        users: after("users")?.parse().ok()?,
    })
}
