//! x86-64: how the kernel is entered, left, switched and protected.
//!
//! A map of the children, in the order to read them.
//!
//! *What a CPU in the kernel looks like*
//! - [`trapframe`]: the registers of whoever was interrupted, as they lie on the kernel stack.
//! - [`local`]: what a CPU reaches through GS: its current task, its kernel stack, its counts.
//! - [`cpu`]: what the CPU can do, the bits that make it obey us, interrupts on and off, time stamps.
//!
//! *How it gets in and out*
//! - [`gdt`]: segments, the TSS, and the stacks the CPU changes to by itself.
//! - [`idt`]: which vector starts at which stub, on which stack, for whom.
//! - [`entry`]: the assembly: three ways in, two ways out.
//! - [`upcall`]: the Rust the assembly calls; the only file here that names the layers above.
//! - [`switch`]: from one kernel stack to another, and how a new task starts.
//! - [`trampoline`]: how every CPU but the first gets in for the first time.
//!
//! *What protects it*
//! - [`mmu`]: CR3 and the TLB.
//! - [`uaccess`]: the only instructions that may touch user memory, and what happens if they fault.
//! - [`fpu`]: the x87, SSE and AVX registers, which belong to user programs alone. [`fpu_frame`]: their state in a signal frame.
//!
//! *What ticks and talks*
//! - [`apic`], [`pic`]: who may interrupt, and how CPUs interrupt each other. [`timer`], [`rtc`]: when.
//! - [`serial`]: the log. [`fwcfg`]: what the emulator's user asked for. [`port`]: every I/O port used.
//!
//! *What shows what went wrong*
//! - [`backtrace`]: return addresses by frame pointer.
//! - [`selfcheck`]: deliberate crimes, to see each punished.
//!
//! Nothing here imports from a layer above `sync` except `upcall`. Boot calls, in this order:
//! [`gdt::init_early`], [`idt::init_early`], [`serial::COM1`]`.init()`, [`cpu::init`], then (own page
//! tables in place) [`gdt::init_cpu`], [`idt::init`], [`pic::init`], [`apic::init`], [`timer::init`]. Other CPUs leave out what
//! there is once in a machine.

pub mod apic;
pub mod backtrace;
pub mod cpu;
pub mod entry;
pub mod fpu;
pub mod fpu_frame;
pub mod fwcfg;
pub mod gdt;
pub mod idt;
pub mod local;
pub mod mmu;
pub mod pic;
pub mod port;
pub mod rtc;
pub mod selfcheck;
pub mod serial;
pub mod switch;
pub mod timer;
pub mod trampoline;
pub mod trapframe;
pub mod uaccess;
pub mod upcall;
pub mod vdso;
