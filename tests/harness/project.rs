//! What the machines are made of, built once for each test program.

use std::path::PathBuf;
use std::process::Command;
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

/// Returns a stranger's program, `bash` or `lua`, fetched from Debian if it is not there yet.
pub fn guest(name: &str) -> PathBuf {
    let folder = boot_image::project::target().join("guests");
    let script = boot_image::project::root().join("tests/guests.sh");
    let _turn = boot_image::lock::exclusive("guests").expect("the target folder can hold a lock");
    let fetched = Command::new(script).arg(&folder).arg(name).output();
    let fetched = fetched.expect("bash runs scripts");
    let said = String::from_utf8_lossy(&fetched.stderr).into_owned();
    assert!(
        fetched.status.success(),
        "{name} cannot be had from Debian:\n{said}"
    );
    std::fs::canonicalize(folder.join(name)).expect("it was just fetched")
}
