//! The programs that run inside Lodger: every one of them an ordinary static Linux executable.
//!
//! `tests/user/src/bin/NAME.rs` are Rust, `tests/user/c/NAME.c` are C; the program called `init`
//! becomes `/init`, every other one `/bin/NAME`. A C source's first line may name more flags for gcc.
//! A reader's own file may join them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, fresh, project};

/// One executable and the name it goes by inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The file's name, without a folder.
    pub name: String,
    /// Where it lies on the host.
    pub path: PathBuf,
}

/// Builds every program and returns them in the order of their names.
pub fn build() -> Result<Vec<Program>> {
    let folder = cargo::build_user_programs()?;
    let mut programs: Vec<Program> = sources(&project::user_sources().join("src/bin"), "rs")?
        .into_iter()
        .map(|(name, _)| Program {
            path: folder.join(&name),
            name,
        })
        .collect();
    for (name, source) in sources(&project::user_sources().join("c"), "c")? {
        programs.push(Program {
            path: build_c(&name, &source)?,
            name,
        });
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = programs
        .windows(2)
        .find(|pair| pair[0].name == pair[1].name)
    {
        bail!(
            "two programs are called {}: one in tests/user/src/bin, one in tests/user/c",
            twice[0].name
        );
    }
    Ok(programs)
}

/// Lists the sources in `folder`: (name, file). A Rust program may also be a folder with a `main.rs`.
fn sources(folder: &Path, extension: &str) -> Result<Vec<(String, PathBuf)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let is_source =
            path.extension().is_some_and(|e| e == extension) || path.join("main.rs").exists();
        if let (true, Some(stem)) = (is_source, path.file_stem()) {
            found.push((stem.to_string_lossy().into_owned(), path));
        }
    }
    Ok(found)
}

fn build_c(name: &str, source: &Path) -> Result<PathBuf> {
    let made = project::user_target().join("c").join(name);
    // A source may include its neighbours.
    let folder = source.parent().context("a source lies in a folder")?;
    let inputs = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    if fresh::is_fresh(&made, &inputs) {
        return Ok(made);
    }
    fresh::replace(&made, |part| compile_c(source, part))?;
    Ok(made)
}

fn compile_c(source: &Path, made: &Path) -> Result<()> {
    let text = fs::read_to_string(source)?;
    let output = Command::new("gcc")
        .args(["-O2", "-Wall", "-static", "-s", "-pthread"])
        .args(own_flags(&text))
        .arg("-o")
        .arg(made)
        .arg(source)
        .output()
        .context("gcc is missing; please install it (Debian: apt-get install gcc libc6-dev)")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && messages.contains("cannot find -lc") {
        bail!("gcc has no static C library; please install it (Debian: apt-get install libc6-dev)");
    }
    if !output.status.success() {
        bail!("gcc could not build {}:\n{messages}", source.display());
    }
    Ok(())
}

/// A source asks for more flags in its first line: `// gcc: -nostdlib`.
fn own_flags(source: &str) -> impl Iterator<Item = &str> {
    let first = source.lines().next().unwrap_or_default();
    first
        .strip_prefix("// gcc:")
        .unwrap_or_default()
        .split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_c_source_may_ask_for_flags_in_its_first_line_only() {
        let flags = |source| own_flags(source).collect::<Vec<_>>();
        assert_eq!(
            flags("// gcc: -nostdlib -static-pie\nint x;"),
            ["-nostdlib", "-static-pie"]
        );
        assert!(flags("// A program.\n// gcc: -nostdlib\n").is_empty());
        assert!(flags("").is_empty());
    }
}
