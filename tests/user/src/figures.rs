//! Texts of `/proc` that consist of keys and values.

use std::collections::HashMap;

use crate::probe::Verdict;

/// Reads a file of `/proc`.
pub fn text(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// Gives what stands before the colon of each line.
#[must_use]
pub fn keys(text: &str) -> Vec<&str> {
    let lines = text.lines();
    lines
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect()
}

/// Fails unless all of `wanted` are there, in this order; others may stand between them.
pub fn in_order(text: &str, wanted: &str) -> Verdict {
    let mut found = keys(text).into_iter();
    for key in wanted.split_whitespace() {
        if !found.any(|it| it == key) {
            return Err(format!("{key} is missing, or out of order"));
        }
    }
    Ok(())
}

/// Numbers by their keys.
pub type Figures = HashMap<String, u64>;

/// Gives the first number behind each key; lines without one are left out.
pub fn figures<'a>(lines: impl IntoIterator<Item = &'a str>) -> Figures {
    let figure = |line: &str| {
        let (key, value) = line.split_once(':')?;
        let value = value.split_whitespace().next()?.parse().ok()?;
        Some((key.to_owned(), value))
    };
    lines.into_iter().filter_map(figure).collect()
}

/// Gives the words with one blank between any two.
#[must_use]
pub fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Gives one figure of `/proc/self/status`.
pub fn status_figure(key: &str) -> Result<u64, String> {
    let found = figures(text("/proc/self/status")?.lines());
    found.get(key).copied().ok_or(format!("there is no {key}"))
}
