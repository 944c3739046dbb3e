//! Ties a child process to this one: if this one dies, even by SIGKILL, the child is killed too.

#![expect(
    unsafe_code,
    reason = "a call between fork and exec is unsafe by its nature"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use nix::sys::prctl;
use nix::sys::signal::Signal;

/// Starts the command so that it does not outlive the thread that calls this.
///
/// It gets a process group of its own: Ctrl-C on the terminal is this process's to handle.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    command.process_group(0);
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl is a plain
    // system call and the conversion of its error allocates nothing.
    unsafe { command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)) };
    command.spawn()
}
