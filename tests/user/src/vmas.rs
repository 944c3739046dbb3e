//! The process's own map, as `/proc/self/maps` prints it.

/// Is one line of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// First address.
    pub start: u64,
    /// First address past it.
    pub end: u64,
    /// `rwx` and `p` or `s`.
    pub perms: String,
    /// Where in its file it begins, in bytes.
    pub offset: u64,
    /// The file's inode number; 0 without a file.
    pub inode: u64,
    /// The file, or a name in brackets, or nothing.
    pub name: String,
}

/// Reads the map; empty where there is none.
#[must_use]
pub fn own() -> Vec<Line> {
    let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// Gives the lines that touch a range.
#[must_use]
pub fn within(start: u64, end: u64) -> Vec<Line> {
    own()
        .into_iter()
        .filter(|line| line.start < end && start < line.end)
        .collect()
}

/// Gives the line of the main stack.
#[must_use]
pub fn stack() -> Option<Line> {
    own().into_iter().find(|line| line.name == "[stack]")
}

fn parse(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let perms = words.next()?.to_owned();
    let number = |text| u64::from_str_radix(text, 16).ok();
    let offset = number(words.next()?)?;
    let inode = words.nth(1)?.parse().ok()?;
    let name = words.next().unwrap_or_default().to_owned();
    Some(Line {
        start: number(start)?,
        end: number(end)?,
        perms,
        offset,
        inode,
        name,
    })
}
