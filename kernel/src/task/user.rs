//! User tasks: how a task is made whose first instruction is in user mode.

use runq::Schedulable;

use super::lockcheck;
use super::{Context, Owner, Parts, Task, TaskMm, TaskRef, current, cut_name};
use crate::arch::fpu::FpuState;
use crate::arch::trapframe::TrapFrame;
use crate::locks::rank;
use crate::mm::kstack::Kstack;
use crate::mm::{MmUserRef, OutOfMemory};

/// What a new user task starts with.
pub struct NewUser<'a> {
    /// Its name, cut to 15 bytes.
    pub name: &'a str,
    /// Its address space.
    pub mm: MmUserRef,
    /// Its registers.
    pub frame: TrapFrame,
    /// What the process layer wants to find on it.
    pub owner: Owner,
    /// Whether it inherits the current task's vector registers (fork), or starts with fresh ones.
    pub copy_fpu: bool,
    /// User FS base.
    pub fs_base: u64,
    /// User GS base.
    pub gs_base: u64,
}

impl NewUser<'_> {
    /// Makes the task; [`crate::sched::start`] lets it run.
    pub fn spawn(self) -> Result<TaskRef, OutOfMemory> {
        let kstack = Kstack::new()?;
        let context = Context::user(&kstack, &self.frame);
        let task = Task::from_parts(Parts {
            name: cut_name(self.name),
            idle: false,
            kstack,
            context,
            mm: TaskMm::User(self.mm),
            fpu: Some(if self.copy_fpu {
                copy_of_current()
            } else {
                FpuState::new()
            }),
            owner: Some(self.owner),
            kthread: None,
        });
        task.entity().inherit(current().entity());
        task.store_fs_base(self.fs_base);
        task.store_gs_base(self.gs_base);
        lockcheck::start_holding(task.held(), rank::RUNQ, "run queue");
        Ok(task)
    }
}

/// Copies the vector registers as they are now, in the CPU, of the task that forks.
fn copy_of_current() -> FpuState {
    match current().fpu() {
        Some(fpu) => {
            let mut state = fpu.lock();
            state.save();
            state.clone()
        }
        None => FpuState::new(),
    }
}
