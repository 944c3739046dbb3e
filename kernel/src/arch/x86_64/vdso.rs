//! The code of the vDSO: what time it is and which CPU this is, read by programs themselves.
//!
//! It runs in user mode, at whatever address its page is mapped; behind that page lies the one with [`Data`]. What it cannot answer it asks the
//! kernel. The arithmetic is that of [`timer`](super::timer).
//!
//! Island: the code is assembly, and its bytes are read from between two labels.
#![expect(unsafe_code, reason = "the vDSO's code is assembly between two labels")]

use core::arch::global_asm;
use core::slice;

use vdso::Function;

/// What the code reads. The kernel alone writes it.
///
/// `version` is odd while the rest changes: who reads begins anew if it was odd, or is another afterwards.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Data {
    /// Changes with the rest.
    pub version: u32,
    /// Whether `rdtscp` tells the CPU's number.
    pub tells_cpu: u32,
    /// The counter at time 0.
    pub start: u64,
    /// Nanoseconds per count, times 2^28.
    pub factor: u64,
    /// Unix time at time 0, in ns.
    pub boot_realtime: u64,
}

impl Data {
    /// Returns the bytes as the code finds them.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&self.version.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.tells_cpu.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.start.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.factor.to_le_bytes());
        bytes[24..].copy_from_slice(&self.boot_realtime.to_le_bytes());
        bytes
    }
}

// 0x8f3: the clocks 0, 1, 4 to 7 and 11; 0x821: those of them that show the time since 1970.
// `lodger_vdso_now` leaves in RAX the ns of the clock in EDI; it changes RCX, RDX, R8 to R11.
global_asm!(
    r#"
    .pushsection .rodata.vdso, "a", @progbits
    .balign 16
    .set vdso_data, lodger_vdso_code + 0x800
    .globl lodger_vdso_code, lodger_vdso_gettime, lodger_vdso_gettimeofday, lodger_vdso_time
    .globl lodger_vdso_getres, lodger_vdso_getcpu, lodger_vdso_end
lodger_vdso_code:
lodger_vdso_now:
    mov r8d, 0x821
    lea r11, [rip + vdso_data]
2:  mov r9d, dword ptr [r11]
    test r9d, 1
    jnz 3f
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    xor r10d, r10d
    sub rax, qword ptr [r11 + 8]
    cmovc rax, r10
    mov rcx, qword ptr [r11 + 16]
    mov rdx, rax
    shr rdx, 32
    mov eax, eax
    imul rdx, rcx
    shl rdx, 4
    imul rax, rcx
    shr rax, 28
    add rax, rdx
    bt r8d, edi
    jnc 4f
    add rax, qword ptr [r11 + 24]
4:  cmp r9d, dword ptr [r11]
    jne 2b
    ret
3:  pause
    jmp 2b

    .balign 16
lodger_vdso_gettime:
    cmp edi, 11
    ja 5f
    mov eax, 0x8f3
    bt eax, edi
    jnc 5f
    call lodger_vdso_now
    xor edx, edx
    mov ecx, 1000000000
    div rcx
    mov qword ptr [rsi], rax
    mov qword ptr [rsi + 8], rdx
    xor eax, eax
    ret
5:  mov eax, 228
    syscall
    ret

    .balign 16
lodger_vdso_gettimeofday:
    test rdi, rdi
    jz 6f
    push rdi
    xor edi, edi
    call lodger_vdso_now
    pop rdi
    xor edx, edx
    mov ecx, 1000000000
    div rcx
    mov qword ptr [rdi], rax
    mov rax, rdx
    xor edx, edx
    mov ecx, 1000
    div rcx
    mov qword ptr [rdi + 8], rax
6:  test rsi, rsi
    jz 7f
    mov qword ptr [rsi], 0
7:  xor eax, eax
    ret

    .balign 16
lodger_vdso_time:
    push rdi
    xor edi, edi
    call lodger_vdso_now
    pop rdi
    xor edx, edx
    mov ecx, 1000000000
    div rcx
    test rdi, rdi
    jz 8f
    mov qword ptr [rdi], rax
8:  ret

    .balign 16
lodger_vdso_getres:
    mov eax, 229
    syscall
    ret

    .balign 16
lodger_vdso_getcpu:
    lea r11, [rip + vdso_data]
    cmp dword ptr [r11 + 4], 0
    je 10f
    rdtscp
    test rdi, rdi
    jz 9f
    mov dword ptr [rdi], ecx
9:  xor eax, eax
    test rsi, rsi
    jz 11f
    mov dword ptr [rsi], eax
11: ret
10: mov eax, 309
    syscall
    ret
lodger_vdso_end:
    .popsection
"#
);

unsafe extern "C" {
    static lodger_vdso_code: u8;
    static lodger_vdso_gettime: u8;
    static lodger_vdso_gettimeofday: u8;
    static lodger_vdso_time: u8;
    static lodger_vdso_getres: u8;
    static lodger_vdso_getcpu: u8;
    static lodger_vdso_end: u8;
}

/// Returns the code.
pub fn code() -> &'static [u8] {
    let start = &raw const lodger_vdso_code;
    // SAFETY: the bytes between the two labels are the read-only data above.
    unsafe { slice::from_raw_parts(start, distance(&raw const lodger_vdso_end)) }
}

/// Returns the functions, in the order in which they lie in the code.
pub fn functions() -> [Function; 5] {
    let places = [
        ("__vdso_clock_gettime", &raw const lodger_vdso_gettime),
        ("__vdso_gettimeofday", &raw const lodger_vdso_gettimeofday),
        ("__vdso_time", &raw const lodger_vdso_time),
        ("__vdso_clock_getres", &raw const lodger_vdso_getres),
        ("__vdso_getcpu", &raw const lodger_vdso_getcpu),
    ];
    let end = distance(&raw const lodger_vdso_end);
    let mut starts = places.map(|(_, label)| distance(label)).into_iter().skip(1);
    places.map(|(name, label)| {
        let at = distance(label);
        let len = starts.next().unwrap_or(end) - at;
        Function { name, at, len }
    })
}

fn distance(label: *const u8) -> usize {
    label.addr() - (&raw const lodger_vdso_code).addr()
}
