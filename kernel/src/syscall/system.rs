//! The machine and its limits: uname, sysinfo, random numbers, usage, limits, reboot.

use abi::Errno;
use abi::linux::{
    GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF,
    LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A,
    LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C, RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD,
};
use abi::process::Rlimit;
use abi::system::{Sysinfo, Utsname};
use addr::PAGE_SIZE;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::dev;
use crate::fs::user_buf::UserBuf;
use crate::mm::frame::{self, Owner};
use crate::process::power::{self, Ending};
use crate::process::usage::Usage;
use crate::process::{self, tree};
use crate::{task, time};

/// What programs see of the kernel. Programs look at the release to learn which calls Linux had by
/// then, so it names the Linux whose behaviour is meant.
const NAMES: Utsname = Utsname {
    sysname: Utsname::field("Linux"),
    nodename: Utsname::field("lodger"),
    release: Utsname::field("6.12.0-lodger"),
    version: Utsname::field(concat!("#1 Lodger ", env!("CARGO_PKG_VERSION"))),
    machine: Utsname::field("x86_64"),
    domainname: Utsname::field("(none)"),
};

/// `uname(buf)`.
pub fn uname(frame: &mut TrapFrame) -> SysResult {
    let [buf, ..] = frame.args();
    args::write(buf, &NAMES)?;
    Ok(0)
}

/// `sysinfo(buf)`; load averages are not kept.
pub fn sysinfo(frame: &mut TrapFrame) -> SysResult {
    let [buf, ..] = frame.args();
    let info = Sysinfo {
        uptime: time::now_ns() / 1_000_000_000,
        totalram: frame::total() * PAGE_SIZE,
        freeram: frame::count(Owner::Free) * PAGE_SIZE,
        procs: tree::count() as u16,
        mem_unit: 1,
        ..Sysinfo::default()
    };
    args::write(buf, &info)?;
    Ok(0)
}

/// `getrandom(buf, len, flags)`.
pub fn getrandom(frame: &mut TrapFrame) -> SysResult {
    let [buf, len, flags, ..] = frame.args();
    let flags = flags as u32;
    let both = GRND_RANDOM | GRND_INSECURE;
    if flags & !(GRND_NONBLOCK | both) != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    // Linux cuts this length before it looks at the buffer.
    let spans = [args::span(buf, len.min(args::MAX_TRANSFER))?];
    let mut buf = UserBuf::new(&spans);
    match dev::put_random(&mut buf) {
        Err(error) if buf.done() == 0 => Err(error.into()),
        _ => Ok(buf.done() as u64),
    }
}

/// `getrusage(who, usage)`.
pub fn getrusage(frame: &mut TrapFrame) -> SysResult {
    let [who, addr, ..] = frame.args();
    let usage = match who as i32 {
        who if who == RUSAGE_SELF as i32 => Usage::of_current(),
        who if who == RUSAGE_THREAD as i32 => Usage::of_thread(),
        RUSAGE_CHILDREN => tree::children_usage(process::current().pid()),
        _ => return Err(Errno::EINVAL),
    };
    args::write(addr, &super::wait::usage(&usage))?;
    Ok(0)
}

/// `getrlimit(resource, limit)`.
pub fn getrlimit(frame: &mut TrapFrame) -> SysResult {
    let [resource, addr, ..] = frame.args();
    args::write(addr, &own_limit(resource)?)?;
    Ok(0)
}

/// `setrlimit(resource, limit)`.
pub fn setrlimit(frame: &mut TrapFrame) -> SysResult {
    let [resource, addr, ..] = frame.args();
    set_own_limit(resource, args::read(addr)?)?;
    Ok(0)
}

/// `prlimit64(pid, resource, new, old)`; only a process's own limits.
pub fn prlimit64(frame: &mut TrapFrame) -> SysResult {
    let [pid, resource, new, old, ..] = frame.args();
    let own = process::current().pid();
    match pid as i32 {
        0 => {}
        pid => {
            let process = u32::try_from(pid).ok().and_then(tree::find_by_tid);
            if process.ok_or(Errno::ESRCH)?.pid() != own {
                return Err(Errno::EPERM);
            }
        }
    }
    let new = args::read_optional::<Rlimit>(new)?;
    let before = own_limit(resource)?;
    if let Some(new) = new {
        set_own_limit(resource, new)?;
    }
    args::write_optional(old, &before)?;
    Ok(0)
}

/// `getcpu(cpu, node)`.
pub fn getcpu(frame: &mut TrapFrame) -> SysResult {
    let [cpu, node, ..] = frame.args();
    args::write_optional(cpu, &(crate::percpu::cpu_id() as u32))?;
    args::write_optional(node, &0_u32)?;
    Ok(0)
}

/// `reboot(magic, magic2, command)`.
pub fn reboot(frame: &mut TrapFrame) -> SysResult {
    let [magic, magic2, command, ..] = frame.args().map(|arg| arg as u32);
    let second = [
        LINUX_REBOOT_MAGIC2,
        LINUX_REBOOT_MAGIC2A,
        LINUX_REBOOT_MAGIC2B,
        LINUX_REBOOT_MAGIC2C,
    ];
    if magic != LINUX_REBOOT_MAGIC1 || !second.contains(&magic2) {
        return Err(Errno::EINVAL);
    }
    match command {
        LINUX_REBOOT_CMD_POWER_OFF => power::end(Ending::PowerOff),
        LINUX_REBOOT_CMD_HALT => power::end(Ending::Halt),
        LINUX_REBOOT_CMD_RESTART => power::end(Ending::Restart),
        _ => Err(Errno::EINVAL),
    }
}

/// `sync()`: nothing can be written, so all is written already.
pub fn sync(_: &mut TrapFrame) -> SysResult {
    Ok(0)
}

fn own_limit(resource: u64) -> Result<Rlimit, Errno> {
    process::current()
        .with_limits(|limits| limits.get(resource))
        .ok_or(Errno::EINVAL)
}

fn set_own_limit(resource: u64, new: Rlimit) -> Result<(), Errno> {
    process::current().with_limits(|limits| limits.set(resource, new))?;
    if let Some(mm) = task::current_mm() {
        mm.set_limits(process::current().with_limits(|limits| limits.mm()));
    }
    Ok(())
}
