//! Processes that begin and end while others use their memory.

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::probe::must;
use user::sys;
use user::threads::{Helper, THREAD};

use crate::field::{WORKERS, all_have_seen, insist, publish, set_place, with_workers};
use crate::pages::{words, writes_own_word};

fn own_path() -> Result<std::ffi::CString, String> {
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    std::ffi::CString::new(path.to_string_lossy().as_bytes()).map_err(|error| error.to_string())
}

/// EX-2: a child that shares the memory executes a program while the threads write on; their memory stays theirs.
pub(crate) fn exec_beside(rounds: u64) -> Result<(), String> {
    let page = must("mmap", Map::apart(1, 2, map::RW))?.start;
    set_place(page);
    mem::poke64(page, 0x5a5a);
    let path = own_path()?;
    let mut argv = [path.as_ptr() as u64, c"null".as_ptr() as u64, 0];
    let argv = sys::at(&mut argv);
    let mut none = 0_u64;
    let env = sys::at(&mut none);
    with_workers(writes_own_word, || {
        for round in 1..=rounds.div_ceil(4) {
            let before = words(page);
            let pid = must("vfork", sys::vfork_exec(&path, argv, env))?;
            let ended = must("wait", child::wait(pid as i32))?;
            insist("the program's end", ended == Ended::Exited(0))?;
            publish(round);
            all_have_seen(round);
            let grown = words(page)
                .iter()
                .zip(before)
                .all(|(now, then)| *now > then);
            insist("everybody wrote meanwhile", grown)?;
            insist("nobody else did", mem::peek64(page) == 0x5a5a)?;
        }
        Ok(())
    })
}

/// Touches new pages until it is ended.
extern "C" fn touches(number: u64) -> u64 {
    loop {
        if let Ok(own) = Map::anon(8, map::RW) {
            for page in 0..8 {
                mem::poke64(own.page(page), number);
            }
            let _ = sys::munmap(own.start, own.bytes());
        }
    }
}

/// Processes end, by themselves and by signals, while their threads fault on other processors.
pub(crate) fn ends_in_use(rounds: u64) -> Result<(), String> {
    for round in 0..rounds.div_ceil(4) {
        let in_child = |code: i32| {
            move || {
                let helpers =
                    (0..WORKERS as u64).map(|number| Helper::start(THREAD, touches, number));
                let all = helpers.collect::<sys::Result<Vec<_>>>();
                let _ = sys::sleep_ms(1);
                match (all, code) {
                    (Err(_), _) => 90,
                    (Ok(_), 0) => sys::exit(5),
                    (Ok(_), _) => loop {
                        let _ = sys::raw(libc::SYS_pause, [0; 6]);
                    },
                }
            }
        };
        if round % 2 == 0 {
            let ended = must("fork", child::run(in_child(0)))?;
            insist("its own end", ended == Ended::Exited(5))?;
        } else {
            let pid = must("fork", child::start(in_child(1)))?;
            must("sleep", sys::sleep_ms(2))?;
            must("kill", user::signals::kill(pid, libc::SIGKILL))?;
            let ended = must("wait", child::wait(pid))?;
            insist("its end by a signal", ended == Ended::Killed(libc::SIGKILL))?;
        }
    }
    Ok(())
}

/// Forks, executes and waits; returns how many did not do as they should.
fn generations(path: &std::ffi::CStr, count: u64) -> i32 {
    let mut argv = [path.as_ptr() as u64, c"null".as_ptr() as u64, 0];
    let argv = sys::at(&mut argv);
    let one = |_: &u64| {
        let ended = child::run(|| {
            let args = [path.as_ptr() as u64, argv, 0];
            sys::call(libc::SYS_execve, args).map_or(1, |_| 2)
        });
        ended != Ok(Ended::Exited(0))
    };
    (0..count).filter(one).count().min(100) as i32
}

/// Families on all processors fork, execute and end at once.
pub(crate) fn storm(rounds: u64) -> Result<(), String> {
    let path = own_path()?;
    let mut families = Vec::new();
    for _ in 0..4 {
        let family = || generations(&path, rounds.div_ceil(2));
        families.push(must("fork", child::start(family))?);
    }
    for pid in families {
        let ended = must("wait", child::wait(pid))?;
        insist(
            "every generation did as it should",
            ended == Ended::Exited(0),
        )?;
    }
    Ok(())
}
