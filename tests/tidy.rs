//! Rules about the source tree itself: who may import whom, where `unsafe` may stand, what every file begins with.
//!
//! These need no kernel to run; each finding reads `file:line: what`. The rules are those of docs/architecture.md,
//! docs/unsafe.md and docs/style.md; `tidy/` holds the readers of sources and documents.

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/unsafety.rs"]
mod unsafety;

use source::{Source, sources};
use std::path::Path;

/// The longest file anybody should have to read.
const LONGEST: usize = 400;

/// Fails with the findings, one to a line, if there are any.
fn none(findings: Vec<String>) {
    assert!(
        findings.is_empty(),
        "{} findings:\n{}\n",
        findings.len(),
        findings.join("\n")
    );
}

/// Applies a rule to every Rust file of the tree, of which there are many.
fn in_every_file(rule: impl Fn(&Source) -> Vec<String>) {
    let all = sources();
    assert!(all.len() > 50, "only {} Rust files found", all.len());
    none(all.iter().flat_map(rule).collect());
}

#[test]
fn imports_point_down_only() {
    in_every_file(layers::upward_imports);
}

#[test]
fn pure_crates_forbid_unsafe_code() {
    let heads: Vec<Source> = sources()
        .into_iter()
        .filter(|file| layers::is_pure_crate_head(&file.path))
        .collect();
    assert!(heads.len() >= 10, "only {} pure crates found", heads.len());
    none(heads.iter().flat_map(layers::impurities).collect());
}

#[test]
fn the_host_imports_no_kernel_source() {
    in_every_file(layers::host_reaches_into_kernel);
}

#[test]
fn unsafe_code_lives_in_islands() {
    in_every_file(unsafety::outside_islands);
}

#[test]
fn islands_and_their_document_agree() {
    none(unsafety::undocumented_islands(&sources()));
}

#[test]
fn every_unsafe_block_says_why_it_is_safe() {
    in_every_file(unsafety::blocks_without_reason);
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    in_every_file(|file| {
        let head = file.text.lines().find(|line| !line.starts_with("#!["));
        let begins = head.is_some_and(|line| line.starts_with("//!"));
        let finding = format!("{}:1: does not begin with `//!`", file.path);
        if begins { vec![] } else { vec![finding] }
    });
}

#[test]
fn nothing_is_left_to_do() {
    let words = ["todo!", "unimplemented!", "#[ignore", " static mut "];
    in_every_file(|file| {
        words
            .iter()
            .flat_map(|word| file.code_lines_with(word))
            .collect()
    });
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X"].concat(),
    ];
    in_every_file(|file| {
        marks
            .iter()
            .flat_map(|mark| file.lines_with(mark))
            .collect()
    });
}

#[test]
fn files_are_short() {
    in_every_file(|file| {
        let lines = file.text.lines().count();
        let finding = format!("{}:{LONGEST}: has {lines} lines", file.path);
        if lines > LONGEST {
            vec![finding]
        } else {
            vec![]
        }
    });
}

#[test]
fn links_lead_somewhere() {
    let pages = documents::pages();
    assert!(pages.len() > 5, "only {} documents found", pages.len());
    none(
        pages
            .iter()
            .flat_map(|page| documents::dead_links(page))
            .collect(),
    );
}

#[test]
fn every_path_has_a_document_and_a_story() {
    none(documents::paths_without_story());
}

#[test]
fn every_rank_of_a_lock_has_a_row_of_its_own() {
    none(documents::ranks_without_row());
}

#[test]
fn the_top_level_holds_what_it_should() {
    none(documents::top_level());
}

/// Gives the project's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the project")
}
