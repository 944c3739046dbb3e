//! What the machine is called, and what programs see of the kernel.

use abi::system::Utsname;

use super::Field;
use crate::locks::SpinLock;

/// Programs look at the release to learn which calls Linux had by then, so it names the Linux whose behaviour is meant.
static NAMES: Field<Utsname> = SpinLock::new(Utsname {
    sysname: Utsname::field("Linux"),
    nodename: Utsname::field("lodger"),
    release: Utsname::field("6.12.0-lodger"),
    version: Utsname::field(concat!("#1 Lodger ", env!("CARGO_PKG_VERSION"))),
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
