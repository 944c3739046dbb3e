//! ioctl: what terminals are asked and told.

use alloc::sync::Arc;

use abi::Errno;
use abi::file::{OpenFlags, Termio, Termios, Termios2, Winsize};
use abi::ioctl::{
    FIOCLEX, FIONBIO, FIONCLEX, TCFLSH, TCGETA, TCGETS, TCSBRK, TCSBRKP, TCSETA, TCSETAF, TCSETAW,
    TCSETS, TCSETSF, TCSETSW, TCXONC, TIOCCBRK, TIOCEXCL, TIOCGDEV, TIOCGETD, TIOCGEXCL, TIOCGPGRP,
    TIOCGPKT, TIOCGPTLCK, TIOCGPTN, TIOCGPTPEER, TIOCGSID, TIOCGSOFTCAR, TIOCGWINSZ, TIOCINQ,
    TIOCMGET, TIOCNOTTY, TIOCNXCL, TIOCOUTQ, TIOCPKT, TIOCSBRK, TIOCSCTTY, TIOCSETD, TIOCSIG,
    TIOCSPGRP, TIOCSPTLCK, TIOCSSOFTCAR, TIOCSTI, TIOCSWINSZ, TIOCVHANGUP,
};
use abi::linux::{
    BOTHER, CBAUD, CLOCAL, TCIFLUSH, TCIOFF, TCIOFLUSH, TCION, TCOFLUSH, TCOOFF, TCOON,
};
use abi::{Signal, linux};
use tty::Settings;
use tty::settings::code_of;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::OpenFile;
use crate::fs::eventfd::downcast;
use crate::fs::tty::Tty;
use crate::fs::tty::control::{Flow, Way};
use crate::fs::tty::file::TtyFile;
use crate::fs::tty::jobs;
use crate::fs::unix::Socket;
use crate::process;

/// The requests with `struct termios2`, which the headers leave to the machine: get, set, set later, set and flush.
const TCGETS2: u32 = 0x802c_542a;
const TCSETS2: u32 = 0x402c_542b;
const TCSETSW2: u32 = 0x402c_542c;
const TCSETSF2: u32 = 0x402c_542d;
/// Lines of a serial port that is connected: DTR, RTS, CTS, carrier, DSR.
const MODEM_LINES: u32 = 0x166;
/// The only line discipline.
const N_TTY: u32 = 0;

/// `ioctl(fd, request, argument)`.
pub fn ioctl(frame: &mut TrapFrame) -> SysResult {
    let [fd, request, argument, ..] = frame.args();
    let file = args::opened_file(fd)?;
    match request as u32 {
        FIONBIO => {
            let flag = if args::read::<i32>(argument)? != 0 {
                OpenFlags::NONBLOCK
            } else {
                OpenFlags::empty()
            };
            file.set_flags(file.flags().difference(OpenFlags::NONBLOCK) | flag);
            Ok(0)
        }
        TIOCINQ if let Some(pipe) = file.file().pipe() => {
            args::write(argument, &(pipe.bytes() as i32))?;
            Ok(0)
        }
        FIOCLEX | FIONCLEX => {
            let closes = request as u32 == FIOCLEX;
            process::current().with_files(|files| files.set_close_on_exec(fd as i32, closes));
            Ok(0)
        }
        TIOCINQ | TIOCOUTQ if let Some(socket) = downcast::<Socket>(&file) => {
            let count = match request as u32 {
                TIOCINQ => socket.endpoint().unread().ok_or(Errno::EINVAL)?,
                _ => socket.endpoint().outgoing.used(),
            };
            args::write(argument, &(count as i32))?;
            Ok(0)
        }
        request => match file.file().terminal() {
            Some(open) if open.is_hung() => Err(match request {
                TIOCSPGRP => Errno::ENOTTY,
                _ => Errno::EIO,
            }),
            Some(open) => terminal(&file, open, request, argument),
            None => Err(Errno::ENOTTY),
        },
    }
}

/// `vhangup()`: ends all use of the caller's terminal.
pub fn vhangup(_: &mut TrapFrame) -> SysResult {
    let caller = jobs::caller().ok_or(Errno::EPERM)?;
    if !caller.is_admin {
        return Err(Errno::EPERM);
    }
    if let Some(terminal) = caller.terminal {
        terminal.hang_up(false);
    }
    Ok(0)
}

fn terminal(file: &OpenFile, open: &TtyFile, request: u32, argument: u64) -> SysResult {
    let tty = open.tty();
    match request {
        TCGETS => args::write(argument, &tty.settings().termios)?,
        TCGETS2 => args::write(argument, &with_speeds(&tty.settings()))?,
        TCSETS | TCSETSW | TCSETSF => {
            tty.check_change()?;
            let termios = args::read::<Termios>(argument)?;
            // Output is on its way at once: there is never any to wait for.
            set(
                tty,
                tty.settings().with_termios(termios),
                request == TCSETSF,
            );
        }
        TCGETA => args::write(argument, &Termio::from(tty.settings().termios))?,
        TCSETA | TCSETAW | TCSETAF => {
            tty.check_change()?;
            let termio = args::read::<Termio>(argument)?;
            let settings = tty.settings();
            let termios = termio.over(settings.termios);
            set(tty, settings.with_termios(termios), request == TCSETAF);
        }
        TCSETS2 | TCSETSW2 | TCSETSF2 => {
            tty.check_change()?;
            let asked = args::read::<Termios2>(argument)?;
            set(tty, from_speeds(tty, &asked), request == TCSETSF2);
        }
        TIOCGSOFTCAR => args::write(argument, &i32::from(is_local(tty)))?,
        TIOCSSOFTCAR => {
            let on = args::read::<i32>(argument)? != 0;
            let mut settings = tty.settings();
            settings.termios.cflag &= !CLOCAL;
            settings.termios.cflag |= if on { CLOCAL } else { 0 };
            tty.set_settings(settings);
        }
        TIOCGWINSZ => args::write(argument, &tty.window())?,
        TIOCSWINSZ => tty.set_window(args::read::<Winsize>(argument)?),
        TIOCINQ => {
            let waiting = tty.waiting(open.is_master());
            args::write(argument, &(waiting as i32))?;
        }
        TIOCOUTQ => args::write(argument, &0_i32)?,
        TIOCGETD => args::write(argument, &N_TTY)?,
        TIOCSETD if args::read::<u32>(argument)? == N_TTY => {}
        TIOCSETD => return Err(Errno::EINVAL),
        TIOCEXCL | TIOCNXCL => tty.set_exclusive(request == TIOCEXCL),
        TIOCGEXCL => args::write(argument, &i32::from(tty.is_exclusive()))?,
        TIOCGDEV => args::write(argument, &(tty.number() as u32))?,
        TIOCMGET if tty.pty_number().is_none() => args::write(argument, &MODEM_LINES)?,
        TIOCSTI => simulate(tty, argument)?,
        TCFLSH | TCXONC | TCSBRK | TCSBRKP | TIOCSBRK | TIOCCBRK => {
            flow(tty, request, argument)?;
        }
        TIOCVHANGUP if !is_admin() => return Err(Errno::EPERM),
        TIOCVHANGUP => tty.hang_up(false),
        _ => return ownership(file, open, request, argument),
    }
    Ok(0)
}

fn is_admin() -> bool {
    jobs::caller().is_some_and(|caller| caller.is_admin)
}

fn set(tty: &Tty, new: Settings, flush: bool) {
    if flush {
        tty.flush(Way::In);
    }
    tty.set_settings(new);
}

fn with_speeds(settings: &Settings) -> Termios2 {
    Termios2 {
        termios: settings.termios,
        ispeed: settings.ispeed,
        ospeed: settings.ospeed,
    }
}

fn from_speeds(tty: &Tty, asked: &Termios2) -> Settings {
    let mut settings = tty.settings().with_termios(asked.termios);
    if asked.termios.cflag & CBAUD == BOTHER {
        settings.ospeed = asked.ospeed;
        settings.ispeed = if asked.ispeed == 0 {
            asked.ospeed
        } else {
            asked.ispeed
        };
        let code = code_of(asked.ospeed);
        settings.termios.cflag = settings.termios.cflag & !CBAUD | code;
    }
    settings
}

fn is_local(tty: &Tty) -> bool {
    tty.settings().termios.cflag & CLOCAL != 0
}

/// `TIOCSTI`: types a byte. Into another session's terminal only the administrator does.
fn simulate(tty: &Tty, argument: u64) -> Result<(), Errno> {
    let caller = jobs::caller().ok_or(Errno::EPERM)?;
    if !caller.owns(tty) && !caller.is_admin {
        return Err(Errno::EPERM);
    }
    tty.simulate(args::read::<u8>(argument)?);
    Ok(())
}

fn flow(tty: &Tty, request: u32, argument: u64) -> Result<(), Errno> {
    tty.check_change()?;
    match (request, argument as u32) {
        (TCFLSH, TCIFLUSH) => tty.flush(Way::In),
        (TCFLSH, TCOFLUSH) => tty.flush(Way::Out),
        (TCFLSH, TCIOFLUSH) => tty.flush(Way::Both),
        (TCXONC, TCOOFF) => tty.change_flow(Flow::StopOutput),
        (TCXONC, TCOON) => tty.change_flow(Flow::StartOutput),
        (TCXONC, TCIOFF) => tty.change_flow(Flow::SendStop),
        (TCXONC, TCION) => tty.change_flow(Flow::SendStart),
        (TCFLSH | TCXONC, _) => return Err(Errno::EINVAL),
        // Output is on its way already, and nobody sees a break.
        _ => {}
    }
    Ok(())
}

/// Whose terminal it is.
fn ownership(file: &OpenFile, open: &TtyFile, request: u32, argument: u64) -> SysResult {
    let tty = open.tty();
    match request {
        TIOCSCTTY => tty.become_controlling(argument == 1, file.flags().reads())?,
        TIOCNOTTY => tty.give_up()?,
        TIOCGPGRP => args::write(argument, &tty.foreground(open.is_master())?)?,
        TIOCSPGRP => set_foreground(tty, argument)?,
        TIOCGSID => args::write(argument, &tty.session(open.is_master())?)?,
        _ => return pty(open, request, argument),
    }
    Ok(0)
}

fn set_foreground(tty: &Tty, argument: u64) -> Result<(), Errno> {
    match tty.check_change().map_err(Errno::from) {
        Err(Errno::EIO) => return Err(Errno::ENOTTY),
        other => other?,
    }
    let group = args::read::<i32>(argument)?;
    let group = u32::try_from(group).map_err(|_| Errno::EINVAL)?;
    Ok(tty.set_foreground(group)?)
}

/// What only pseudo-terminals do, and most of it only at the master.
fn pty(open: &TtyFile, request: u32, argument: u64) -> SysResult {
    let tty = open.tty();
    let Some(number) = tty.pty_number().filter(|_| open.is_master()) else {
        return Err(Errno::ENOTTY);
    };
    match request {
        TIOCGPTN => args::write(argument, &number)?,
        TIOCSPTLCK => tty.set_pty_lock(args::read::<i32>(argument)? != 0),
        TIOCGPTLCK => args::write(argument, &i32::from(tty.is_pty_locked()))?,
        TIOCPKT => tty.set_packet(args::read::<i32>(argument)? != 0),
        TIOCGPKT => args::write(argument, &i32::from(tty.is_packet()))?,
        TIOCSIG => {
            let signal = Signal::new(argument).filter(|signal| sent_by_master(*signal));
            tty.signal_foreground(signal.ok_or(Errno::EINVAL)?);
        }
        TIOCGPTPEER => return open_peer(open, argument),
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

fn sent_by_master(signal: Signal) -> bool {
    [Signal::INT, Signal::QUIT, Signal::TSTP].contains(&signal)
}

fn open_peer(open: &TtyFile, flags: u64) -> SysResult {
    let flags = OpenFlags::from_bits_truncate(flags as u32);
    let file: Arc<OpenFile> = OpenFile::new(open.open_peer(flags)?, flags);
    let close_on_exec = flags.bits() & linux::O_CLOEXEC != 0;
    let process = process::current();
    let limit = process.fd_limit();
    let fd = process.with_files(|files| files.insert(file, close_on_exec, 0, limit))?;
    Ok(fd as u64)
}
