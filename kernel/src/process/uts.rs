//! What the machine is called, and what programs see of the kernel.

use abi::system::Utsname;

use super::{Field, machine};
use crate::locks::SpinLock;

static NAMES: Field<Utsname> = SpinLock::new(Utsname {
    sysname: Utsname::field(machine::SYSNAME),
    nodename: Utsname::field("lodger"),
    release: Utsname::field(machine::RELEASE),
    version: Utsname::field(machine::VERSION),
    machine: Utsname::field("x86_64"),
    domainname: Utsname::field("(none)"),
});

/// Returns all names.
pub fn names() -> Utsname {
    *NAMES.lock()
}

/// Says what the machine is called.
pub fn set_node(name: [u8; 65]) {
    NAMES.lock().nodename = name;
}

/// Says to which domain it belongs.
pub fn set_domain(name: [u8; 65]) {
    NAMES.lock().domainname = name;
}
