//! An ordinary Rust program: threads, channels, files, child processes and panics of the standard library.
//!
//! Each line is the same on every Linux. It is built as a stranger would build it, with unwinding: see tests/guests.sh.
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    if let Some(role) = std::env::args().nth(1) {
        return child(&role);
    }
    threads();
    channels();
    panics();
    files()?;
    children()?;
    println!("done");
    Ok(())
}

fn threads() {
    let (sum, barrier) = (Arc::new(Mutex::new(0_u64)), Arc::new(Barrier::new(16)));
    let leaders = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..16_u64)
        .map(|number| {
            let (sum, barrier, leaders) = (sum.clone(), barrier.clone(), leaders.clone());
            let work = move || {
                for round in 0..100 {
                    *sum.lock().expect("nobody panics here") += number * round;
                }
                if barrier.wait().is_leader() {
                    leaders.fetch_add(1, SeqCst);
                }
                thread::current().name().map(str::to_owned)
            };
            thread::Builder::new()
                .name(format!("worker{number}"))
                .spawn(work)
        })
        .collect();
    let names: Vec<_> = workers
        .into_iter()
        .map(|worker| worker.expect("a thread").join().expect("no panic"))
        .collect();
    println!(
        "sum {} leaders {} {:?}",
        sum.lock().expect("free"),
        leaders.load(SeqCst),
        names[15]
    );
    thread_locals();
    condition();
    let shared = RwLock::new(vec![1, 2, 3]);
    thread::scope(|scope| {
        scope.spawn(|| shared.write().expect("free").push(4));
        scope.spawn(|| shared.read().expect("free").len());
    });
    println!("scoped {:?}", shared.read().expect("free"));
}

fn thread_locals() {
    thread_local!(static OWN: std::cell::Cell<u32> = const { std::cell::Cell::new(1) });
    OWN.set(5);
    let other = thread::spawn(|| OWN.replace(9)).join().expect("no panic");
    static ONCE: OnceLock<u32> = OnceLock::new();
    println!(
        "own {} other {other} once {}",
        OWN.get(),
        ONCE.get_or_init(|| 3)
    );
}

fn condition() {
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let other = pair.clone();
    let player = thread::spawn(move || play(&other, 1));
    play(&pair, 0);
    player.join().expect("no panic");
    println!("played {}", pair.0.lock().expect("free"));
}

/// Two take turns, a thousand each.
fn play((turn, changed): &(Mutex<u32>, Condvar), own: u32) {
    for _ in 0..1000 {
        let free = turn.lock().expect("nobody panics here");
        let mut mine = changed
            .wait_while(free, |turn| *turn % 2 != own)
            .expect("nobody panics");
        *mine += 1;
        changed.notify_one();
    }
}

fn channels() {
    let (sender, receiver) = mpsc::channel();
    for part in 0..4_u64 {
        let sender = sender.clone();
        thread::spawn(move || {
            (0..250).for_each(|item| sender.send(part * 250 + item).expect("somebody receives"))
        });
    }
    drop(sender);
    println!("received {}", receiver.iter().sum::<u64>());
    let (sender, receiver) = mpsc::sync_channel::<u32>(2);
    let begin = Instant::now();
    let late = receiver.recv_timeout(Duration::from_millis(20));
    println!(
        "{} {}",
        late == Err(RecvTimeoutError::Timeout),
        begin.elapsed() >= Duration::from_millis(20)
    );
    drop(sender);
    println!("{:?}", receiver.recv().is_err());
}

fn panics() {
    std::panic::set_hook(Box::new(|info| {
        println!("panic: {}", info.payload_as_str().unwrap_or("?"))
    }));
    let ended = thread::spawn(|| {
        let _guard = Guard;
        let none: Option<u32> = None;
        none.expect("there is nothing")
    })
    .join();
    println!("thread panicked: {}", ended.is_err());
    let caught = std::panic::catch_unwind(|| panic!("caught"));
    println!("caught: {}", caught.is_err());
    let poisoned = Arc::new(Mutex::new(1));
    let other = poisoned.clone();
    let _ = thread::spawn(move || {
        let _held = other.lock();
        panic!("with a lock")
    })
    .join();
    println!("poisoned: {}", poisoned.is_poisoned());
    let _ = std::panic::take_hook();
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        println!("unwound");
    }
}

fn files() -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("crafts.{}", std::process::id()));
    fs::create_dir_all(folder.join("a/b"))?;
    let file = folder.join("a/file");
    fs::write(&file, "one\ntwo\nthree\n")?;
    let lines: Vec<String> = BufReader::new(File::open(&file)?)
        .lines()
        .collect::<io::Result<_>>()?;
    println!("{lines:?} {}", fs::copy(&file, folder.join("copy"))?);
    let mut open = OpenOptions::new().read(true).append(true).open(&file)?;
    open.write_all(b"four\n")?;
    open.seek(SeekFrom::Start(4))?;
    let mut rest = String::new();
    open.read_to_string(&mut rest)?;
    open.set_len(3)?;
    println!("{rest:?} {}", open.metadata()?.len());
    fs::rename(&file, folder.join("moved"))?;
    std::os::unix::fs::symlink("moved", folder.join("link"))?;
    fs::hard_link(folder.join("moved"), folder.join("a/b/hard"))?;
    println!(
        "{} {:?}",
        fs::read_to_string(folder.join("link"))?,
        File::open(&file).map_err(|error| error.kind()).err()
    );
    println!("{:?}", list(&folder)?);
    fs::remove_dir_all(&folder)?;
    println!("gone {}", !folder.exists());
    Ok(())
}

/// The names below a folder and whether each is a folder itself.
fn list(folder: &Path) -> io::Result<BTreeMap<String, bool>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        found.insert(
            entry.file_name().to_string_lossy().into_owned(),
            entry.file_type()?.is_dir(),
        );
        if entry.file_type()?.is_dir() {
            found.extend(list(&entry.path())?);
        }
    }
    Ok(found)
}

fn children() -> io::Result<()> {
    let own = std::env::current_exe()?;
    let mut upper = Command::new(&own)
        .arg("upper")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    upper
        .stdin
        .take()
        .expect("a pipe")
        .write_all(b"through a child")?;
    let output = upper.wait_with_output()?;
    println!(
        "{} {:?}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
    let told = Command::new(&own)
        .arg("tell")
        .env_clear()
        .env("WORD", "told")
        .current_dir("/")
        .output()?;
    print!("{} {}", told.status, String::from_utf8_lossy(&told.stdout));
    println!("{}", Command::new(&own).arg("seven").status()?);
    println!(
        "{}",
        Command::new(&own)
            .arg("abort")
            .stderr(Stdio::null())
            .status()?
    );
    let mut sleeper = Command::new(&own).arg("sleep").spawn()?;
    println!("{:?}", sleeper.try_wait()?.is_none());
    sleeper.kill()?;
    println!("{}", sleeper.wait()?);
    println!(
        "{:?}",
        Command::new("/no/such/program")
            .spawn()
            .map_err(|error| error.kind())
            .err()
    );
    let many: Vec<_> = (0..20)
        .map(|_| Command::new(&own).arg("seven").spawn())
        .collect();
    let codes = many
        .into_iter()
        .map(|child| Ok(child?.wait()?.code()))
        .collect::<io::Result<Vec<_>>>()?;
    println!("{}", codes.iter().filter(|code| **code == Some(7)).count());
    Ok(())
}

fn child(role: &str) -> io::Result<()> {
    match role {
        "upper" => {
            let text = io::read_to_string(io::stdin())?;
            print!("{}", text.to_uppercase());
        }
        "tell" => println!(
            "{:?} {:?}",
            std::env::vars().collect::<Vec<_>>(),
            std::env::current_dir()?
        ),
        "seven" => std::process::exit(7),
        "abort" => panic!("the child panics"),
        _ => thread::sleep(Duration::from_secs(100)),
    }
    Ok(())
}
