//! Reading and writing as programs do, and from outside.

use addr::{PAGE_SIZE, VirtAddr};
use fault::{ErrorCode, SegvCode};
use pte::Access;

use crate::mm::fault::{self as faults, Fault, FaultError};
use crate::mm::{counters, physmap};
use crate::model::Reach;
use crate::model::space::OFFSETS;
use crate::run::Wrong;
use crate::sim::mmu::{self, During, during};
use crate::world::{Process, World};

/// So often an access may fault before it is called endless.
const PATIENCE: usize = 12;

/// One access of the program itself: translate, fault, repeat; and what the model says to that.
pub fn touch(
    world: &mut World,
    who: usize,
    at: u64,
    access: Access,
    value: u64,
) -> Result<(), Wrong> {
    let cell = value as usize % OFFSETS.len();
    let at = (at & !(PAGE_SIZE - 1)).wrapping_add(OFFSETS[cell] as u64);
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    let page = at / PAGE_SIZE;
    let expected = process.space.access(page, access);
    let got = reach(process, at, access)?;
    let got = match got {
        Err(FaultError::OutOfMemory) if tight => return Ok(()),
        Err(FaultError::OutOfMemory) => return Err("a fault finds no memory".into()),
        Err(FaultError::Segv(SegvCode::MapErr)) => Err(Reach::NotMapped),
        Err(FaultError::Segv(SegvCode::AccErr)) => Err(Reach::NotAllowed),
        Err(FaultError::Bus) => Err(Reach::BeyondEnd),
        Ok(found) => Ok(found),
    };
    let (frame, offset) = match (got, expected) {
        (Ok(found), Reach::Yes) => found,
        (Err(got), expected) if got == expected => return Ok(()),
        _ => {
            return Err(format!(
                "{access:?} at {at:#x}: {got:?}, should be {expected:?}"
            ));
        }
    };
    if access == Access::Write {
        physmap::write(frame, offset, &value.to_le_bytes());
        process.space.write(page, cell, value);
        return Ok(());
    }
    let mut bytes = [0; 8];
    physmap::read(frame, offset, &mut bytes);
    let read = u64::from_le_bytes(bytes);
    let wanted = process.space.pages[&page]
        .contents()
        .map(|cells| cells[cell]);
    if wanted == Some(read) {
        Ok(())
    } else {
        Err(format!(
            "read {read:#x} at {at:#x}, should have read {wanted:x?}"
        ))
    }
}

type Found = Result<(addr::Frame, usize), FaultError>;

fn reach(process: &Process, at: u64, access: Access) -> Result<Found, Wrong> {
    let addr = VirtAddr::new(at);
    if !addr.is_user() {
        return Ok(Err(FaultError::Segv(SegvCode::MapErr)));
    }
    let mut errors = Vec::new();
    for _ in 0..PATIENCE {
        let error = match mmu::translate(addr, access) {
            Ok(found) => return Ok(Ok(found)),
            Err(error) => error,
        };
        errors.push(error);
        counters::FAULTS_TOTAL.inc();
        let present = error.contains(ErrorCode::PRESENT);
        let fault = Fault {
            addr,
            access: error.access(),
            present,
        };
        if let Err(error) = during(During::Fault, || faults::handle(&process.mm, &fault)) {
            return Ok(Err(error));
        }
    }
    Err(format!(
        "{access:?} at {at:#x} faults for ever: {}",
        errors.last().expect("it faulted")
    ))
}

/// One cell, from outside.
pub fn remote(
    world: &mut World,
    who: usize,
    at: u64,
    write: bool,
    value: u64,
) -> Result<(), Wrong> {
    let tight = world.is_tight();
    let process = &mut world.processes[who];
    let cell = value as usize % OFFSETS.len();
    let at = (at & !(PAGE_SIZE - 1)).wrapping_add(OFFSETS[cell] as u64);
    let access = if write { Access::Write } else { Access::Read };
    let page = at / PAGE_SIZE;
    let reach = match VirtAddr::new(at).is_user() {
        true => process.space.access(page, access),
        false => Reach::NotMapped,
    };
    let mut bytes = value.to_le_bytes();
    let got = during(During::Fault, || match write {
        true => process.mm.write_remote(at, &bytes),
        false => process.mm.read_remote(at, &mut bytes),
    });
    match (got, reach) {
        (Err(_), _) if tight => return Ok(()),
        (Err(_), reach) if reach != Reach::Yes => return Ok(()),
        (Ok(()), Reach::Yes) if write => process.space.write(page, cell, value),
        (Ok(()), Reach::Yes) => {
            let wanted = process.space.pages[&page]
                .contents()
                .map(|cells| cells[cell]);
            if wanted != Some(u64::from_le_bytes(bytes)) {
                return Err(format!(
                    "remote read of {at:#x}: {bytes:x?}, should be {wanted:x?}"
                ));
            }
        }
        _ => {
            return Err(format!(
                "remote {access:?} at {at:#x}: {got:?}, should be {reach:?}"
            ));
        }
    }
    Ok(())
}
