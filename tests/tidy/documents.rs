//! Documents and the shape of the tree: links that lead somewhere, paths with stories, a top level without strays.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// What the top level must hold; besides it only licences, and what no commit contains.
const TOP: [&str; 11] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "boot-image",
    "docs",
    "kernel",
    "rust-toolchain.toml",
    "tests",
];
const TOP_SCRIPT: &str = "x";
const UNTRACKED: [&str; 2] = [".git", "target"];

/// Compares the top level with the list, both ways.
pub(crate) fn top_level() -> Vec<String> {
    let entries = fs::read_dir(root()).expect("the root can be read");
    let names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let wanted: Vec<&str> = TOP.into_iter().chain([TOP_SCRIPT]).collect();
    let missing = wanted
        .iter()
        .filter(|name| !names.iter().any(|found| found == *name));
    let mut findings: Vec<String> = missing
        .map(|name| format!("{name}:1: is missing at the top level"))
        .collect();
    let known = |name: &str| {
        wanted.contains(&name) || UNTRACKED.contains(&name) || name.starts_with("LICENSE-")
    };
    findings.extend(
        names
            .iter()
            .filter(|name| !known(name))
            .map(|name| format!("{name}:1: does not belong at the top level")),
    );
    if !names.iter().any(|name| name.starts_with("LICENSE-")) {
        findings.push("LICENSE:1: there is no licence".into());
    }
    findings
}

/// Lists README.md and every page below docs/.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    collect(&root().join("docs"), &mut found);
    found.retain(|page| page.exists());
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Finds relative links to files or headings that do not exist.
pub(crate) fn dead_links(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap_or_default();
    let shown = page.strip_prefix(root()).unwrap_or(page).display();
    let mut findings = Vec::new();
    for (number, line) in prose(&text) {
        for target in targets(line) {
            if let Some(why) = dead(page, &target) {
                findings.push(format!("{shown}:{number}: `{target}` {why}"));
            }
        }
    }
    findings
}

/// Gives the numbered lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Gives the targets of `[text](target)` and `[name]: target`.
fn targets(line: &str) -> Vec<String> {
    let inline = line
        .match_indices("](")
        .filter_map(|(at, mark)| line[at + mark.len()..].split_once(')'));
    let mut found: Vec<String> = inline.map(|(target, _)| target.to_owned()).collect();
    if line.starts_with('[') {
        found.extend(
            line.split_once("]: ")
                .map(|(_, target)| target.trim().to_owned()),
        );
    }
    found
}

fn dead(page: &Path, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() {
        page.to_path_buf()
    } else {
        page.parent()?.join(file)
    };
    if !path.exists() {
        return Some("does not exist");
    }
    let is_page = path.extension().is_some_and(|extension| extension == "md");
    (is_page && !heading.is_empty() && !headings(&path).contains(&heading.to_owned()))
        .then_some("names no heading there")
}

/// Gives a page's headings as links name them.
fn headings(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap_or_default();
    let lines: Vec<&str> = prose(&text)
        .map(|(_, line)| line)
        .filter(|line| line.starts_with('#'))
        .collect();
    lines
        .into_iter()
        .map(|line| slug(line.trim_start_matches('#').trim()))
        .collect()
}

fn slug(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// Finds documents of paths that have no test file of the same name.
pub(crate) fn paths_without_story() -> Vec<String> {
    let mut pages = Vec::new();
    collect(&root().join("docs/paths"), &mut pages);
    let stories = pages
        .iter()
        .filter_map(|page| page.file_stem())
        .map(|stem| stem.to_string_lossy().replace('-', "_"));
    let missing: Vec<String> = stories
        .filter(|name| !["README", "mod", "index"].contains(&name.as_str()))
        .filter(|name| !root().join(format!("tests/{name}.rs")).exists())
        .map(|name| format!("docs/paths:1: there is no tests/{name}.rs"))
        .collect();
    if pages.len() < 4 {
        vec![format!(
            "docs/paths:1: holds {} documents, not four or more",
            pages.len()
        )]
    } else {
        missing
    }
}

#[test]
fn links_are_read_from_prose() {
    assert_eq!(targets("see [a](b.md) and [c](d.md#e)"), ["b.md", "d.md#e"]);
    assert_eq!(targets("[name]: ../x.md"), ["../x.md"]);
    assert_eq!(
        prose("a\n```\n[x](y)\n```\nb")
            .map(|(number, _)| number)
            .collect::<Vec<_>>(),
        [1, 5]
    );
    assert_eq!(slug("The `x` command, in short"), "the-x-command-in-short");
}

/// Finds ranks of the table in docs/locking.md whose waits are counted under no name, or under another.
pub(crate) fn ranks_without_row() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("the file is there");
    let (document, rows) = (read("docs/locking.md"), read("kernel/src/locks/stats.rs"));
    let ranks = document.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let rank: u8 = cells.next()?.parse().ok()?;
        let name = cells.next()?.trim_matches('`').to_lowercase();
        Some((rank, name))
    });
    let ranks: Vec<(u8, String)> = ranks.collect();
    assert!(ranks.len() > 20, "only {} ranks found", ranks.len());
    let missing = ranks
        .into_iter()
        .filter(|(rank, name)| !rows.contains(&format!("({rank}, \"{name}\")")));
    missing
        .map(|(rank, name)| format!("kernel/src/locks/stats.rs:1: has no row ({rank}, \"{name}\")"))
        .collect()
}
