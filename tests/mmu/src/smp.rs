//! The processors together, as the kernel's files ask for them: one flow of control plays all of them, so a call is made
//! on one after the other.

use cpumask::CpuMask;

use crate::arch::cpu;
use crate::sim::cpu::{CPUS, current, take_turn};
use crate::sim::mmu::delivers;

/// Returns the processors that there are.
pub fn online() -> CpuMask {
    CpuMask::first_n(CPUS)
}

/// Makes the processors of `cpus` call a function, each when it is its turn; waiting makes no difference.
pub fn call_function(cpus: CpuMask, call: fn(usize), argument: usize, _wait: bool) {
    let caller = current();
    for cpu in (cpus & online())
        .iter()
        .filter(|cpu| *cpu == caller || delivers())
    {
        take_turn(cpu);
        let irq = cpu::irq_save();
        call(argument);
        cpu::irq_restore(irq);
    }
    take_turn(caller);
}
