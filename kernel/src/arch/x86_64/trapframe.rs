//! The registers of whoever was interrupted, as they lie on the kernel stack.
//!
//! Every way into the kernel ends in the same picture, so that everything above can treat a
//! system call, an exception and an interrupt alike:
//!
//! ```text
//!  kstack_top ->  +--------+ 176
//!                 | ss     | 168  \
//!                 | rsp    | 160   |  pushed by the CPU for an interrupt or exception,
//!                 | rflags | 152   |  by the entry code for a system call
//!                 | cs     | 144   |
//!                 | rip    | 136  /
//!                 | error  | 128  by the CPU (8, 10-14, 17, 21, 29, 30), else 0; a system call's number
//!                 | vector | 120  by the stub; 0x100 for a system call
//!                 | rdi    | 112  \
//!                 | rsi    | 104   |
//!                 | rdx    |  96   |
//!                 | rcx    |  88   |
//!                 | rax    |  80   |
//!                 | r8     |  72   |  pushed by the common entry code
//!                 | r9     |  64   |
//!                 | r10    |  56   |
//!                 | r11    |  48   |
//!                 | rbx    |  40   |
//!                 | rbp    |  32   |
//!                 | r12-15 | 24-0 /
//!  &TrapFrame ->  +--------+ 0     (16-byte aligned: the CPU aligns, and 176 is a multiple of 16)
//! ```
//!
//! A frame that came from user mode always lies directly below its task's `kstack_top`; nested
//! frames (a page fault inside a system call, a timer tick inside that) lie further down.
//!
//! # Invariants
//! - A frame that came from user mode keeps the user's privilege level in `cs` and `ss` whatever
//!   is written to it: [`TrapFrame::from_user`] must give the same answer on the way out.
//! - A frame that came from user mode has interrupts on in `rflags`.
//! - A frame [of a system call](TrapFrame::is_syscall) still has the `rip`, `cs`, `rflags` and `ss` that SYSCALL left, and the same in
//!   `rcx` and `r11`: whoever sets them forgets the call.

use core::fmt;
use core::mem::offset_of;

use addr::USER_END;
use sigframe::{Entry, Registers};

/// Selector of the kernel's 64-bit code segment.
pub const KERNEL_CS: u64 = 0x10;
/// Selector of the kernel's data segment (its stack segment after SYSCALL).
pub const KERNEL_SS: u64 = 0x18;
/// Selector of the user's 64-bit code segment, with its privilege level.
pub const USER_CS: u64 = 0x33;
/// Selector of the user's data segment, with its privilege level.
pub const USER_SS: u64 = 0x2b;

/// The `vector` of a frame made by the SYSCALL instruction: no interrupt can have it.
pub const SYSCALL_VECTOR: u64 = 0x100;
/// The `vector` of a system call's frame whose registers are no longer the call's.
const FORGOTTEN_VECTOR: u64 = 0x101;

/// The length of the SYSCALL instruction, to which a call goes back that is made again.
const SYSCALL_LENGTH: u64 = 2;

/// Trap flag: a debug exception after every instruction.
pub const RFLAGS_TF: u64 = 1 << 8;
/// Interrupt flag.
pub const RFLAGS_IF: u64 = 1 << 9;
/// Resume flag: no instruction breakpoint on the next instruction.
pub const RFLAGS_RF: u64 = 1 << 16;
/// Alignment check; in the kernel, with SMAP: user memory may be touched.
pub const RFLAGS_AC: u64 = 1 << 18;

/// The flags every program starts with: interrupts on, and the bit that is always one.
pub const RFLAGS_START: u64 = RFLAGS_IF | 2;

/// The saved registers of the interrupted context, at the address the entry code passes on.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    /// Interrupt vector, or [`SYSCALL_VECTOR`].
    pub vector: u64,
    /// The CPU's error code, or for a system call the original `rax`.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

// The picture above; the entry code pops in this order.
const _: () = {
    assert!(size_of::<TrapFrame>() == 176 && size_of::<TrapFrame>().is_multiple_of(16));
    assert!(offset_of!(TrapFrame, r15) == 0);
    assert!(offset_of!(TrapFrame, r12) == 24);
    assert!(offset_of!(TrapFrame, rbp) == 32);
    assert!(offset_of!(TrapFrame, rbx) == 40);
    assert!(offset_of!(TrapFrame, r11) == 48);
    assert!(offset_of!(TrapFrame, r8) == 72);
    assert!(offset_of!(TrapFrame, rax) == 80);
    assert!(offset_of!(TrapFrame, rcx) == 88);
    assert!(offset_of!(TrapFrame, rdx) == 96);
    assert!(offset_of!(TrapFrame, rsi) == 104);
    assert!(offset_of!(TrapFrame, rdi) == 112);
    assert!(offset_of!(TrapFrame, vector) == 120);
    assert!(offset_of!(TrapFrame, error) == 128);
    assert!(offset_of!(TrapFrame, rip) == 136);
    assert!(offset_of!(TrapFrame, cs) == 144);
    assert!(offset_of!(TrapFrame, rflags) == 152);
    assert!(offset_of!(TrapFrame, rsp) == 160);
    assert!(offset_of!(TrapFrame, ss) == 168);
};

impl TrapFrame {
    /// Returns the frame with which a program starts: all other registers zero (ES-1).
    pub fn user_entry(rip: u64, rsp: u64) -> Self {
        Self {
            rip,
            cs: USER_CS,
            rflags: RFLAGS_START,
            rsp,
            ss: USER_SS,
            ..Self::default()
        }
    }

    /// Returns whether user mode was interrupted.
    #[inline]
    #[expect(
        clippy::wrong_self_convention,
        reason = "a frame from user mode; no conversion"
    )]
    pub fn from_user(&self) -> bool {
        self.cs & 3 != 0
    }

    /// Returns whether the interrupted context had interrupts on.
    #[inline]
    pub fn interrupts_on(&self) -> bool {
        self.rflags & RFLAGS_IF != 0
    }

    /// Returns whether a system call made the frame, and it still is that call's.
    #[inline]
    pub fn is_syscall(&self) -> bool {
        self.vector == SYSCALL_VECTOR
    }

    /// Makes the frame one of no system call: nothing in it is a result, or a call to be made again.
    fn forget_syscall(&mut self) {
        self.vector = FORGOTTEN_VECTOR;
    }

    /// Lets the program make a call with this number, at the same place with the same arguments.
    pub fn call_again(&mut self, number: u64) {
        self.rax = number;
        self.rip = self.rip.wrapping_sub(SYSCALL_LENGTH);
        self.forget_syscall();
    }

    /// Returns the program's registers.
    #[inline]
    pub fn registers(&self) -> Registers {
        Registers {
            r8: self.r8,
            r9: self.r9,
            r10: self.r10,
            r11: self.r11,
            r12: self.r12,
            r13: self.r13,
            r14: self.r14,
            r15: self.r15,
            rdi: self.rdi,
            rsi: self.rsi,
            rbp: self.rbp,
            rbx: self.rbx,
            rdx: self.rdx,
            rax: self.rax,
            rcx: self.rcx,
            rsp: self.rsp,
            rip: self.rip,
            rflags: self.rflags,
            cs: self.cs as u16,
            gs: 0,
            fs: 0,
            ss: self.ss as u16,
        }
    }

    /// Lets a signal handler run next.
    #[inline]
    pub fn enter_handler(&mut self, entry: &Entry) {
        debug_assert!(entry.rflags & RFLAGS_IF != 0, "interrupts stay on");
        self.rax = 0;
        self.rdi = entry.rdi;
        self.rsi = entry.rsi;
        self.rdx = entry.rdx;
        self.rip = entry.rip;
        self.rsp = entry.rsp;
        self.rflags = entry.rflags;
        self.cs = USER_CS;
        self.ss = USER_SS;
        self.forget_syscall();
    }

    /// Sets the program's registers, from which `sigframe` has taken everything that only the kernel may have.
    #[inline]
    pub fn set_registers(&mut self, from: &Registers) {
        debug_assert!(
            from.cs & from.ss & 3 == 3 && from.rflags & RFLAGS_IF != 0,
            "a program's frame stays a program's"
        );
        *self = Self {
            r8: from.r8,
            r9: from.r9,
            r10: from.r10,
            r11: from.r11,
            r12: from.r12,
            r13: from.r13,
            r14: from.r14,
            r15: from.r15,
            rdi: from.rdi,
            rsi: from.rsi,
            rbp: from.rbp,
            rbx: from.rbx,
            rdx: from.rdx,
            rax: from.rax,
            rcx: from.rcx,
            rsp: from.rsp,
            rip: from.rip,
            rflags: from.rflags,
            cs: from.cs.into(),
            ss: from.ss.into(),
            vector: FORGOTTEN_VECTOR,
            ..*self
        };
    }

    /// Returns the system call's number: the original `rax` as a signed 32-bit number (SY-2).
    #[inline]
    pub fn syscall_number(&self) -> i32 {
        self.error as i32
    }

    /// Returns the system call's six arguments.
    #[inline]
    pub fn args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }

    /// Sets what the system call returns; -4095 to -1 mean an error (SY-3).
    #[inline]
    pub fn set_return(&mut self, value: i64) {
        self.rax = value.cast_unsigned();
    }

    /// Returns whether SYSRET may leave the kernel through this frame (SY-4).
    ///
    /// SYSRET takes `rip` from `rcx` and `rflags` from `r11`, and sets `cs` and `ss` to the user's: so it may as long as the frame is
    /// what SYSCALL made. On Intel a non-canonical `rip` makes it fault in ring 0 on the user's stack: SYSCALL cannot leave one, for no
    /// program has a page that ends at the hole. It cannot resume single-stepping exactly.
    #[inline]
    pub fn allows_sysret(&self) -> bool {
        let allows = self.is_syscall() && self.rflags & (RFLAGS_TF | RFLAGS_RF) == 0;
        debug_assert!(
            !allows
                || self.rcx == self.rip
                    && self.r11 == self.rflags
                    && self.rip <= USER_END
                    && self.cs == USER_CS
                    && self.ss == USER_SS,
            "a system call's frame is what SYSCALL made: {self:?}"
        );
        allows
    }
}

/// The registers as an oops prints them.
impl fmt::Debug for TrapFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rip, cs, rflags, ..
        } = self;
        writeln!(f, "rip {rip:016x} cs {cs:04x} rflags {rflags:08x}")?;
        writeln!(
            f,
            "rsp {:016x} ss {:04x} vector {:#x} error {:#x}",
            self.rsp, self.ss, self.vector, self.error
        )?;
        writeln!(
            f,
            "rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}",
            self.rax, self.rbx, self.rcx, self.rdx
        )?;
        writeln!(
            f,
            "rsi {:016x} rdi {:016x} rbp {:016x} r8  {:016x}",
            self.rsi, self.rdi, self.rbp, self.r8
        )?;
        writeln!(
            f,
            "r9  {:016x} r10 {:016x} r11 {:016x} r12 {:016x}",
            self.r9, self.r10, self.r11, self.r12
        )?;
        write!(
            f,
            "r13 {:016x} r14 {:016x} r15 {:016x}",
            self.r13, self.r14, self.r15
        )
    }
}
