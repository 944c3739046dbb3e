//! `./x check`: formatting, lints and documentation links, for the host's packages, the kernel and the
//! programs, each for the target it is built for.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, project, tell};

/// Runs every check, tells which ones failed, and fails if any did.
pub(super) fn check() -> Result<()> {
    let mut failed = Vec::new();
    for (what, mut command) in checks() {
        tell::step(what);
        let status = command.status().context("cargo could not be started")?;
        if !status.success() {
            failed.push(what);
        }
    }
    if !failed.is_empty() {
        bail!("not clean: {}", failed.join(", "));
    }
    tell::step("all clean");
    Ok(())
}

fn checks() -> [(&'static str, Command); 7] {
    [
        ("formatting", host(&["fmt", "--all", "--check"])),
        (
            "lints of the host's packages",
            deny(host(&["clippy", "--all-targets", "--quiet"])),
        ),
        ("lints of the kernel", deny(kernel(&["clippy", "--quiet"]))),
        (
            "lints of the programs",
            deny(programs(&["clippy", "--quiet"])),
        ),
        (
            "documentation of the host's packages",
            docs(host(&["doc", "--no-deps", "--quiet"])),
        ),
        (
            "documentation of the kernel",
            docs(kernel(&[
                "doc",
                "--no-deps",
                "--document-private-items",
                "--quiet",
            ])),
        ),
        (
            "documentation of the programs",
            docs(programs(&["doc", "--no-deps", "--quiet"])),
        ),
    ]
}

/// A cargo command line for the packages of the host, as a reader would type it.
fn host(args: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(project::root());
    command
}

fn kernel(args: &[&str]) -> Command {
    inside(
        args,
        "kernel",
        project::KERNEL_TARGET,
        project::kernel_target(),
    )
}

fn programs(args: &[&str]) -> Command {
    inside(args, "user", project::USER_TARGET, project::user_target())
}

fn inside(args: &[&str], package: &str, target: &str, folder: PathBuf) -> Command {
    let mut command = cargo::command(args[0]);
    command
        .args(&args[1..])
        .args(["-p", package, "--target", target, "--target-dir"])
        .arg(folder);
    command
}

fn deny(mut clippy: Command) -> Command {
    clippy.args(["--", "-D", "warnings"]);
    clippy
}

fn docs(mut doc: Command) -> Command {
    doc.env("RUSTDOCFLAGS", "-D warnings");
    doc
}
