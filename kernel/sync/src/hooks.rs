//! What the locks ask of the world around them.

/// How a lock is taken with regard to the locks already held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In the ordinary way: deeper than everything held.
    Deeper,
    /// Beside a lock of the same rank; the caller has an order of its own for the two.
    Nested,
    /// Without waiting, so that no order can deadlock.
    Try,
}

/// The world a lock lives in: one CPU's interrupts, and tasks that sleep and wake.
pub trait Hooks: Send + Sync + Sized + 'static {
    /// Whether interrupts were on.
    type Irq: Copy;

    /// A task as a wait queue remembers it.
    type Waiter: Clone + Send + PartialEq;

    /// Turns interrupts off on this CPU and returns what they were.
    fn irq_save() -> Self::Irq;

    /// What [`irq_save`](Self::irq_save) returns where interrupts are on.
    const IRQ_ON: Self::Irq;

    /// Turns interrupts off where they are known to be on.
    fn irq_off();

    /// Puts interrupts back to what [`irq_save`](Self::irq_save) returned.
    fn irq_restore(irq: Self::Irq);

    /// Checks and records a lock that is about to be taken.
    ///
    /// Spin locks call it with interrupts off, sleeping locks with interrupts on.
    /// It comes *before* the wait, so that a deadlock is a message and not a hang.
    fn acquired(rank: u8, name: &'static str, order: Order);

    /// Forgets a lock of this rank.
    fn released(rank: u8);

    /// Keeps the running task on its CPU, and anybody else off it but interrupts, until [`unpin`](Self::unpin).
    fn pin();

    /// Ends what [`pin`](Self::pin) began.
    fn unpin();

    /// Passes a moment of spinning; interrupts are as the caller of the lock had them.
    fn relax();

    /// Returns the running task.
    fn current() -> Self::Waiter;

    /// Marks the running task as blocked: from now on a wake is remembered.
    fn prepare_to_sleep();

    /// Marks the running task as running again, since it need not sleep.
    fn cancel_sleep();

    /// Gives up the CPU until woken; returns at once if woken since the preparation.
    fn sleep();

    /// Makes a task run again; does nothing to a task that is not blocked.
    fn wake(waiter: &Self::Waiter);

    /// Says whether the running task has something to do outside and should give up waiting.
    ///
    /// Whoever makes this true must also [`wake`](Self::wake) the task, in that order.
    fn interrupted() -> bool;

    /// Says whether the running task has to end; then it is also [`interrupted`](Self::interrupted).
    fn killed() -> bool;

    /// Returns the number of the running task, which is not 0, or 0 before there is one.
    fn task_id() -> u32;

    /// Returns a number that tasks on different CPUs mostly do not share; it may change at any time.
    fn slot() -> usize;

    /// Returns a time in ns, for how long a wait takes.
    fn now() -> u64;

    /// Counts a spin lock that was found taken, and came after so many turns.
    fn spun(rank: u8, turns: u32);

    /// Notes that the running task is going to wait for a sleeping lock.
    ///
    /// `owner` is the number of the task that has it, or 0 where that is not known.
    fn waits(rank: u8, owner: u32);

    /// Notes that it has the lock now, after so many ns.
    fn waited(rank: u8, ns: u64);

    /// Notes that the running task begins or ends a wait that nothing interrupts.
    fn deaf(_begins: bool) {}

    /// Panics where sleeping is forbidden: interrupts off, a spin lock held, an interrupt handler.
    fn assert_may_sleep();
}
