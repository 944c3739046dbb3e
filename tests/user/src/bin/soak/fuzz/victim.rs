//! A victim: a process that makes calls, with children and threads that do the same.
//!
//! It allocates nothing once it has begun, so that its threads need not know of each other; and it may die of what it does.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use user::map::{self, Map};
use user::mem::PAGE;
use user::signals::{self, Event};
use user::sys;
use user::threads::{Helper, THREAD};
use user::tolerant;

use super::calls::{CALLS, Call, Gives, MAPPING, NAMING, SENDING, SPARED};
use super::lane::{Lane, NUMBERS};
use super::words::{Kept, Stock, Word};
use crate::guard;
use crate::random::Random;

/// Calls of a victim, of each of its threads, and of a child.
const OWN: u64 = 2500;
const BESIDE: u64 = 600;
const CHILDS: u64 = 80;
/// How many generations there may be, and how many children of each.
const DEPTH: u32 = 2;
const CHILDREN: u32 = 12;
/// A call that waits hears of the timer after so long, in microseconds.
const PATIENCE: u64 = 1500;
/// How often a task gives itself its timer and handlers back.
const AGAIN: u64 = 32;

/// What the threads of a victim begin with.
static SEED: AtomicU64 = AtomicU64::new(0);
static LANE: AtomicU64 = AtomicU64::new(0);
/// Everything from here up is needed to go on: mappings that are made later lie below.
static LIMIT: AtomicU64 = AtomicU64::new(0);
static ROOMS: [AtomicU64; THREADS as usize] = [const { AtomicU64::new(0) }; THREADS as usize];
/// A victim has fewer threads besides its own than this, and each thread a room of so many pages.
const THREADS: u64 = 3;
const ROOM: u64 = 16;
/// Pages above and below that nobody can use.
const APART: u64 = 32;

struct Task {
    stock: Stock,
    lane: Lane,
    program: &'static CStr,
    left: u64,
    depth: u32,
    children: u32,
    weights: u64,
}

/// Is the body of a victim's process; the lane's number finds the lane in its threads.
pub(crate) fn run(seed: u64, lane: Lane, program: &'static CStr) -> i32 {
    let _ = sys::call(libc::SYS_setpgid, [0, 0]);
    for fd in 0..3 {
        let _ = sys::close(fd);
    }
    // Nothing that it does may reach the console.
    let null = c"/dev/null".as_ptr() as u64;
    for _ in 0..3 {
        let _ = sys::call(libc::SYS_openat, [libc::AT_FDCWD as u64, null, 2, 0]);
    }
    let _ = sys::set_soft_limit(libc::RLIMIT_AS, 48 << 20);
    let _ = sys::set_soft_limit(libc::RLIMIT_NOFILE, 64);
    for signal in 1..=64 {
        let _ = signals::install(signal, |_: &mut Event| (), 0, 0);
    }
    let _ = tolerant::install();
    let random = Random::new(seed);
    // The lowest one last: below it nothing is needed.
    let stacks: Vec<_> = (1..THREADS).map_while(|_| kept_apart().ok()).collect();
    let rooms: Vec<_> = (0..THREADS).map_while(|_| kept_apart().ok()).collect();
    let lowest = rooms.iter().chain(&stacks).map(|room| room.start).min();
    LIMIT.store(lowest.unwrap_or(0) - APART * PAGE, Relaxed);
    for (place, room) in ROOMS.iter().zip(&rooms) {
        place.store(room.start, Relaxed);
    }
    SEED.store(seed, Relaxed);
    LANE.store(lane.address(), Relaxed);
    let Some(mut task) = Task::new(random, 0, lane, program, OWN) else {
        return guard::ASTRAY;
    };
    let threads = task.stock.random.below(THREADS) as usize;
    for (number, stack) in stacks.into_iter().enumerate().take(threads) {
        // Its stack and its word stay: the process ends before them.
        std::mem::forget(Helper::start_on(stack, THREAD, beside, number as u64 + 1));
    }
    task.make_calls();
    0
}

/// Pages between others that nobody can use and nothing else is mapped in.
fn kept_apart() -> sys::Result<Map> {
    let whole = Map::anon(ROOM + 2 * APART, map::NONE)?;
    let inner = whole.part(APART, ROOM);
    inner.protect(map::RW).map(|_| inner)
}

extern "C" fn beside(number: u64) -> u64 {
    let random = Random::new(SEED.load(Relaxed) ^ number << 40);
    let lane = Lane::at(LANE.load(Relaxed));
    if let Some(mut task) = Task::new(random, number as usize, lane, c"/bin/soak", BESIDE) {
        task.make_calls();
    }
    0
}

impl Task {
    fn new(
        random: Random,
        thread: usize,
        lane: Lane,
        program: &'static CStr,
        calls: u64,
    ) -> Option<Self> {
        let room = Map {
            start: ROOMS[thread].load(Relaxed),
            pages: ROOM,
        };
        let [handler, _, restorer, _] = signals::action(libc::SIGUSR1).ok()?;
        let mut stock = Stock {
            random,
            room,
            fds: Kept::new(),
            maps: Kept::new(),
            pids: Kept::new(),
            handler: [handler, restorer],
        };
        let own = kept_apart().ok()?;
        stock.maps.keep((own.start, own.bytes()));
        Some(Self {
            stock,
            lane,
            program,
            left: calls,
            depth: 0,
            children: 0,
            weights: CALLS.iter().map(|call| u64::from(call.weight)).sum(),
        })
    }

    fn make_calls(&mut self) {
        while self.left > 0 {
            self.left -= 1;
            if self.left.is_multiple_of(AGAIN) {
                self.put_right();
            }
            match self.stock.random.below(100) {
                0..=2 => self.have_child(),
                3 => self.execute(),
                4..=8 => self.touch(),
                9..=15 => self.anything(),
                _ => self.known(),
            }
        }
    }

    /// A timer that ends every wait, and a handler for it.
    fn put_right(&self) {
        let _ = signals::install(libc::SIGALRM, |_: &mut Event| (), 0, 0);
        let _ = signals::set_mask(0);
        let mut times = [0, PATIENCE, 0, PATIENCE];
        let _ = sys::call(libc::SYS_setitimer, [0, sys::at(&mut times), 0]);
    }

    fn call(&self, number: i64, args: [u64; 6]) -> sys::Result {
        self.lane.begin(number as u64, &args);
        let result = sys::call(number, args);
        if result.is_err() {
            self.lane.refused(number as u64);
        }
        result
    }

    /// A call that makes sense, as far as chance allows.
    fn known(&mut self) {
        let call = self.choose();
        let mut args = [0; 6];
        for (arg, word) in args.iter_mut().zip(call.args) {
            *arg = self.stock.value(*word);
        }
        if self.spares(call.number, &args) {
            return;
        }
        if let Ok(result) = self.call(call.number, args) {
            self.keep(call.gives, result, &args);
        }
    }

    fn choose(&mut self) -> &'static Call {
        let mut at = self.stock.random.below(self.weights);
        for call in CALLS {
            match at.checked_sub(u64::from(call.weight)) {
                None => return call,
                Some(rest) => at = rest,
            }
        }
        &CALLS[0]
    }

    fn keep(&mut self, gives: Gives, result: u64, args: &[u64; 6]) {
        let stock = &mut self.stock;
        match gives {
            Gives::Nothing => {}
            Gives::AnFd => stock.fds.keep(result as i32),
            Gives::Pair(index) => {
                if let Some(both) = tolerant::load(args[index]) {
                    stock.fds.keep(both as i32);
                    stock.fds.keep((both >> 32) as i32);
                }
            }
            Gives::AMap(index) => stock.maps.keep((result, args[index] & !(PAGE - 1))),
        }
    }

    /// Any number with anything, but for what [`Self::known`] does with care: who starts and ends programs, and who moves
    /// what all others need, as `/proc` and `/tmp`.
    fn anything(&mut self) {
        const ALONE: &[i64] = &[
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_fork,
            libc::SYS_vfork,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_exit,
            libc::SYS_exit_group,
            libc::SYS_rt_sigreturn,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_move_mount,
            libc::SYS_rename,
            libc::SYS_renameat,
            libc::SYS_renameat2,
            libc::SYS_unlink,
            libc::SYS_unlinkat,
            libc::SYS_rmdir,
        ];
        let number = self.stock.random.below(NUMBERS) as i64;
        let words = [Word::Buf, Word::Fd, Word::Any, Word::Path, Word::Small(9)];
        let args = std::array::from_fn(|_| {
            let word = self.stock.random.pick(&words);
            self.stock.value(word)
        });
        if !ALONE.contains(&number) && !self.spares(number, &args) {
            let _ = self.call(number, args);
        }
    }

    /// Uses a page of a mapping, which may fault in any way.
    fn touch(&mut self) {
        let at = self.stock.value(Word::Addr) & !7;
        let _ = tolerant::load(at);
        if self.stock.random.one_in(2) {
            let _ = tolerant::store(at, self.stock.random.next());
        }
    }

    /// A child with memory of its own goes on like its parent, for a while.
    fn have_child(&mut self) {
        const FLAGS: &[u64] = &[
            0, 0, 0, 0x200, 0x400, 0x600, 0x1000, 0x100_0000, 0x20_0000, 0x8000, 0x800, 0x1_0000,
            0x4000,
        ];
        if self.depth >= DEPTH || self.children >= CHILDREN {
            return;
        }
        self.children += 1;
        let word = self.stock.room.page(0) + 64;
        let signal = self.stock.random.pick(&[17, 17, 17, 0, 10, 65]);
        let flags = self.stock.random.pick(FLAGS) | self.stock.random.pick(FLAGS);
        let result = match self.stock.random.below(4) {
            0 => self.call(libc::SYS_fork, [0; 6]),
            1 => {
                let mut args = [flags, word, word, word, signal, 0, 0, 0];
                let size = self.stock.random.pick(&[64, 64, 64, 88, 63]);
                self.call(libc::SYS_clone3, [sys::at(&mut args), size, 0, 0, 0, 0])
            }
            _ => self.call(libc::SYS_clone, [flags | signal, 0, word, word, 0, 0]),
        };
        match result {
            Ok(0) => {
                self.depth += 1;
                self.children = 0;
                self.left = 1 + self.stock.random.below(CHILDS);
                let own = Random::new(self.stock.random.next() ^ sys::getpid() as u64);
                self.stock.random = own;
                self.put_right();
                self.make_calls();
                sys::exit(0);
            }
            Ok(pid) => {
                self.stock.pids.keep(pid as i32);
                if flags & 0x1000 != 0
                    && let Some(fd) = tolerant::load(word)
                {
                    self.stock.fds.keep(fd as i32);
                }
            }
            Err(_) => {}
        }
    }

    /// A child executes a program, or who has a parent does so itself; or it ends.
    fn execute(&mut self) {
        let mut argv = [self.program.as_ptr() as u64, c"null".as_ptr() as u64, 0];
        let argv = sys::at(&mut argv);
        let mut env = [0_u64];
        let env = sys::at(&mut env);
        let random = &mut self.stock.random;
        match random.below(8) {
            0..=2 => {
                self.lane.begin(libc::SYS_vfork as u64, &[0; 6]);
                if let Ok(pid) = sys::vfork_exec(self.program, argv, env) {
                    self.stock.pids.keep(pid as i32);
                }
            }
            3 if self.depth > 0 => {
                let _ = self.call(
                    libc::SYS_execve,
                    [self.program.as_ptr() as u64, argv, env, 0, 0, 0],
                );
            }
            4 if self.depth > 0 => {
                let call = random.pick(&[libc::SYS_exit, libc::SYS_exit_group]);
                let _ = self.call(call, [3, 0, 0, 0, 0, 0]);
            }
            _ => {
                // Paths that are no programs, lists that are none.
                let path = self.stock.value(Word::Path);
                let list = self.stock.value(Word::Buf);
                let _ = self.call(libc::SYS_execve, [path, list, env, 0, 0, 0]);
            }
        }
    }

    /// Whether a call would hit the machine, the supervisor or everybody, or end this task before its time.
    fn spares(&mut self, number: i64, args: &[u64; 6]) -> bool {
        let is_everybody = |arg: &u64| matches!(*arg as i32, 1 | -1);
        let names = NAMING.contains(&number) && args[..2].iter().any(is_everybody);
        // What it needs to go on stays, nearly always: without it there is no next call.
        let end = args[0].saturating_add(args[1]);
        let hits = MAPPING.contains(&number) && end > LIMIT.load(Relaxed);
        let catches = number == libc::SYS_rt_sigaction && matches!(args[0], 7 | 11);
        let fatal = |arg: &u64| matches!(*arg, 7 | 9 | 11 | 19..=22);
        let sends = SENDING.contains(&number) && args[1..3].iter().any(fatal) && self.depth == 0;
        let ends = (hits || catches || sends) && !self.stock.random.one_in(200);
        SPARED.contains(&number) || names || ends
    }
}
