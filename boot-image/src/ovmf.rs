//! Finds the UEFI firmware on the host.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where distributions put OVMF: (code, variables).
const PLACES: [(&str, &str); 5] = [
    (
        "/usr/share/OVMF/OVMF_CODE_4M.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.fd",
    ),
    (
        "/usr/share/OVMF/OVMF_CODE.fd",
        "/usr/share/OVMF/OVMF_VARS.fd",
    ),
    (
        "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
        "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
    ),
    (
        "/usr/share/edk2/ovmf/OVMF_CODE.fd",
        "/usr/share/edk2/ovmf/OVMF_VARS.fd",
    ),
    (
        "/usr/share/qemu/edk2-x86_64-code.fd",
        "/usr/share/qemu/edk2-i386-vars.fd",
    ),
];

/// The two flash chips of a UEFI machine.
#[derive(Clone, Debug)]
pub struct Ovmf {
    /// The firmware's code, only read.
    pub code: PathBuf,
    /// The empty variable store; a machine gets a copy, since it writes to it.
    pub variables: PathBuf,
}

/// Returns the first pair of files that is there.
pub fn find() -> Result<Ovmf> {
    PLACES
        .iter()
        .find(|(code, variables)| Path::new(code).exists() && Path::new(variables).exists())
        .map(|(code, variables)| Ovmf {
            code: code.into(),
            variables: variables.into(),
        })
        .context(
            "the UEFI firmware OVMF is missing; please install it (Debian: apt-get install ovmf)",
        )
}
