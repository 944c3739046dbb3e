//! The order of the kernel's modules: an import may point at the same layer or below, never above.

use crate::source::Source;

/// Lowest first. Modules on one line are neighbours.
const LAYERS: &[&[&str]] = &[
    &["arch"],
    &["locks", "percpu", "log"],
    &["smp"],
    &["mm"],
    &["task"],
    &["sched"],
    &["time", "fs"],
    &["workqueue"],
    &["process"],
    &["trap", "syscall", "trace"],
    &["boot", "selftest"],
    &["main"],
];

/// The two files that hold nothing but upward calls.
const POINT_UP: [&str; 2] = ["kernel/src/arch/x86_64/upcall.rs", "kernel/src/locks.rs"];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Gives the kernel module a file belongs to.
fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("kernel/src/")?;
    let first = inside.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// Finds imports that point up, and modules that have no layer.
pub(crate) fn upward_imports(file: &Source) -> Vec<String> {
    let Some(module) = module_of(&file.path) else {
        return vec![];
    };
    if POINT_UP.contains(&file.path.as_str()) {
        return vec![];
    }
    let Some(own) = layer(module) else {
        return vec![format!(
            "{}:1: module `{module}` has no layer in tests/tidy/layers.rs",
            file.path
        )];
    };
    let above = |name: &str| layer(name).is_some_and(|layer| layer > own);
    let upward = imports(&file.code)
        .into_iter()
        .filter(|(_, name)| above(name));
    upward
        .map(|(line, name)| {
            format!(
                "{}:{line}: `{module}` imports `{name}`, which lies above it",
                file.path
            )
        })
        .collect()
}

/// Gives the modules named after `crate::`, one by one or in braces, with their lines.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let line = 1 + code[..at].matches('\n').count();
        let rest = &code[at + path.len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group_heads(group),
            None => vec![leading_name(rest)],
        };
        found.extend(names.into_iter().map(|name| (line, name)));
    }
    found
}

fn leading_name(text: &str) -> String {
    let text = text.trim_start();
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

/// Gives the first name of each part of a `{…, …}` group.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut heads) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.push(leading_name(&group[start..at]));
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// Says whether a path is the `lib.rs` of a pure crate.
pub(crate) fn is_pure_crate_head(path: &str) -> bool {
    path.starts_with("kernel/lib/") && path.ends_with("/src/lib.rs")
}

/// Finds what a pure crate's head does not promise.
pub(crate) fn impurities(file: &Source) -> Vec<String> {
    let mut missing = Vec::new();
    for promise in ["#![forbid(unsafe_code)]", "no_std"] {
        if !file.code.contains(promise) {
            missing.push(format!("{}:1: does not say `{promise}`", file.path));
        }
    }
    missing
}

/// The one program on the host that is made of the kernel's files: it runs them above a simulated machine.
const COMPILES_KERNEL: &str = "tests/mmu/src/lib.rs";

/// Finds host code that takes its modules from the kernel's sources.
pub(crate) fn host_reaches_into_kernel(file: &Source) -> Vec<String> {
    let host = file.path.starts_with("boot-image/") || file.path.starts_with("tests/");
    let host = host && file.path != COMPILES_KERNEL;
    let reaches =
        |line: &str| line.trim_start().starts_with("#[path") && line.contains("kernel/src");
    let lines = (1..)
        .zip(file.text.lines())
        .filter(|(_, line)| host && reaches(line));
    lines
        .map(|(number, _)| format!("{}:{number}: takes a module from kernel/src", file.path))
        .collect()
}

#[test]
fn imports_are_found_alone_and_in_groups() {
    let code = "use crate::mm::Mm;\nuse crate::{arch::{cpu, idt}, task, trap::frame};\nlet x = crate::sched::now();";
    let names: Vec<(usize, String)> = imports(code);
    let want = [
        (1, "mm"),
        (2, "arch"),
        (2, "task"),
        (2, "trap"),
        (3, "sched"),
    ];
    assert_eq!(names, want.map(|(line, name)| (line, name.to_owned())));
}

#[test]
fn an_upward_import_is_reported_with_its_line() {
    let file = |path: &str| Source {
        path: path.into(),
        text: String::new(),
        code: "use addr::Page;\nuse crate::task::Task;\n".into(),
    };
    assert_eq!(
        upward_imports(&file("kernel/src/mm/fault.rs")),
        ["kernel/src/mm/fault.rs:2: `mm` imports `task`, which lies above it"]
    );
    assert!(upward_imports(&file("kernel/src/sched/mod.rs")).is_empty());
    assert!(upward_imports(&file("kernel/src/locks.rs")).is_empty());
    assert_eq!(upward_imports(&file("kernel/src/stray.rs")).len(), 1);
}
