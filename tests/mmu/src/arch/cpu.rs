//! Interrupts on and off. Nothing interrupts here; the flag is what the locks check.

use crate::sim::cpu::with_cpu;

/// Whether interrupts were on, for [`irq_restore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "interrupts stay off until it is given back to irq_restore"]
pub struct IrqState(bool);

impl IrqState {
    /// Interrupts were on.
    pub const ON: Self = Self(true);
}

/// Turns interrupts off and returns how they were.
pub fn irq_save() -> IrqState {
    IrqState(with_cpu(|cpu| core::mem::replace(&mut cpu.irqs_on, false)))
}

/// Turns interrupts off.
pub fn irq_disable() {
    with_cpu(|cpu| cpu.irqs_on = false);
}

/// Puts interrupts back to how they were.
pub fn irq_restore(state: IrqState) {
    with_cpu(|cpu| cpu.irqs_on = state.0);
}

/// Returns whether interrupts are on.
pub fn irqs_enabled() -> bool {
    with_cpu(|cpu| cpu.irqs_on)
}

/// Tells the CPU that this is a waiting loop: here nobody else runs, so it would wait for ever.
///
/// # Panics
/// Always.
pub fn relax() {
    panic!("a spin lock is taken again by the only code there is");
}
