//! System calls with arguments nobody would pass, thousands of them: the kernel may refuse, it may end the caller, and
//! it must go on.
//!
//! This runs on Lodger only: as root on a machine that matters, random system calls are no joke.

use user::child::{self, Ended};
use user::lodger::{self, Counters};
use user::map::{self, Map};
use user::mem::PAGE;
use user::sys;

use crate::storm;

/// Calls that would end or multiply the caller instead of being tried, stop the machine, or hit somebody else.
const SPARED: &[i64] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_reboot,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
];
/// Calls with more to them than a number; every second call is one of these.
const FAVOURITES: &[i64] = &[
    libc::SYS_mmap,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mprotect,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pipe2,
    libc::SYS_dup2,
    libc::SYS_close,
    libc::SYS_openat,
    libc::SYS_execve,
    libc::SYS_wait4,
    libc::SYS_poll,
    libc::SYS_prlimit64,
    libc::SYS_arch_prctl,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_futex,
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_fcntl,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_readlink,
    libc::SYS_set_tid_address,
];
const NUMBERS: u64 = 470;
const CALLS: u32 = 300;
/// How long one victim may take, in milliseconds; most sooner or later wait for something that never comes.
const PATIENCE: u64 = 40;

/// Lets `rounds` victims loose, one after the other, and checks that nothing of them stays behind.
pub(crate) fn run(rounds: u64) -> i32 {
    if !lodger::here() {
        println!("fuzz: not on this kernel");
        return 0;
    }
    let (mut before, mut after) = (Counters::new(), Counters::new());
    let warm = in_a_child(1);
    after.take();
    before.take();
    let held = in_a_child(rounds);
    after.take();
    let clean = storm::balance(LEFT, &before, &after);
    println!("fuzz: the machine goes on: {held}, nothing stays behind: {clean}");
    i32::from(!(warm && held && clean))
}

/// What may not grow by what victims do. Files they look at may stay in the page cache.
const LEFT: &[&str] = &[
    "mm_alive",
    "pml4_alive",
    "tasks_alive",
    "kstacks_alive",
    "frames_anon",
    "frames_page_table",
];

fn in_a_child(rounds: u64) -> bool {
    let ended = child::run(|| {
        let mut ends = [0_u32; 3];
        for seed in 1..=rounds {
            match child::start(|| victim(seed)) {
                Ok(pid) => ends[wait_or_kill(pid)] += 1,
                Err(_) => return 1,
            }
        }
        let [through, died, killed] = ends;
        println!(
            "# {through} victims came through, {died} died of what they did, {killed} had to be killed"
        );
        0
    });
    let _ = sys::sleep_ms(100);
    ended == Ok(Ended::Exited(0))
}

/// Waits for a victim; 0 if it came through, 1 if it died, 2 if it had to be killed.
fn wait_or_kill(pid: i32) -> usize {
    let until = sys::now_ms() + PATIENCE;
    loop {
        match sys::wait4(pid, libc::WNOHANG) {
            Ok((0, _)) if sys::now_ms() > until => break,
            Ok((0, _)) => drop(sys::sleep_ms(2)),
            Ok((_, status)) => return usize::from(status != 0),
            Err(_) => return 1,
        }
    }
    let _ = sys::call(libc::SYS_kill, [pid as u64, libc::SIGKILL as u64]);
    let _ = sys::wait4(pid, 0);
    2
}

/// Makes its calls with the console closed, a pipe and its own memory at hand.
fn victim(seed: u64) -> i32 {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let Ok(room) = Map::apart(4, 4, map::RW) else {
        return 1;
    };
    let _ = sys::pipe();
    for fd in 0..3 {
        let _ = sys::close(fd);
    }
    let _ = sys::pipe();
    for _ in 0..CALLS {
        let number = random.number();
        if !SPARED.contains(&number) {
            let args = std::array::from_fn(|_| random.argument(room));
            let _ = sys::raw(number, args);
        }
    }
    0
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn number(&mut self) -> i64 {
        match self.below(2) {
            0 => FAVOURITES[self.below(FAVOURITES.len() as u64) as usize],
            _ => self.below(NUMBERS) as i64,
        }
    }

    /// Gives a value that means something to some call, or nearly.
    fn argument(&mut self, room: Map) -> u64 {
        match self.below(16) {
            0..=2 => self.below(8),
            3 => self.below(4096),
            4 => u64::MAX - self.below(8),
            5 | 6 => room.start + self.below(room.bytes()),
            7 => room.end() - self.below(16),
            8 => room.page(self.below(8)),
            9 => PAGE * self.below(1000),
            10 => 1 << self.below(64),
            11 => 0x7fff_ffff_f000 - self.below(3) * PAGE,
            12 => 0x8000_0000_0000 + self.below(16),
            13 => 0xffff_8880_0000_0000 + self.below(1 << 20),
            14 => 0xffff_ffff_8000_0000 + self.below(1 << 20),
            _ => self.next(),
        }
    }
}
