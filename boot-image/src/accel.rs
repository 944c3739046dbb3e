//! How QEMU carries out the guest's instructions, and whether KVM is of any use here.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::scratch::Scratch;
use crate::vm::{self, Input};
use crate::{Exit, qemu};

/// The ways to run a guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// QEMU's own translator: works everywhere.
    #[default]
    Tcg,
    /// The host's virtualisation through /dev/kvm.
    Kvm,
    /// KVM where it boots something in time, else TCG.
    Auto,
}

/// A boot sector that writes 0x10 to the isa-debug-exit port: `mov dx,0xf4; mov eax,0x10; out dx,eax`.
const PROBE: [u8; 11] = [
    0xba, 0xf4, 0x00, 0x66, 0xb8, 0x10, 0x00, 0x00, 0x00, 0x66, 0xef,
];
/// With KVM that works the sector is through in a tenth of this. An emulated KVM (a host that is
/// a guest itself) may open and yet be slower than TCG, or hang.
const PROBE_TIME: Duration = Duration::from_secs(1);

impl Accel {
    /// Replaces `Auto` by what works here.
    pub fn resolve(self) -> Self {
        match self {
            Self::Auto if kvm_boots().unwrap_or(false) => Self::Kvm,
            Self::Auto => Self::Tcg,
            chosen => chosen,
        }
    }
}

fn kvm_boots() -> Result<bool> {
    let scratch = Scratch::new()?;
    let mut sector = [0; 1 << 16];
    sector[..PROBE.len()].copy_from_slice(&PROBE);
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    let disk = scratch.write("probe.img", &sector)?;
    let command = qemu::probe(&disk);
    let run = vm::run(command, Input::None, PROBE_TIME, &mut |_| ())?;
    Ok(run.exit == Exit::Pass)
}
