//! A processor's first code: from real mode to the kernel half, in one page below 1 MiB.
//!
//! A processor that is started begins in real mode at the beginning of the page that the message named, with everything
//! else as after power-on. The code here is never run where it lies: boot copies it to that page together with a block of
//! [`Parameters`], and gives it tables that show the lowest 2 MiB where they are and the kernel half above.
//!
//! ```text
//!  page + 0     jmp over the parameters
//!       + 8     Parameters: ticket, tables, who is meant, stack, …
//!       + …     16-bit: PAE, tables, LME and NXE, paging and protection at once, far jump
//!               64-bit: the right processor, for the first time? ── no: halt for ever
//!                       stack, then to the kernel half, which leaves the low tables behind
//! ```
//!
//! A processor knows its number from CPUID: all 32 bits (leaf 11) where there are so many, else 8 (leaf 1).
//!
//! The ticket makes a late processor harmless: whoever takes it (once) owns the stack. A processor that finds another's
//! number or no ticket halts without having touched memory.
#![expect(
    unsafe_code,
    reason = "another processor's first instructions are assembly"
)]

use core::arch::{global_asm, naked_asm};
use core::mem::offset_of;

use addr::{Frame, PAGE_SIZE, VirtAddr};
use arrayvec::ArrayVec;
use zerocopy::{Immutable, IntoBytes};

/// Where the parameters begin in the page.
const PARAMETERS: usize = 8;
/// The ticket's place in the page, in words of 8 bytes: boot watches it, and takes it back from who does not come.
pub const TICKET_WORD: usize = PARAMETERS / 8;
/// The most bytes that code and parameters have together.
const ROOM: usize = 512;

/// What a processor is to do.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Its local APIC's number.
    pub apic_id: u32,
    /// Its number in this kernel.
    pub cpu: usize,
    /// The 16-byte aligned top of the kernel stack that it begins on.
    pub stack: VirtAddr,
    /// Tables below 4 GiB: the lowest 2 MiB where they are, executable, and the kernel half.
    pub low_root: Frame,
    /// The tables it goes on with.
    pub root: Frame,
    /// What it calls then, with its number.
    pub entry: extern "C" fn(usize) -> !,
}

/// The block of parameters as the code reads it.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Parameters {
    /// 1 until the processor takes it.
    ticket: u64,
    cpu: u64,
    stack: u64,
    root: u64,
    entry: u64,
    /// Where the kernel half's code begins: [`arrive`].
    arrive: u64,
    low_root: u32,
    apic_id: u32,
    /// Null, and 64-bit code.
    gdt: [u64; 2],
    gdt_limit: u16,
    gdt_base: [u16; 2],
    far_offset: [u16; 2],
    far_selector: u16,
    _spare: [u16; 2],
}

const _: () = assert!(offset_of!(Parameters, ticket) == 0);

unsafe extern "C" {
    static trampoline_begin: u8;
    static trampoline_long: u8;
    static trampoline_end: u8;
}

global_asm!(
    r#"
.pushsection .rodata.trampoline, "a"
.balign 16
.global trampoline_begin
.global trampoline_long
.global trampoline_end
.code16
trampoline_begin:
    jmp .Ltrampoline_real
    .balign 8
.Ltrampoline_parameters:
    .skip {size}

.Ltrampoline_real:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl {gdt_pointer}
    movl $0x20, %eax
    movl %eax, %cr4
    movl {low_root}, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl $0x80010031, %eax
    movl %eax, %cr0
    ljmpl *{far_pointer}

.code64
trampoline_long:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    leaq .Ltrampoline_parameters(%rip), %rsi
    xorl %eax, %eax
    cpuid
    cmpl $0xb, %eax
    jb 2f
    movl $0xb, %eax
    xorl %ecx, %ecx
    cpuid
    testl %ebx, %ebx
    jz 2f
    cmpl %edx, {apic_id}(%rsi)
    jne 1f
    jmp 3f
2:  movl $1, %eax
    cpuid
    shrl $24, %ebx
    cmpl %ebx, {apic_id}(%rsi)
    jne 1f
3:  xorl %eax, %eax
    xchgq %rax, {ticket}(%rsi)
    testq %rax, %rax
    jz 1f
    movq {stack}(%rsi), %rsp
    movq {root}(%rsi), %rbx
    movq {cpu}(%rsi), %rdi
    movq {arrive}(%rsi), %rax
    movq {entry}(%rsi), %rsi
    jmpq *%rax
1:  cli
    hlt
    jmp 1b
trampoline_end:
.popsection
"#,
    size = const size_of::<Parameters>(),
    ticket = const offset_of!(Parameters, ticket),
    cpu = const offset_of!(Parameters, cpu),
    stack = const offset_of!(Parameters, stack),
    root = const offset_of!(Parameters, root),
    entry = const offset_of!(Parameters, entry),
    arrive = const offset_of!(Parameters, arrive),
    low_root = const PARAMETERS + offset_of!(Parameters, low_root),
    apic_id = const offset_of!(Parameters, apic_id),
    gdt_pointer = const PARAMETERS + offset_of!(Parameters, gdt_limit),
    far_pointer = const PARAMETERS + offset_of!(Parameters, far_offset),
    options(att_syntax),
);

/// In the kernel half, on the new stack: RBX = tables, RDI = the processor's number, RSI = what to call.
#[unsafe(naked)]
unsafe extern "C" fn arrive() {
    naked_asm!("mov cr3, rbx", "xor ebp, ebp", "call rsi", "ud2")
}

/// Returns what belongs at the beginning of `page`, which lies below 1 MiB, for a processor to start there.
///
/// # Panics
/// If `page` or the tables do not lie where real mode reaches them.
pub fn image(page: Frame, start: &Start) -> ArrayVec<u8, ROOM> {
    let base = page.start().as_u64();
    assert!(
        base > 0 && base + PAGE_SIZE <= 1 << 20,
        "a processor starts below 1 MiB"
    );
    let low_root = start.low_root.start().as_u64();
    let low_root = u32::try_from(low_root).expect("the first tables lie below 4 GiB");
    let gdt = base + (PARAMETERS + offset_of!(Parameters, gdt)) as u64;
    let long = base + (long_mode() - code().as_ptr().addr()) as u64;
    let halves = |address: u64| [address as u16, (address >> 16) as u16];
    const CODE64: u64 = 0x0020_9b00_0000_0000;
    let parameters = Parameters {
        ticket: 1,
        cpu: start.cpu as u64,
        stack: start.stack.as_u64(),
        root: start.root.start().as_u64(),
        entry: start.entry as *const () as u64,
        arrive: arrive as *const () as u64,
        low_root,
        apic_id: start.apic_id,
        gdt: [0, CODE64],
        gdt_limit: 15,
        gdt_base: halves(gdt),
        far_offset: halves(long),
        far_selector: 8,
        _spare: [0; 2],
    };
    let mut image: ArrayVec<u8, ROOM> = code().iter().copied().collect();
    image[PARAMETERS..][..size_of::<Parameters>()].copy_from_slice(parameters.as_bytes());
    image
}

/// Returns the number of the page as the message that starts a processor wants it.
pub fn start_vector(page: Frame) -> u8 {
    page.number() as u8
}

fn long_mode() -> usize {
    (&raw const trampoline_long).addr()
}

/// The code as it was assembled, with an empty block of parameters.
fn code() -> &'static [u8] {
    let begin = &raw const trampoline_begin;
    let length = (&raw const trampoline_end).addr() - begin.addr();
    // SAFETY: the two symbols enclose initialised read-only data of this kernel.
    unsafe { core::slice::from_raw_parts(begin, length) }
}
