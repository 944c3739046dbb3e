//! Models of the locks: small programs of two or three threads, run in every order.

mod mutex;
mod once;
mod peek;
mod rwsem;
mod spinlock;
mod split;
mod wait_queue;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use locks::hooks::Hooks;
use locks::world::{Waiter, World};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, JoinHandle};

/// Runs a thread, and tells what it is in a wait queue.
fn spawn_known(body: impl FnOnce() + 'static) -> (JoinHandle<()>, Waiter) {
    let (told, is_told) = (
        Rc::new(RefCell::new(None)),
        Arc::new(AtomicBool::new(false)),
    );
    let thread = {
        let (told, is_told) = (Rc::clone(&told), Arc::clone(&is_told));
        thread::spawn(move || {
            *told.borrow_mut() = Some(World::current());
            is_told.store(true, Ordering::Release);
            body();
        })
    };
    while !is_told.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let waiter = told.borrow().clone();
    (thread, waiter.expect("it was told"))
}
