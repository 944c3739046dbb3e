//! From one kernel stack to another, and how a new task starts.
//!
//! A task that is not running is a stack pointer: below it lie the six registers a called function
//! must keep, and the address where to go on. [`switch_to`] pushes, exchanges RSP, pops and returns
//! into the other task. A new task gets a stack that looks as if it had just called `switch_to`:
//!
//! ```text
//!  stack_top ->  +------------------+
//!                | TrapFrame        |  a user task's registers; a kernel task leaves the room free
//!                +------------------+
//!                | 0, 0             |  where a backtrace ends (kernel tasks only)
//!                | start address    |  kthread_start or user_start
//!                | rbp = 0          |
//!                | rbx              |
//!                | r12 = argument   |
//!                | r13 = function   |
//!                | r14, r15         |
//!        rsp ->  +------------------+
//! ```
//!
//! # Invariants
//! - Interrupts are off across a switch.
//! - RFLAGS is not switched: AC and DF are always clear in kernel code that can get here.
//! - RSP0 and the SYSCALL stack follow the task (SY-10): a [`SwitchContext`] knows its stack's top, and
//!   `switch_to` sets both before it leaves.
#![expect(unsafe_code, reason = "changing stacks")]

use core::arch::{asm, naked_asm};

use addr::{Frame, VirtAddr};

use super::trapframe::TrapFrame;
use super::{entry, local, upcall};

/// Where a task that is not running goes on.
#[derive(Clone, Copy, Debug)]
pub struct SwitchContext {
    rsp: u64,
    stack_top: VirtAddr,
}

/// The registers [`switch_stacks`] pushes, lowest address first.
#[repr(C)]
struct Saved {
    r15: u64,
    r14: u64,
    /// A new kernel task's function.
    r13: u64,
    /// A new kernel task's argument.
    r12: u64,
    rbx: u64,
    rbp: u64,
    resume: u64,
}

impl SwitchContext {
    /// Describes the running code as a task on the stack that ends at `stack_top`.
    ///
    /// Only [`switch_to`] may use it, as `prev`, before anything else does.
    pub const fn running_on(stack_top: VirtAddr) -> Self {
        Self { rsp: 0, stack_top }
    }

    /// Returns where [`switch_stacks`] pushed RBP: below it lies where the task goes on, as in any frame.
    pub fn frame_pointer(&self) -> u64 {
        self.rsp + core::mem::offset_of!(Saved, rbp) as u64
    }
}

/// Prepares a kernel task: `first_switch`, then interrupts on, then `entry(argument)`.
///
/// # Safety
/// `stack_top` is the 16-byte aligned top of a mapped, unused kernel stack.
pub unsafe fn new_kthread(
    stack_top: VirtAddr,
    entry: extern "C" fn(usize) -> !,
    argument: usize,
) -> SwitchContext {
    let below_frame = stack_top.as_u64() - size_of::<TrapFrame>() as u64;
    let end_mark = below_frame - 16;
    // SAFETY: inside the unused stack (see above).
    unsafe { core::ptr::with_exposed_provenance_mut::<[u64; 2]>(end_mark as usize).write([0, 0]) };
    let saved = Saved {
        r15: 0,
        r14: 0,
        r13: entry as *const () as u64,
        r12: argument as u64,
        rbx: 0,
        rbp: 0,
        resume: kthread_start as *const () as u64,
    };
    // SAFETY: the caller's promise.
    unsafe { SwitchContext::with_saved(stack_top, end_mark, saved) }
}

/// Prepares a user task: `first_switch`, then the work before leaving the kernel, then the program at `frame`.
///
/// # Safety
/// 1. `stack_top` is the 16-byte aligned top of a mapped, unused kernel stack.
/// 2. `frame` is a user frame (`trapframe`'s invariants).
pub unsafe fn new_user(stack_top: VirtAddr, frame: &TrapFrame) -> SwitchContext {
    let below_frame = stack_top.as_u64() - size_of::<TrapFrame>() as u64;
    // SAFETY: inside the unused stack (1).
    unsafe {
        core::ptr::with_exposed_provenance_mut::<TrapFrame>(below_frame as usize).write(*frame)
    };
    let resume = user_start as *const () as u64;
    let saved = Saved {
        r15: 0,
        r14: 0,
        r13: 0,
        r12: 0,
        rbx: 0,
        rbp: 0,
        resume,
    };
    // SAFETY: the caller's promise.
    unsafe { SwitchContext::with_saved(stack_top, below_frame, saved) }
}

impl SwitchContext {
    /// # Safety
    /// The memory below `end`, on the stack that ends at `stack_top`, is mapped and unused.
    unsafe fn with_saved(stack_top: VirtAddr, end: u64, saved: Saved) -> Self {
        let rsp = end - size_of::<Saved>() as u64;
        // SAFETY: the caller's promise.
        unsafe { core::ptr::with_exposed_provenance_mut::<Saved>(rsp as usize).write(saved) };
        Self { rsp, stack_top }
    }
}

/// Leaves the running task as `prev` and goes on as `next`; returns when somebody switches back.
///
/// # Safety
/// 1. Interrupts are off.
/// 2. `prev` is the running task's context, `next` that of a task that is not running, on a stack that is
///    mapped under the current CR3; both stay where they are until the switch is over.
#[inline]
pub unsafe fn switch_to(prev: *mut SwitchContext, next: *const SwitchContext) {
    // SAFETY: `next` is a context (2).
    let stack_top = unsafe { (*next).stack_top };
    // SAFETY: the stack is the next task's own; interrupts are off until it runs (1).
    unsafe { local::head().set_kstack_top(stack_top) };
    // SAFETY: the caller's promise.
    unsafe { switch_stacks(prev, next) };
}

#[unsafe(naked)]
unsafe extern "C" fn switch_stacks(prev: *mut SwitchContext, next: *const SwitchContext) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {rsp}], rsp",
        "mov rsp, [rsi + {rsp}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        rsp = const core::mem::offset_of!(SwitchContext, rsp),
    )
}

/// Where a kernel task's first switch returns to.
#[unsafe(naked)]
unsafe extern "C" fn kthread_start() {
    naked_asm!(
        "call {first_switch}",
        "sti",
        "mov rdi, r12",
        "call r13",
        "ud2",
        first_switch = sym upcall::first_switch,
    )
}

/// Where a user task's first switch returns to: RSP points to its `TrapFrame`.
#[unsafe(naked)]
unsafe extern "C" fn user_start() {
    naked_asm!(
        "call {first_switch}",
        "mov rdi, rsp",
        "call {leave}",
        "jmp {return_to_user}",
        first_switch = sym upcall::first_switch,
        leave = sym upcall::leave,
        return_to_user = sym entry::return_to_user,
    )
}

/// Loads the page tables at `root`, moves to the stack that ends at `top`, and calls `function`: how boot leaves
/// the bootloader's tables and stack behind.
///
/// # Safety
/// 1. Under `root` the kernel image lies where it is now, and `top` is the 16-byte aligned top of a
///    mapped, unused stack.
/// 2. Nothing on the old stack is used again.
pub unsafe fn on_new_stack(top: VirtAddr, root: Frame, function: extern "C" fn() -> !) -> ! {
    // SAFETY: the next instruction is mapped under the new tables too (1), the stack is not needed
    // any more (2), and `call` aligns it as a function expects.
    unsafe {
        asm!(
            "mov cr3, {root}",
            "mov rsp, {top}",
            "xor ebp, ebp",
            "call {function}",
            "ud2",
            root = in(reg) root.start().as_u64(),
            top = in(reg) top.as_u64(),
            function = in(reg) function,
            options(noreturn),
        )
    }
}
