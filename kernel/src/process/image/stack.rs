//! The stack of a new program, and what is told on it.

use abi::auxvec;
use addr::PAGE_SIZE;
use cred::Cred;
use cred::program::Execed;
use exec::LoadPlan;
use exec::stack::{InitialStack, StackArgs};
use pte::Prot;
use sigframe::Frame;
use vma::VmFlags;

use super::{ExecRequest, ExecveError, MAY_ALL, Start};
use crate::arch::fpu;
use crate::fs::dev::random_bytes;
use crate::mm::{MapBacking, MapKind, MapRequest, Mm};

/// What a new stack has mapped below the words it starts with (ES-4).
const STACK_ROOM: u64 = 128 * 1024;
/// Clock ticks per second, as `times` counts them.
const CLOCK_TICKS: u64 = 100;
/// What a signal's frame may need to be aligned, with the words of the program that it spares.
const SPARE: u64 = 256;

/// Maps the stack and writes what the program finds on it.
pub(super) fn write(
    mm: &Mm,
    told: &Told<'_>,
    request: &ExecRequest,
) -> Result<InitialStack, ExecveError> {
    let top = request.layout.stack_top;
    let stack = exec::stack::build(&StackArgs {
        argv: &request.argv,
        envp: &request.envp,
        execfn: &request.path,
        auxv: &told.aux_vector(),
        random: random_bytes(),
        platform: b"x86_64",
        top,
    })?;
    map_stack(
        mm,
        top,
        stack.bytes.len() as u64,
        told.plan.exec_stack,
        request.limits.stack,
    )?;
    mm.write_remote(stack.sp, &stack.bytes)?;
    Ok(stack)
}

fn map_stack(
    mm: &Mm,
    top: u64,
    used: u64,
    executable: bool,
    limit: u64,
) -> Result<(), ExecveError> {
    let used = used.next_multiple_of(PAGE_SIZE);
    let len = (used + STACK_ROOM).min(limit & !(PAGE_SIZE - 1)).max(used);
    let exec = if executable {
        Prot::EXEC
    } else {
        Prot::empty()
    };
    let request = MapRequest {
        addr: top - len,
        len,
        prot: Prot::READ | Prot::WRITE | exec,
        kind: MapKind::FixedNoReplace,
        flags: VmFlags::GROWSDOWN | VmFlags::STACK | MAY_ALL,
        populate: false,
        backing: MapBacking::ANON,
    };
    mm.map(&request)?;
    Ok(())
}

/// What a program is told besides arguments and environment.
pub(super) struct Told<'a> {
    pub(super) plan: &'a LoadPlan<'a>,
    pub(super) start: &'a Start,
    pub(super) who: &'a Execed,
    /// Where the vDSO is.
    pub(super) vdso: Option<u64>,
}

impl Told<'_> {
    /// Returns what it is told of itself and the machine (ES-3).
    fn aux_vector(&self) -> [(u64, u64); 20] {
        let Self {
            plan, start, who, ..
        } = self;
        // CPUID leaf 1 EDX, as Linux passes it on.
        let hwcap = raw_cpuid::cpuid!(1).edx;
        let Cred { uid, gid, .. } = &who.cred;
        // A signal's frame at its largest, and what aligns it.
        let frame = fpu::format().frame_size() as u64 + Frame::WHOLE + SPARE;
        [
            (auxvec::AT_SYSINFO_EHDR, self.vdso.unwrap_or(0)),
            (auxvec::AT_MINSIGSTKSZ, frame),
            (auxvec::AT_HWCAP, hwcap.into()),
            (auxvec::AT_PAGESZ, PAGE_SIZE),
            (auxvec::AT_CLKTCK, CLOCK_TICKS),
            (auxvec::AT_PHDR, plan.phdr.unwrap_or(0)),
            (auxvec::AT_PHENT, plan.phent.into()),
            (auxvec::AT_PHNUM, plan.phnum.into()),
            (auxvec::AT_BASE, start.base),
            (auxvec::AT_FLAGS, 0),
            (auxvec::AT_ENTRY, plan.entry),
            (auxvec::AT_UID, uid.real.into()),
            (auxvec::AT_EUID, uid.effective.into()),
            (auxvec::AT_GID, gid.real.into()),
            (auxvec::AT_EGID, gid.effective.into()),
            (auxvec::AT_SECURE, who.secure.into()),
            // These four get the addresses where the stack has them.
            (auxvec::AT_RANDOM, 0),
            (auxvec::AT_HWCAP2, 0),
            (auxvec::AT_EXECFN, 0),
            (auxvec::AT_PLATFORM, 0),
        ]
        .map(|(key, value)| (key.into(), value))
    }
}
