//! Rust files, and what is code in them: comments and literals blanked out, line numbers kept.

use std::fs;
use std::path::Path;

use crate::root;

/// Is one Rust file.
pub(crate) struct Source {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
    /// The same with comments and literals turned into spaces.
    pub(crate) code: String,
}

impl Source {
    /// Gives the numbered lines of code.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }

    /// Finds a piece of code.
    pub(crate) fn code_lines_with(&self, piece: &str) -> Vec<String> {
        self.report(
            self.code_lines().filter(|(_, line)| line.contains(piece)),
            piece,
        )
    }

    /// Finds a piece of text, be it code or comment.
    pub(crate) fn lines_with(&self, piece: &str) -> Vec<String> {
        self.report(
            (1..)
                .zip(self.text.lines())
                .filter(|(_, line)| line.contains(piece)),
            piece,
        )
    }

    fn report<'a>(
        &self,
        lines: impl Iterator<Item = (usize, &'a str)>,
        piece: &str,
    ) -> Vec<String> {
        lines
            .map(|(number, _)| format!("{}:{number}: `{piece}`", self.path))
            .collect()
    }
}

/// Reads every Rust file of the project.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["kernel", "boot-image", "tests"] {
        collect(&root().join(folder), &mut found);
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let shown = path
                .strip_prefix(root())
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            found.push(Source {
                path: shown,
                code: code_of(&text),
                text,
            });
        }
    }
}

/// Blanks comments, strings and characters; every line keeps its number and every letter its column.
pub(crate) fn code_of(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let end = at + literal_length(&letters[at..], at > 0 && is_name(letters[at - 1]));
        if end == at {
            code.push(letters[at]);
            at += 1;
            continue;
        }
        code.extend(
            letters[at..end]
                .iter()
                .map(|letter| if *letter == '\n' { '\n' } else { ' ' }),
        );
        at = end;
    }
    code
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Gives the length of the comment or literal that begins here; 0 if it is code.
fn literal_length(rest: &[char], in_a_name: bool) -> usize {
    match rest {
        ['/', '/', ..] => until(rest, 2, &['\n']),
        ['/', '*', ..] => nested_comment(rest),
        ['"', ..] => string(rest),
        ['r', '"' | '#', ..] if !in_a_name => raw_string(rest),
        ['b' | 'c', 'r', '"' | '#', ..] if !in_a_name => match raw_string(&rest[1..]) {
            0 => 0,
            length => length + 1,
        },
        ['\'', '\\', ..] => until(rest, 3, &['\'']) + 1,
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn until(rest: &[char], from: usize, end: &[char]) -> usize {
    (from..rest.len())
        .find(|at| rest[*at..].starts_with(end))
        .unwrap_or(rest.len())
}

fn nested_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < rest.len() && depth > 0 {
        match rest[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `r#"…"#`; but `r#type` is a name.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..]
        .iter()
        .take_while(|letter| **letter == '#')
        .count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    (until(rest, 2 + hashes, &end) + end.len()).min(rest.len())
}

#[test]
fn comments_and_literals_are_blanked() {
    let text = "a /* b /* c */ d */ e // f\n\"g\\\"h\" 'i' '\\'' r#\"j\"k\"# 'life: b\"l\" r#type";
    let want = "a                   e     \n                       'life: b    r#type";
    let got = code_of(text);
    let squeezed = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(squeezed(&got), squeezed(want));
    assert_eq!(got.chars().count(), text.chars().count());
}
