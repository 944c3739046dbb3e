//! A process gets a new program.

use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use cred::Cred;
use cred::program::Execed;

use super::image::{self, ExecRequest, ExecveError, Found, Image};
use super::thread::{Thread, current_thread};
use super::{Program, tree};
use crate::arch::trapframe::TrapFrame;
use crate::mm::counters::EXECS;
use crate::task;

/// Replaces the current program; on failure it goes on as if nothing had happened (EX-1).
///
/// `frame` becomes that of the new program's first instruction.
pub fn execve(
    frame: &mut TrapFrame,
    found: Found,
    request: ExecRequest,
) -> Result<(), ExecveError> {
    let name = base_name(&request.path);
    let image = image::load(found, request)?;
    current_thread().become_only()?;
    *frame = TrapFrame::user_entry(image.entry, image.sp);
    become_program(image, &name);
    EXECS.inc();
    Ok(())
}

/// Past the point of no return: nothing below can fail.
fn become_program(image: Image, name: &str) {
    let thread = current_thread();
    let process = thread.process();
    let Image {
        mm,
        exe,
        arguments,
        who,
        environment,
        ..
    } = image;
    process.forget_timers();
    process.barriers.store(0, Relaxed);
    thread.unshare_files();
    process.unshare_handlers();
    let closing = process.with_files(|files| files.take_close_on_exec());
    drop(closing);
    thread.reset_for_program(Program {
        exe: Some(exe),
        arguments,
        environment,
    });
    thread.give_up_robust_list();
    thread.clear_child_tid();
    process.note_peak_rss(&task::current());
    let old = task::exec_mm(mm);
    // The parent of a vfork goes on as soon as its memory is its own again.
    thread.complete_vfork();
    drop(old);
    become_who(&thread, who);
    let task = task::current();
    task.set_name(name);
    task.reset_user_state();
}

/// Takes the rights that the program gives; who has others than its user is not looked into, nor told of its parent's end.
fn become_who(thread: &Thread, who: Execed) {
    let process = thread.process();
    let Cred { uid, gid, .. } = &who.cred;
    let is_plain = uid.effective == uid.real && gid.effective == gid.real;
    process.dumpable.store(is_plain && !who.secure, Relaxed);
    if who.secure || !is_plain {
        thread.set_parent_death_signal(None);
    }
    if *thread.cred() != who.cred {
        thread.become_cred(Arc::new(who.cred));
    }
}

impl Thread {
    /// Ends the other threads of its process and takes the process's number.
    ///
    /// # Errors
    /// [`ExecveError::Ends`] if the process has to end itself, and everybody with it.
    fn become_only(&self) -> Result<(), ExecveError> {
        let process = self.process();
        if !process.group.lock().begin_exec(self.slot()) {
            return Err(ExecveError::Ends);
        }
        let alone = process.left.wait_until_killable(|| process.threads() == 1);
        alone.map_err(|_| ExecveError::Ends)?;
        if !self.is_leader() {
            let tid = self.tid();
            tree::forget_thread(tid);
            self.become_leader();
            if self.has_children.load(Relaxed) {
                tree::rename_maker(process.pid(), tid);
            }
        }
        process.group.lock().end_exec(self.slot());
        Ok(())
    }

    /// Puts back what a new program finds in its initial state (EX-3).
    pub(super) fn reset_for_program(&self, program: Program) {
        let process = self.process();
        process.with_signals(|signals| signals.exec());
        tree::note_exec(process.pid());
        let old = core::mem::replace(&mut *process.program.lock(), program);
        drop(old); // outside the lock: it may be the last reference to a file
    }
}

/// The name a task has from the program it runs.
pub(super) fn base_name(path: &[u8]) -> String {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    String::from_utf8_lossy(name).into_owned()
}
