//! The postman: a kernel thread that visits processes (`postman` on the kernel command line).
//!
//! A program writes `ADDRESS WORD`, in hexadecimal, to `/proc/self/postman`. The postman uses the program's address
//! space, stores the word there, leaves, and tries to store another one: that must be refused, although CR3
//! may still name the same tables (LZ-25, I-8). A letter pins the address space but does not keep user memory
//! alive: who has ended meanwhile gets no letter.

use alloc::collections::VecDeque;

use log::debug;

use crate::fs::procfs::registry::{ProcessFacts, Refused, What, register};
use crate::locks::{Interrupted, SpinLock, WaitQueue, rank};
use crate::mm::counters::{LETTERS_DELIVERED, LETTERS_LOST, LETTERS_RETURNED};
use crate::mm::uaccess::{self, Efault};
use crate::mm::{MmRef, OutOfMemory};
use crate::sched::kthread::{kthread_run, kthread_use_mm, serve};

/// How many letters may wait.
const ROOM: usize = 64;

static LETTERS: SpinLock<VecDeque<Letter>, { rank::WORK_LIST }> = SpinLock::new(VecDeque::new());
static MORE: WaitQueue = WaitQueue::new();

/// A word for an address in somebody's memory.
struct Letter {
    to: MmRef,
    addr: u64,
    word: u64,
}

/// What became of a letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Delivery {
    /// The word is there.
    Delivered,
    /// The process cannot store there itself.
    Returned,
    /// The memory is gone.
    Lost,
}

/// Starts the postman, who is not in every kernel.
pub fn start() -> Result<(), OutOfMemory> {
    register("postman", What::ProcessSetting(|_, _| Ok(()), post));
    kthread_run("postman", || serve(turn))?;
    Ok(())
}

/// Takes a letter of a program's to itself, or to another process.
fn post(process: &dyn ProcessFacts, text: &str) -> Result<(), Refused> {
    let (addr, word) = text.split_once(' ').ok_or(Refused::Invalid)?;
    let number = |text: &str| u64::from_str_radix(text, 16).map_err(|_| Refused::Invalid);
    let letter = Letter {
        addr: number(addr)?,
        word: number(word)?,
        to: process.mm().ok_or(Refused::Gone)?.grab(),
    };
    let mut letters = LETTERS.lock();
    if letters.len() >= ROOM {
        return Err(Refused::OutOfMemory);
    }
    letters.push_back(letter);
    drop(letters);
    MORE.wake_one();
    Ok(())
}

/// Waits for a letter and brings it.
fn turn() -> Result<(), Interrupted> {
    let letter = MORE.wait_for_interruptible(|| LETTERS.lock().pop_front())?;
    let delivery = deliver(&letter);
    match delivery {
        Delivery::Delivered => LETTERS_DELIVERED.inc(),
        Delivery::Returned => LETTERS_RETURNED.inc(),
        Delivery::Lost => LETTERS_LOST.inc(),
    }
    debug!(target: "postman", "{:#x} to {:#x} in mm {}: {delivery:?}", letter.word, letter.addr, letter.to.id().as_u64());
    Ok(())
}

fn deliver(letter: &Letter) -> Delivery {
    let Some(mm) = letter.to.try_user() else {
        return Delivery::Lost;
    };
    let stored = {
        let _stay = kthread_use_mm(&mm);
        uaccess::write_user(letter.addr, &letter.word)
    };
    let afterwards = uaccess::write_user(letter.addr, &!letter.word);
    assert!(
        afterwards == Err(Efault),
        "a kernel thread that has left an address space has no user memory (I-8)"
    );
    match stored {
        Ok(()) => Delivery::Delivered,
        Err(Efault) => Delivery::Returned,
    }
}
