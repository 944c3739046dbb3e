//! Deliberate crimes: each must end in the report that names it. Coming back is the failure.

use addr::VirtAddr;
use pte::Prot;

use super::address_spaces::mm_with_word;
use crate::arch::selfcheck;
use crate::task;

const USER: u64 = 0x40_0000;

/// Executes kernel data.
pub(super) fn nx() {
    selfcheck::execute_data();
    panic!("NX did not trap");
}

/// Executes a page of the user half, which is mapped and executable.
pub(super) fn smep() {
    drop(task::exec_mm(mm_with_word(
        USER,
        0xc3,
        Prot::READ | Prot::WRITE | Prot::EXEC,
    )));
    selfcheck::execute_user(VirtAddr::new(USER));
    panic!("SMEP did not trap");
}

/// Reads a page of the user half outside of a user copy.
pub(super) fn smap() {
    drop(task::exec_mm(mm_with_word(
        USER,
        1,
        Prot::READ | Prot::WRITE,
    )));
    let byte = selfcheck::read_user(VirtAddr::new(USER));
    panic!("SMAP did not trap: read {byte}");
}

/// Writes to the kernel's read-only data.
pub(super) fn wp() {
    selfcheck::write_rodata();
    panic!("WP did not trap");
}

/// Writes to the kernel's own code.
pub(super) fn wp_text() {
    selfcheck::write_text();
    panic!("WP did not trap");
}

/// Reads an address that no page table can translate.
pub(super) fn non_canonical() {
    let byte = selfcheck::read_non_canonical();
    panic!("a non-canonical address was read: {byte}");
}

/// Divides by zero.
pub(super) fn divide() {
    selfcheck::divide_by_zero();
    panic!("a division by zero did not trap");
}

/// Executes an instruction that does not exist.
pub(super) fn undefined() {
    selfcheck::undefined_instruction();
}

/// Recurses until the kernel stack is used up.
pub(super) fn kstack_overflow() {
    selfcheck::overflow_stack();
}

/// Reads where nothing is mapped.
pub(super) fn oops() {
    let byte = selfcheck::read_unmapped(VirtAddr::new(0xffff_e123_4567_89ab));
    panic!("an unmapped address was read: {byte}");
}

/// Breaks an invariant.
pub(super) fn panic() {
    panic!("this invariant is broken on purpose");
}

/// Never ends; the time limit of the run must.
pub(super) fn hang() {
    loop {
        core::hint::spin_loop();
    }
}
