//! What becomes of a piece of deferred work: queued, delayed, run, waited for, cancelled.
//!
//! An [`Item`] is the state of one piece of work, kept under a lock of its own. There may be several lists
//! with a worker each; a list holds entries that say no more than "look at this item". An entry that is
//! no longer true is harmless: [`Item::take`] decides when the worker comes to it.
//!
//! Promised are:
//! - a request that was accepted is run after it was made, or cancelled; several that wait are run once;
//! - a piece of work never runs twice at the same time, however many workers there are;
//! - who flushes waits for what was requested before, and for nothing that was requested after;
//! - who cancels finds the work neither waiting nor running, and nobody queues it until that is seen.
#![no_std]
#![forbid(unsafe_code)]

/// Names a list and its worker.
pub type Pool = u32;

/// The state of one piece of work.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Item {
    wait: Wait,
    running: Option<Run>,
    /// How many cancel it just now: nobody queues it meanwhile.
    cancels: u32,
    /// Requests accepted so far: the last one's number.
    asked: u64,
    /// The last request that was run or cancelled.
    over: u64,
    /// The last request that was cancelled.
    cancelled: u64,
}

/// What the work waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum Wait {
    #[default]
    Nothing,
    /// Its time.
    Timer,
    /// A worker.
    Worker,
}

/// A run that is under way: where, and for which request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Run {
    pool: Pool,
    request: u64,
}

/// What came of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Accepted: put an entry into this list, or into any if none is named.
    Enqueue(Option<Pool>),
    /// Accepted: set the timer.
    SetTimer,
    /// It waits already: this request is the same as that.
    Already,
    /// Somebody is cancelling it.
    Refused,
}

/// A request to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Target(u64);

impl Item {
    /// Work that nobody has asked for.
    pub const fn new() -> Self {
        Self {
            wait: Wait::Nothing,
            running: None,
            cancels: 0,
            asked: 0,
            over: 0,
            cancelled: 0,
        }
    }

    /// Asks for the work to be done soon.
    pub fn queue(&mut self) -> Request {
        match self.accept(Wait::Worker) {
            Ok(()) => Request::Enqueue(self.bound()),
            Err(answer) => answer,
        }
    }

    /// Asks for the work to be done when a timer has rung.
    pub fn delay(&mut self) -> Request {
        match self.accept(Wait::Timer) {
            Ok(()) => Request::SetTimer,
            Err(answer) => answer,
        }
    }

    /// The timer rang; `None` if the work was cancelled meanwhile.
    pub fn ring(&mut self) -> Option<Request> {
        if self.wait != Wait::Timer {
            return None;
        }
        self.wait = Wait::Worker;
        Some(Request::Enqueue(self.bound()))
    }

    /// A worker came to an entry: returns whether it is to run the work now.
    pub fn take(&mut self, pool: Pool) -> bool {
        if self.wait != Wait::Worker || self.running.is_some() {
            return false;
        }
        self.wait = Wait::Nothing;
        let request = self.asked;
        self.running = Some(Run { pool, request });
        true
    }

    /// The worker has run it.
    pub fn done(&mut self) {
        if let Some(run) = self.running.take() {
            self.over = run.request.max(self.cancelled);
        }
    }

    /// Returns what a flush has to wait for; `None` if there is nothing.
    pub fn flush(&self) -> Option<Target> {
        (self.asked > self.over).then_some(Target(self.asked))
    }

    /// Whether what a flush waits for is over.
    pub fn is_over(&self, target: Target) -> bool {
        self.over >= target.0
    }

    /// Begins to cancel: takes a waiting request back and lets nobody ask. Returns whether there was one.
    ///
    /// [`Self::cancel_end`] is to be called when [`Self::is_running`] no longer holds.
    pub fn cancel_begin(&mut self) -> bool {
        self.cancels += 1;
        let waited = self.wait != Wait::Nothing;
        self.wait = Wait::Nothing;
        if waited {
            self.cancelled = self.asked;
            if self.running.is_none() {
                self.over = self.asked;
            }
        }
        waited
    }

    /// The work stands still; it can be asked for again once nobody else cancels it.
    pub fn cancel_end(&mut self) {
        self.cancels -= 1;
    }

    /// Whether a worker runs it.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether it waits for its time or a worker.
    pub fn is_pending(&self) -> bool {
        self.wait != Wait::Nothing
    }

    fn accept(&mut self, wait: Wait) -> Result<(), Request> {
        if self.cancels > 0 {
            return Err(Request::Refused);
        }
        if self.wait != Wait::Nothing {
            return Err(Request::Already);
        }
        self.wait = wait;
        self.asked += 1;
        Ok(())
    }

    /// Where it runs it is run again: the worker comes to the entry when it is through.
    fn bound(&self) -> Option<Pool> {
        self.running.map(|run| run.pool)
    }
}
