//! The islands of `unsafe`: which files they are, that they are written down, that each block gives its reason.

use std::collections::BTreeSet;
use std::fs;

use crate::root;
use crate::source::Source;

const MARK: &str = "#![expect(unsafe_code";
const DOCUMENT: &str = "docs/unsafe.md";

/// Says whether a line of code has the keyword, and not just a name that contains it.
fn has_keyword(line: &str) -> bool {
    line.match_indices("unsafe").any(|(at, word)| {
        let is_name = |letter: Option<char>| {
            letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        };
        !is_name(line[..at].chars().next_back()) && !is_name(line[at + word.len()..].chars().next())
    })
}

/// An island says so in an attribute at its head, perhaps over several lines.
fn is_island(file: &Source) -> bool {
    let squeezed: String = file.code.split_whitespace().collect();
    squeezed.contains(MARK)
}

/// Finds `unsafe` in files that are no islands.
pub(crate) fn outside_islands(file: &Source) -> Vec<String> {
    if is_island(file) {
        return vec![];
    }
    let lines = file.code_lines().filter(|(_, line)| has_keyword(line));
    lines
        .map(|(number, _)| {
            format!(
                "{}:{number}: `unsafe`, but the file does not open with `{MARK}`",
                file.path
            )
        })
        .collect()
}

/// Compares the islands with the files that docs/unsafe.md names in back-ticks, both ways.
pub(crate) fn undocumented_islands(all: &[Source]) -> Vec<String> {
    let islands: BTreeSet<String> = all
        .iter()
        .filter(|file| is_island(file))
        .map(|file| file.path.clone())
        .collect();
    assert!(!islands.is_empty(), "no island found");
    let text = fs::read_to_string(root().join(DOCUMENT)).unwrap_or_default();
    let named = named_files(&text);
    let unnamed = islands
        .difference(&named)
        .map(|path| format!("{path}:1: an island that {DOCUMENT} does not list"));
    let gone = named
        .difference(&islands)
        .map(|path| format!("{DOCUMENT}:1: lists `{path}`, which is no island"));
    unnamed.chain(gone).collect()
}

fn named_files(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| word.ends_with(".rs") && word.contains('/'))
        .map(str::to_owned)
        .collect()
}

/// Finds `unsafe {` and `unsafe impl` without a `SAFETY:` comment above the statement they stand in.
pub(crate) fn blocks_without_reason(file: &Source) -> Vec<String> {
    let code: Vec<&str> = file.code.lines().collect();
    let text: Vec<&str> = file.text.lines().collect();
    let needs = |line: &str| {
        has_keyword(line) && (line.contains("unsafe {") || line.contains("unsafe impl"))
    };
    let bare = (0..code.len()).filter(|at| needs(code[*at]) && !has_reason(&code, &text, *at));
    bare.map(|at| format!("{}:{}: no `SAFETY:` above", file.path, at + 1))
        .collect()
}

/// Walks up through the statement to the comment above it.
fn has_reason(code: &[&str], text: &[&str], line: usize) -> bool {
    if text[line].contains("SAFETY:") {
        return true;
    }
    let mut in_comment = false;
    for at in (0..line).rev() {
        let shown = text[at].trim();
        if shown.starts_with("//") {
            if shown.contains("SAFETY:") {
                return true;
            }
            in_comment = true;
        } else if in_comment || ends_a_statement(code[at].trim()) {
            return false;
        }
    }
    false
}

fn ends_a_statement(line: &str) -> bool {
    line.is_empty() || line.ends_with([';', '{', '}']) || line.ends_with("},")
}

#[test]
fn the_keyword_is_told_from_names() {
    assert!(has_keyword("let x = unsafe { 1 };") && has_keyword("#[unsafe(naked)]"));
    assert!(!has_keyword("#![deny(unsafe_code)]") && !has_keyword("fn not_unsafe() {}"));
}

#[test]
fn a_reason_is_found_above_the_statement_only() {
    let check = |text: &str| {
        let file = Source {
            path: "x.rs".into(),
            text: text.into(),
            code: crate::source::code_of(text),
        };
        blocks_without_reason(&file).len()
    };
    assert_eq!(check("// SAFETY: fine.\nlet x =\n    unsafe { f() };"), 0);
    assert_eq!(
        check("// SAFETY: fine.\nlet y = 1;\nlet x = unsafe { f() };"),
        1
    );
    assert_eq!(check("// a comment\nlet x = unsafe { f() };"), 1);
}
