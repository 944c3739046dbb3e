//! What `mount` is told in words: the options of files in memory.

/// Options of a file system in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tmpfs {
    /// The most it may hold.
    pub size: Option<Size>,
    /// The most files it may hold; 0 for no limit.
    pub files: Option<u64>,
    /// Permissions of its root.
    pub mode: Option<u32>,
    /// Owner of its root.
    pub uid: Option<u32>,
    /// Group of its root.
    pub gid: Option<u32>,
}

/// How much a file system may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// Bytes; 0 for no limit.
    Bytes(u64),
    /// A part of the memory.
    Percent(u64),
}

/// There is no such option, or its value is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadOption;

/// Bytes of a page.
const PAGE: u64 = 4096;

impl Tmpfs {
    /// Reads options with commas between them.
    pub fn parse(text: &str) -> Result<Self, BadOption> {
        let mut options = Self::default();
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "size" => options.size = Some(size(value)?),
                "nr_blocks" => {
                    options.size = Some(Size::Bytes(scaled(value)?.saturating_mul(PAGE)));
                }
                "nr_inodes" => options.files = Some(scaled(value)?),
                "mode" => {
                    let mode = u32::from_str_radix(value, 8).map_err(|_| BadOption)?;
                    options.mode = Some(mode & 0o7777);
                }
                "uid" => options.uid = Some(value.parse().map_err(|_| BadOption)?),
                "gid" => options.gid = Some(value.parse().map_err(|_| BadOption)?),
                // Large pages for files there are not; "never" is what is done.
                "huge" if value == "never" => {}
                "noswap" | "inode32" | "inode64" if value.is_empty() => {}
                _ => return Err(BadOption),
            }
        }
        Ok(options)
    }

    /// Returns how many pages it may hold on a machine with `total`; 0 for no limit.
    pub fn pages(&self, total: u64) -> Option<u64> {
        self.size.map(|size| match size {
            Size::Bytes(bytes) => bytes.div_ceil(PAGE),
            Size::Percent(percent) => total.saturating_mul(percent) / 100,
        })
    }
}

fn size(text: &str) -> Result<Size, BadOption> {
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent = percent.parse().map_err(|_| BadOption)?;
            Ok(Size::Percent(percent))
        }
        None => scaled(text).map(Size::Bytes),
    }
}

/// A number with a letter for 2^10, 2^20, … behind it.
fn scaled(text: &str) -> Result<u64, BadOption> {
    let shift = match text.bytes().last() {
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        Some(b'g' | b'G') => 30,
        Some(b't' | b'T') => 40,
        _ => 0,
    };
    let digits = &text[..text.len() - usize::from(shift > 0)];
    let number: u64 = digits.parse().map_err(|_| BadOption)?;
    number.checked_mul(1 << shift).ok_or(BadOption)
}
