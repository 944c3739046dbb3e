//! The machine and its limits: uname, sysinfo, random numbers, usage, limits, reboot.

use abi::Errno;
use abi::linux::{
    GRND_INSECURE, GRND_NONBLOCK, GRND_RANDOM, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF,
    LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A,
    LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C, RUSAGE_CHILDREN, RUSAGE_SELF, RUSAGE_THREAD,
};
use abi::system::Sysinfo;
use addr::PAGE_SIZE;
use cred::Cap;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::dev;
use crate::fs::user_buf::UserBuf;
use crate::mm::frame::{self, Owner};
use crate::mm::uaccess;
use crate::process::power::{self, Ending};
use crate::process::usage::Usage;
use crate::process::{self, creds, machine, tree, uts};
use crate::time;

/// `uname(buf)`.
pub fn uname(frame: &mut TrapFrame) -> SysResult {
    let [buf, ..] = frame.args();
    args::write(buf, &uts::names())?;
    Ok(0)
}

/// `sethostname(name, len)`.
pub fn sethostname(frame: &mut TrapFrame) -> SysResult {
    uts::set_node(new_name(frame.args())?);
    Ok(0)
}

/// `setdomainname(name, len)`.
pub fn setdomainname(frame: &mut TrapFrame) -> SysResult {
    uts::set_domain(new_name(frame.args())?);
    Ok(0)
}

fn new_name([addr, len, ..]: [u64; 6]) -> Result<[u8; 65], Errno> {
    if !creds::has(Cap::SysAdmin) {
        return Err(Errno::EPERM);
    }
    let mut name = [0; 65];
    let len = usize::try_from(len as i32).map_err(|_| Errno::EINVAL)?;
    let told = name[..64].get_mut(..len).ok_or(Errno::EINVAL)?;
    match uaccess::copy_from_user_partial(told, addr) == len {
        true => Ok(name),
        false => Err(Errno::EFAULT),
    }
}

/// `sysinfo(buf)`.
pub fn sysinfo(frame: &mut TrapFrame) -> SysResult {
    let [buf, ..] = frame.args();
    let info = Sysinfo {
        uptime: time::now_ns() / 1_000_000_000,
        totalram: frame::total() * PAGE_SIZE,
        freeram: frame::count(Owner::Free) * PAGE_SIZE,
        procs: tree::count() as u16,
        loads: machine::load_averages(),
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
    if !creds::has(Cap::SysBoot) {
        return Err(Errno::EPERM);
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
