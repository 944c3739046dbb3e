//! Every register filled with a pattern and watched while other tasks run (SY-11).
#![expect(unsafe_code, reason = "fills and compares registers in assembly")]

use std::arch::asm;

/// Is a save area for what [`churn`] found: general registers, then the sixteen xmm registers, then rflags and mxcsr.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
pub struct Found {
    /// rbx… in the order of [`churn`].
    pub general: [u64; 12],
    /// xmm0 … xmm15, low and high halves.
    pub xmm: [[u64; 2]; 16],
    /// rflags at the end.
    pub rflags: u64,
    /// MXCSR at the end.
    pub mxcsr: u32,
    /// The x87 control word at the end.
    pub x87_control: u16,
    /// The value left on the x87 stack.
    pub x87: f64,
}

impl Found {
    /// Is all zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            general: [0; 12],
            xmm: [[0; 2]; 16],
            rflags: 0,
            mxcsr: 0,
            x87_control: 0,
            x87: 0.0,
        }
    }

    /// Says which register is not what `seed` put there, if one is not.
    #[must_use]
    pub fn damage(&self, seed: u64) -> Option<String> {
        for (index, value) in self.general.iter().enumerate() {
            let want = seed.wrapping_add(index as u64);
            if *value != want {
                return Some(format!(
                    "general register {index}: {value:#x}, not {want:#x}"
                ));
            }
        }
        for (index, value) in self.xmm.iter().enumerate() {
            let want = [seed.wrapping_add(100 + index as u64), seed];
            if *value != want {
                return Some(format!("xmm{index}: {value:x?}, not {want:x?}"));
            }
        }
        self.odd_state()
    }

    fn odd_state(&self) -> Option<String> {
        if self.rflags & 0x400 == 0 {
            return Some(format!("the direction flag is lost: {:#x}", self.rflags));
        }
        if self.mxcsr & !0x3f != 0x3f80 | 0x8000 {
            return Some(format!("mxcsr is {:#x}", self.mxcsr));
        }
        if self.x87_control != 0x27f || self.x87 != std::f64::consts::PI {
            return Some(format!("x87 is {:#x} with {}", self.x87_control, self.x87));
        }
        None
    }
}

impl Default for Found {
    fn default() -> Self {
        Self::new()
    }
}

/// Fills the registers from `seed`, spins `rounds` times with `syscall` made in each round if `calls`, and stores them.
///
/// Twelve general registers carry patterns; rsp, rcx, r11 and rax are needed to spin and to call (SY-2).
/// The direction flag is set all the while, MXCSR rounds down and flushes to zero, x87 has a value on its stack.
pub fn churn(seed: u64, rounds: u64, calls: bool, found: &mut Found) {
    let number = if calls { libc::SYS_getppid } else { -1 };
    // SAFETY: `found` is a live, aligned `Found`; every register that is changed is saved on the stack or declared,
    // and the direction flag, MXCSR and the x87 state are put back before Rust code runs again.
    unsafe {
        asm!(
            "push rbx", "push rbp", "push {found}", "push {number}", "push {rounds}",
            // rsp: rounds, number, found
            "mov rax, {seed}",
            // xmm patterns: low = seed + 100 + n, high = seed
            "sub rsp, 16",
            "mov [rsp + 8], rax",
            "lea rcx, [rax + 100]",
            "mov [rsp], rcx", "movdqu xmm0, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm1, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm2, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm3, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm4, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm5, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm6, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm7, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm8, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm9, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm10, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm11, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm12, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm13, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm14, [rsp]", "inc rcx",
            "mov [rsp], rcx", "movdqu xmm15, [rsp]",
            "mov dword ptr [rsp], 0xbf80", "ldmxcsr [rsp]",
            "fninit", "mov word ptr [rsp], 0x27f", "fldcw [rsp]", "fldpi",
            "add rsp, 16",
            // general patterns: seed + n
            "lea rbx, [rax + 0]", "lea rbp, [rax + 1]", "lea rdi, [rax + 2]", "lea rsi, [rax + 3]",
            "lea rdx, [rax + 4]", "lea r8, [rax + 5]", "lea r9, [rax + 6]", "lea r10, [rax + 7]",
            "lea r12, [rax + 8]", "lea r13, [rax + 9]", "lea r14, [rax + 10]", "lea r15, [rax + 11]",
            "std",
            "2:",
            "mov rax, [rsp + 8]",
            "test rax, rax",
            "js 3f",
            "syscall",
            "3:",
            "dec qword ptr [rsp]",
            "jnz 2b",
            "mov rax, [rsp + 16]",
            "mov [rax + 0], rbx", "mov [rax + 8], rbp", "mov [rax + 16], rdi", "mov [rax + 24], rsi",
            "mov [rax + 32], rdx", "mov [rax + 40], r8", "mov [rax + 48], r9", "mov [rax + 56], r10",
            "mov [rax + 64], r12", "mov [rax + 72], r13", "mov [rax + 80], r14", "mov [rax + 88], r15",
            "movdqu [rax + 96], xmm0", "movdqu [rax + 112], xmm1", "movdqu [rax + 128], xmm2",
            "movdqu [rax + 144], xmm3", "movdqu [rax + 160], xmm4", "movdqu [rax + 176], xmm5",
            "movdqu [rax + 192], xmm6", "movdqu [rax + 208], xmm7", "movdqu [rax + 224], xmm8",
            "movdqu [rax + 240], xmm9", "movdqu [rax + 256], xmm10", "movdqu [rax + 272], xmm11",
            "movdqu [rax + 288], xmm12", "movdqu [rax + 304], xmm13", "movdqu [rax + 320], xmm14",
            "movdqu [rax + 336], xmm15",
            "pushfq", "pop rcx", "mov [rax + 352], rcx",
            "cld",
            "stmxcsr [rax + 360]",
            "fnstcw [rax + 364]",
            "fstp qword ptr [rax + 368]",
            "fninit",
            "push 0x1f80", "ldmxcsr [rsp]", "pop rcx",
            "add rsp, 24",
            "pop rbp", "pop rbx",
            seed = in(reg) seed, rounds = in(reg) rounds, number = in(reg) number,
            found = in(reg) std::ptr::from_mut(found),
            lateout("rax") _, lateout("rcx") _, lateout("rdx") _, lateout("rsi") _, lateout("rdi") _,
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _, lateout("r12") _,
            lateout("r13") _, lateout("r14") _, lateout("r15") _,
            lateout("xmm0") _, lateout("xmm1") _, lateout("xmm2") _, lateout("xmm3") _, lateout("xmm4") _,
            lateout("xmm5") _, lateout("xmm6") _, lateout("xmm7") _, lateout("xmm8") _, lateout("xmm9") _,
            lateout("xmm10") _, lateout("xmm11") _, lateout("xmm12") _, lateout("xmm13") _, lateout("xmm14") _,
            lateout("xmm15") _,
        );
    }
}
