//! What the machines are made of, built once for each test program.

use std::path::PathBuf;
use std::sync::OnceLock;

use boot_image::build::{self, Built};

/// Builds the kernel and the programs, or finds them up to date.
pub fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        build::build().unwrap_or_else(|error| panic!("the build failed: {error:#}"))
    })
}

/// Builds the kernel with every check it has as well.
pub fn checked() -> &'static Built {
    static CHECKED: OnceLock<Built> = OnceLock::new();
    CHECKED.get_or_init(|| {
        let checked = built().checked();
        checked.unwrap_or_else(|error| panic!("the build failed: {error:#}"))
    })
}

/// Returns where one of the project's programs lies on the host.
pub fn program(name: &str) -> PathBuf {
    let found = built().programs.iter().find(|program| program.name == name);
    found
        .unwrap_or_else(|| panic!("tests/user has no program called {name}"))
        .path
        .clone()
}
