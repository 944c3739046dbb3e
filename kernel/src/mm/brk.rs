//! brk: the heap, one mapping with a byte-granular end (VM-9).

use addr::{PageRange, USER_END};
use pte::Prot;
use vma::{STACK_GUARD_GAP, VmFlags, Vma};

use super::backing::MapBacking;
use super::mm_struct::AddressSpace;
use super::place::page_above;
use super::{Mm, commit, frame};

impl Mm {
    /// Puts the empty heap at `addr`, a page boundary.
    pub fn set_brk_start(&self, addr: u64) {
        let mut map = self.map.write();
        map.brk_start = addr;
        map.brk = addr;
    }

    /// Moves the break to `new` if that is possible and returns where it is.
    pub fn brk(&self, new: u64) -> u64 {
        let mut map = self.map.write();
        if new < map.brk_start || new > USER_END {
            return map.brk;
        }
        let (old_end, new_end) = (page_above(map.brk), page_above(new));
        let mut populate = None;
        if new_end > old_end {
            let added = PageRange::new(old_end, new_end);
            if !extend_heap(&mut map, added) {
                return map.brk;
            }
            populate = map.locks_pages_at_once().then_some(added);
        } else if new_end < old_end {
            self.unhook(&mut map, PageRange::new(new_end, old_end));
        }
        map.brk = new;
        drop(map);
        if let Some(added) = populate {
            let _ = self.populate_as_locked(added);
        }
        new
    }
}

/// Grows the heap by `added`, unless something is in the way, too close or against it.
fn extend_heap(map: &mut AddressSpace, added: PageRange) -> bool {
    let is_clear = is_clear_of_next(map, added);
    let is_allowed = map.has_room_for_mapping()
        // A soft limit of nothing, which counts for no other mapping, still stops the heap.
        && map.limits.data > 0
        && map.allows(added.len(), true)
        && (map.lock_flags.is_empty() || map.allows_locked(added.len()))
        && frame::can_spare(1);
    if !is_clear || !is_allowed || commit::charge(added.len()).is_err() {
        return false;
    }
    let flags = VmFlags::HEAP.with_prot(Prot::READ | Prot::WRITE)
        | VmFlags::MAYREAD
        | VmFlags::MAYWRITE
        | VmFlags::MAYEXEC
        | VmFlags::ACCOUNT
        | map.lock_flags;
    let vma = Vma {
        range: added,
        flags,
        backing: MapBacking::ANON.placed_at(added.start),
    };
    map.vmas
        .insert(vma)
        .expect("what is clear of the next mapping is free");
    true
}

/// One page stays free above the heap, and a stack's gap below a stack.
fn is_clear_of_next(map: &AddressSpace, added: PageRange) -> bool {
    map.vmas.find_from(added.start).is_none_or(|next| {
        let gap = match next.flags.contains(VmFlags::GROWSDOWN) {
            true => STACK_GUARD_GAP,
            false => 0,
        };
        added.end.number() + 1 + gap <= next.range.start.number()
    })
}
