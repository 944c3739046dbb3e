//! Where things lie: the project's root and the folders this package writes to, all of them below
//! the target folder.

use std::path::{Path, PathBuf};

/// The rustc target of the kernel.
pub const KERNEL_TARGET: &str = "x86_64-unknown-none";
/// The rustc target of the programs that run inside, which is also the host's.
pub const USER_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Returns the project's top folder.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Returns the folder everything built goes to: `CARGO_TARGET_DIR`, or `target` at the top.
pub fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Returns cargo's target folder for the kernel: its own, so that neither locks nor flags fight
/// with the cargo that built this program.
pub fn kernel_target() -> PathBuf {
    target().join("kernel")
}

/// Returns cargo's target folder for the Rust programs, which also holds the C ones (`c/`).
pub fn user_target() -> PathBuf {
    target().join("user")
}

/// Returns the folder of the finished images.
pub fn images() -> PathBuf {
    target().join("images")
}

/// Returns the folder of the programs' sources.
pub fn user_sources() -> PathBuf {
    root().join("tests/user")
}
