//! ioctl: what a terminal is asked; nothing else has any.

use abi::Errno;
use abi::file::OpenFlags;
use abi::file::{Termios, Winsize};
use abi::ioctl::{FIONBIO, TCGETS, TCSETS, TCSETSF, TCSETSW, TIOCGWINSZ};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::console;

/// The serial terminal's size, which nobody tells us: the classic one.
const WINDOW: Winsize = Winsize {
    rows: 25,
    columns: 80,
    xpixel: 0,
    ypixel: 0,
};

/// `ioctl(fd, request, argument)`.
pub fn ioctl(frame: &mut TrapFrame) -> SysResult {
    let [fd, request, argument, ..] = frame.args();
    let file = args::file(fd)?;
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
        request if file.file().is_terminal() => terminal(request, argument),
        _ => Err(Errno::ENOTTY),
    }
}

fn terminal(request: u32, argument: u64) -> SysResult {
    match request {
        TCGETS => args::write(argument, &console::termios())?,
        // Output is not buffered: there is never any to wait for.
        TCSETS | TCSETSW => console::set_termios(&args::read::<Termios>(argument)?, false),
        TCSETSF => console::set_termios(&args::read::<Termios>(argument)?, true),
        TIOCGWINSZ => args::write(argument, &WINDOW)?,
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}
