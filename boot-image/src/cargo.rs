//! Calls the pinned cargo for what is not a host package: the kernel and the programs inside it.

use std::io::{BufRead, BufReader, IsTerminal, stderr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::project;

/// Starts a cargo command line in the project's root, free of the outer cargo's settings.
///
/// `RUSTC_BOOTSTRAP=0` overrides what `.cargo/config.toml` sets for bootloader's build script:
/// Lodger's own code is stable Rust, and building it this way proves it.
pub fn command(subcommand: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .arg(subcommand)
        .current_dir(project::root())
        .env("RUSTC_BOOTSTRAP", "0");
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
    ] {
        cargo.env_remove(name);
    }
    cargo
}

/// The kernel that people run.
pub const RELEASE: &str = "release";
/// The kernel with every check it has (`--checked`).
pub const CHECKED: &str = "checked";

/// Returns where the kernel lies once it is built with this profile, with its symbols.
pub fn kernel_path(profile: &str) -> PathBuf {
    project::kernel_target()
        .join(project::KERNEL_TARGET)
        .join(profile)
        .join("kernel")
}

/// Builds the kernel with this profile and returns the ELF with its symbols.
pub fn build_kernel(profile: &str) -> Result<PathBuf> {
    let mut cargo = command("build");
    cargo
        .args([
            "-p",
            "kernel",
            "--profile",
            profile,
            "--target",
            project::KERNEL_TARGET,
            "--target-dir",
        ])
        .arg(project::kernel_target());
    run(cargo, "the kernel")?;
    Ok(kernel_path(profile))
}

/// Builds the Rust programs of `tests/user` as static, stripped Linux executables and returns the
/// folder they are in.
pub fn build_user_programs() -> Result<PathBuf> {
    let target = project::user_target();
    let mut cargo = command("build");
    cargo
        .args([
            "-p",
            "user",
            "--profile",
            "user",
            "--target",
            project::USER_TARGET,
            "--target-dir",
        ])
        .arg(&target)
        .env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    run(cargo, "the user programs")?;
    Ok(target.join(project::USER_TARGET).join("user"))
}

/// Finds one of the LLVM tools that belong to the toolchain, such as `llvm-objcopy`.
pub fn llvm_tool(name: &str) -> Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(project::root())
        .stderr(Stdio::inherit())
        .output()
        .context("rustc could not be started; ./x sets up the toolchain")?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let tool = sysroot
        .join("lib/rustlib")
        .join(project::USER_TARGET)
        .join("bin")
        .join(name);
    ensure!(
        tool.exists(),
        "{} is missing: the toolchain lacks llvm-tools; ./x sets it up",
        tool.display()
    );
    Ok(tool)
}

/// Runs a cargo command line to its end and shows its messages, but for the closing one: a build with
/// nothing to do stays silent.
fn run(mut cargo: Command, what: &str) -> Result<()> {
    let colour = if stderr().is_terminal() {
        "always"
    } else {
        "never"
    };
    let mut child = cargo
        .env("CARGO_TERM_COLOR", colour)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo could not be started; ./x sets up the toolchain")?;
    let messages = child.stderr.take().context("cargo's messages are a pipe")?;
    for line in BufReader::new(messages).lines().map_while(Result::ok) {
        if !line.contains("Finished") {
            eprintln!("{line}");
        }
    }
    if !child.wait()?.success() {
        bail!("{what} could not be built (cargo's messages are above)");
    }
    Ok(())
}
