//! One program, step by step: a write from outside to memory that was given up.

use mmu::mm::MapKind;
use mmu::mm::madvise::Advice;
use mmu::program::{Act, At, Step, What};
use mmu::run::{Conditions, run};
use mmu::sim::memory;
use pte::Prot;
use vma::VmFlags;

/// MADV_FREE lets go of what was written before it; what is written after it, by whomever, stays.
#[test]
fn what_is_written_from_outside_to_memory_given_up_stays() {
    const AT: u64 = 0x6fe2_a000;
    memory::boot(8192);
    let map = Act::Map {
        at: At::Exact(AT),
        len: 0x2000,
        prot: Prot::READ | Prot::WRITE,
        kind: MapKind::Fixed,
        what: What::Anon,
        flags: VmFlags::empty(),
        populate: false,
    };
    let write = |value| Act::Remote(At::Exact(AT), true, value);
    let acts = [
        map,
        write(4),
        Act::Advise(At::Exact(AT), 0x2000, Advice::Free),
        write(8),
        Act::Reclaim(500),
        Act::Remote(At::Exact(AT), false, 8),
    ];
    let steps: Vec<(usize, Step)> = acts
        .into_iter()
        .map(|act| Step {
            who: 0,
            from_outside: false,
            act,
        })
        .enumerate()
        .collect();
    let conditions = Conditions {
        cpus: 1,
        shares: false,
        relies_on_use: false,
        thorough: true,
        has_large_pages: false,
    };
    assert_eq!(run(&steps, conditions), Ok(()));
}
