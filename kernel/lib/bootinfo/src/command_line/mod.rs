//! The kernel command line.
//!
//! Words are separated by white space and are flags (`word`) or settings (`key=value`). Double
//! quotes keep white space in a word. After a word `--` everything goes to init. The last setting
//! of a key counts. Whatever cannot be understood becomes a [`Problem`] for the log.

mod words;

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use words::Words;

/// How many bytes are read; the rest is left out.
pub const MAX_LEN: usize = 4096;

/// The keys the kernel understands.
pub const KEYS: &[&str] = &[
    "bare",
    "damage",
    "failalloc",
    "hardlockup",
    "hungtask",
    "init",
    "kstatd",
    "kstorm",
    "lazy",
    "loglevel",
    "maxcpus",
    "noinvpcid",
    "nopcid",
    "norandmaps",
    "nox2apic",
    "postman",
    "softlockup",
    "term",
    "test",
    "thp",
    "timeout",
    "tlb",
    "trace",
    "window",
];

/// The command line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// `init=PATH`: the first program.
    pub init: Option<String>,
    /// Everything after `--`: the first program's arguments.
    pub init_args: Vec<String>,
    /// `loglevel=`: 1 to 5, or `error`, `warn`, `info`, `debug`, `trace`.
    pub loglevel: Option<u8>,
    /// `test=NAME`: a self test to run instead of the first program.
    pub test: Option<String>,
    /// `trace=A,B`: the trace points to turn on.
    pub trace: Vec<String>,
    /// `lazy=counted|eager|shoot`: what keeps alive what kernel threads borrow.
    pub borrowing: Borrowing,
    /// `failalloc=N[,SITE]`: which allocation fails on purpose once programs run.
    pub fail_alloc: Option<FailAlloc>,
    /// `damage`: programs may break entries of their own page tables, to see what the kernel does.
    pub damage: bool,
    /// `norandmaps`: programs find the same addresses at every start.
    pub same_addresses: bool,
    /// `nopcid`: every switch between address spaces drops all of user memory from the TLB.
    pub no_pcid: bool,
    /// `noinvpcid`: PCIDs without the instruction that drops single pages of any of them.
    pub no_invpcid: bool,
    /// `nox2apic`: the local APIC stays a page of memory, if the firmware left it one.
    pub no_x2apic: bool,
    /// `thp=always|madvise|never`: which mappings get large pages.
    pub large_pages: Option<LargePages>,
    /// `maxcpus=N`: how many processors are used, the first one included.
    pub max_cpus: Option<usize>,
    /// `timeout=SECONDS`: how long the machine may run.
    pub timeout: Option<u64>,
    /// `bare`: the first program is a command of the host's, which has the other end of the third serial port.
    pub bare: bool,
    /// `window=COLUMNSxROWS`: how large the window is in which the console is shown.
    pub window: Option<(u16, u16)>,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
}

/// What a kernel thread stands on, and what keeps it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Borrowing {
    /// The address space it finds, with a reference.
    #[default]
    Counted,
    /// The kernel's own page table, loaded at once.
    Eager,
    /// The address space it finds, without a reference: it is taken off when that ends.
    Shot,
}

/// Which mappings get large pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargePages {
    /// All anonymous ones that did not decline.
    Always,
    /// Those that asked for them.
    Advised,
    /// None.
    Never,
}

/// An allocation that fails on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailAlloc {
    /// Its number among those counted, from 1 on.
    pub nth: u32,
    /// Where it is asked for, if only those of one place are counted.
    pub site: Option<String>,
}

/// One word of the command line before `--`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    key: String,
    value: Option<String>,
}

/// Something on the command line that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It was longer than [`MAX_LEN`] and was cut off.
    Truncated,
    /// It was not UTF-8; what was not is replaced.
    NotUtf8,
    /// A double quote was not closed.
    OpenQuote,
    /// No such key.
    UnknownKey(String),
    /// The value does not suit the key.
    BadValue {
        /// The key, which stays as if it had not been given.
        key: String,
        /// What stood behind it.
        value: String,
    },
}

impl CommandLine {
    /// Takes a command line apart; it ends at the first NUL byte.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut line = Self::default();
        let text = line.decode(bytes);
        let mut words = Words::new(&text);
        for word in words.by_ref().take_while(|word| word != "--") {
            line.settings.push(Setting::new(&word));
        }
        line.init_args = words.by_ref().collect();
        if words.quote_is_open() {
            line.problems.push(Problem::OpenQuote);
        }
        line.understand();
        line
    }

    /// Returns the value of the last `key=value`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let of_key = |setting: &&Setting| setting.key == key && setting.value.is_some();
        self.settings.iter().rev().find(of_key)?.value.as_deref()
    }

    /// Says whether the word `key` or a setting of it is there.
    pub fn has(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| setting.key == key)
    }

    /// Returns everything that could not be understood.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns the keys the kernel does not know.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().filter_map(|problem| match problem {
            Problem::UnknownKey(key) => Some(key.as_str()),
            _ => None,
        })
    }

    /// Says whether the line was too long and was cut off.
    pub fn truncated(&self) -> bool {
        self.problems.contains(&Problem::Truncated)
    }

    /// Says whether some of the line was not UTF-8 and was replaced.
    pub fn lossy(&self) -> bool {
        self.problems.contains(&Problem::NotUtf8)
    }

    fn decode(&mut self, bytes: &[u8]) -> String {
        let end = bytes.iter().position(|byte| *byte == 0);
        let mut bytes = &bytes[..end.unwrap_or(bytes.len())];
        if bytes.len() > MAX_LEN {
            self.problems.push(Problem::Truncated);
            bytes = &bytes[..MAX_LEN];
        }
        let text = String::from_utf8_lossy(bytes);
        if text.as_bytes() != bytes {
            self.problems.push(Problem::NotUtf8);
        }
        text.into_owned()
    }

    fn understand(&mut self) {
        self.init = self.get("init").map(str::to_owned);
        self.test = self.get("test").map(str::to_owned);
        self.trace = self.get("trace").map(list).unwrap_or_default();
        self.loglevel = self.value("loglevel", level);
        self.fail_alloc = self.value("failalloc", fail_alloc);
        self.timeout = self.value("timeout", |value| value.parse().ok());
        self.max_cpus = self.value("maxcpus", |value| value.parse().ok());
        self.bare = self.has("bare");
        self.window = self.value("window", window);
        self.same_addresses = self.has("norandmaps");
        self.no_pcid = self.has("nopcid");
        self.no_invpcid = self.has("noinvpcid");
        self.no_x2apic = self.has("nox2apic");
        self.damage = self.has("damage");
        self.large_pages = self.value("thp", large_pages);
        self.borrowing = self.value("lazy", borrowing).unwrap_or_default();
        for setting in &self.settings {
            if !KEYS.contains(&setting.key.as_str()) {
                let unknown = Problem::UnknownKey(setting.key.clone());
                self.problems.push(unknown);
            }
        }
    }

    /// Returns a key's value as `read` understands it.
    fn value<T>(&mut self, key: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.get(key)?;
        let understood = read(value);
        if understood.is_none() {
            let (key, value) = (key.to_owned(), value.to_owned());
            self.problems.push(Problem::BadValue { key, value });
        }
        understood
    }
}

impl Setting {
    fn new(word: &str) -> Self {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value.to_string())),
            None => (word, None),
        };
        let key = key.to_owned();
        Self { key, value }
    }
}

fn large_pages(value: &str) -> Option<LargePages> {
    match value {
        "always" => Some(LargePages::Always),
        "madvise" => Some(LargePages::Advised),
        "never" => Some(LargePages::Never),
        _ => None,
    }
}

fn window(value: &str) -> Option<(u16, u16)> {
    let (columns, rows) = value.split_once('x')?;
    Some((columns.parse().ok()?, rows.parse().ok()?))
}

fn list(value: &str) -> Vec<String> {
    let names = value.split(',').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn level(value: &str) -> Option<u8> {
    const NAMES: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
    let named = NAMES.iter().position(|name| *name == value);
    let number = named.map(|at| at as u8 + 1);
    number.or_else(|| value.parse().ok().filter(|level| (1..=5).contains(level)))
}

fn fail_alloc(value: &str) -> Option<FailAlloc> {
    let (nth, site) = match value.split_once(',') {
        Some((nth, site)) => (nth, Some(site.to_owned())),
        None => (value, None),
    };
    let nth = nth.parse().ok().filter(|nth| *nth > 0)?;
    Some(FailAlloc { nth, site })
}

fn borrowing(value: &str) -> Option<Borrowing> {
    match value {
        "counted" => Some(Borrowing::Counted),
        "eager" => Some(Borrowing::Eager),
        "shoot" => Some(Borrowing::Shot),
        _ => None,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => write!(f, "longer than {MAX_LEN} bytes, the rest is left out"),
            Self::NotUtf8 => f.write_str("not UTF-8, some of it is replaced"),
            Self::OpenQuote => f.write_str("a double quote is not closed"),
            Self::UnknownKey(key) => write!(f, "unknown key `{key}`"),
            Self::BadValue { key, value } => write!(f, "`{key}` cannot be `{value}`"),
        }
    }
}
