//! The machine itself before and after: who may run this, what is left, and how it is taken away.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use user::figures::status_figure;
use user::lodger::{self, Counters};
use user::sys;

use crate::fuzz::lists::PATHS;

/// Where everything that is made here goes.
pub(crate) const PLACE: &str = "/tmp/soak";

/// Where files of victims may be that went there.
const ELSEWHERE: &[&str] = &["/", "/tmp", "/etc", "/bin", "/dev"];
/// Settings that a victim may change, and what they are.
const SETTINGS: &[(&str, &str)] = &[("/proc/sys/vm/max_map_count", "65530")];
/// The status of a victim that found no folder or no memory to begin with.
pub(crate) const ASTRAY: i32 = 99;

/// What must be as it was when everybody has gone.
const SAME: &[&str] = &["tasks_alive", "kstacks_alive", "shared_anon_pages"];
/// What must not be more than it was; one that an idle CPU stood on before may have gone meanwhile.
const NO_MORE: &[&str] = &["mm_alive", "pml4_alive"];
/// Page tables that the kernel may make for itself meanwhile: those of its stacks stay.
const TABLES: u64 = 64;
/// How often the counters are looked at until they are: what the last ones had comes back soon, not at once.
const LOOKS: u32 = 400;

/// How often they are looked at for the fewest.
const FEWEST: u32 = 60;

/// Whether this is the first process of a machine that exists for this: everybody else may be ended. Asked once, while
/// nothing covers `/proc`.
pub(crate) fn is_ours() -> bool {
    static OURS: OnceLock<bool> = OnceLock::new();
    *OURS.get_or_init(|| {
        lodger::here() && sys::getpid() == 1 && !places().is_empty() && !mounts().is_empty()
    })
}

/// What there was before.
pub(crate) struct Before {
    counters: Counters,
    now: Counters,
    /// Frames of private memory that this program itself had, and has.
    own: [u64; 2],
}

impl Before {
    /// Reads the counters; everything that this program touches for it is touched by then.
    pub(crate) fn new() -> Self {
        let mut before = Self {
            counters: Counters::new(),
            now: Counters::new(),
            own: [own_anon(); 2],
        };
        // What asking touches is touched by the second time.
        for _ in 0..2 {
            before.own = [own_anon(); 2];
            before.counters.take();
        }
        // Kernel threads come and go: there are so many when there are fewest.
        for _ in 0..FEWEST {
            let _ = sys::sleep_ms(1);
            before.now.take();
            if before.now.get("tasks_alive") < before.counters.get("tasks_alive") {
                before.own = [own_anon(); 2];
                before.counters.take();
            }
        }
        before
    }

    /// Private frames of everybody else, before and now.
    fn anon(&self) -> (u64, u64) {
        let others =
            |counters: &Counters, own| counters.get("frames_anon").unwrap_or(0).saturating_sub(own);
        (
            others(&self.counters, self.own[0]),
            others(&self.now, self.own[1]),
        )
    }

    /// Ends everybody, takes away what they made, and compares; tells what is not as it was.
    pub(crate) fn is_back(&mut self) -> bool {
        end_everybody();
        clear();
        for look in 0..LOOKS {
            self.own[1] = own_anon();
            self.now.take();
            if self.differing().next().is_none() {
                return true;
            }
            let _ = sys::sleep_ms(if look < 20 { 2 } else { 10 });
        }
        for name in self.differing() {
            let (was, is) = (self.counters.get(name), self.now.get(name));
            println!("soak: {name} was {was:?} and is {is:?}");
        }
        if let Err(error) = fs::read_to_string("/proc/lodger_stat") {
            println!("soak: /proc/lodger_stat cannot be read: {error}");
        }
        let [had, has] = self.own;
        println!("soak: of private frames, {had} were this program's own, and {has} are");
        false
    }

    fn differing(&self) -> impl Iterator<Item = &'static str> {
        let differs = |name: &&&str| self.counters.get(name) != self.now.get(name);
        let grew = |name: &&&str| self.now.get(name) > self.counters.get(name);
        let all = SAME.iter().filter(differs);
        let all = all.chain(NO_MORE.iter().filter(grew)).copied();
        let (was, is) = self.anon();
        let tables = |counters: &Counters| counters.get("frames_page_table").unwrap_or(0);
        let more = tables(&self.now).saturating_sub(tables(&self.counters));
        all.chain((is > was).then_some("frames_anon"))
            .chain((more > TABLES).then_some("frames_page_table"))
    }
}

/// Frames of private memory that this program has.
fn own_anon() -> u64 {
    status_figure("RssAnon").unwrap_or(0) / 4
}

/// Whether page tables, mappings and frames of every address space agree.
pub(crate) fn is_sound() -> bool {
    let told = fs::read_to_string("/proc/lodger_fsck").unwrap_or_default();
    let last = told.lines().last().unwrap_or_default();
    let sound = last.starts_with("0 findings;");
    if !sound {
        println!("soak: fsck says {told}");
    }
    sound
}

/// Does once all that comes before and after a comparison, so that what it touches has been touched.
pub(crate) fn settle() {
    let mut first = Before::new();
    end_everybody();
    clear();
    first.now.take();
    let differing = first.differing().count();
    println!("# {differing} counters moved while everything was done for the first time");
    let _ = (is_sound(), sys::sleep_ms(100));
}

/// Kills all processes but this one and buries them.
pub(crate) fn end_everybody() {
    assert!(is_ours(), "only in a machine of its own");
    loop {
        let _ = sys::call(libc::SYS_kill, [u64::MAX, libc::SIGKILL as u64]);
        match sys::wait4(-1, libc::WNOHANG | 0x4000_0000) {
            Ok((0, _)) => drop(sys::sleep_ms(1)),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// What a path led to before anything happened: device and inode.
type Place = (&'static str, Option<(u64, u64)>);

/// Where the paths led that everybody needs, when this was first called.
fn places() -> &'static [Place] {
    static PLACES: OnceLock<Vec<Place>> = OnceLock::new();
    PLACES.get_or_init(|| {
        let paths = PATHS.iter().filter_map(|path| path.to_str().ok());
        let fixed = paths.filter(|path| path.starts_with('/') && !path.contains("self"));
        fixed.map(|path| (path, identity(path))).collect()
    })
}

fn identity(path: &str) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// What was mounted where when this was first called, but the root: kind and path.
fn mounts() -> &'static [(String, String)] {
    static MOUNTS: OnceLock<Vec<(String, String)>> = OnceLock::new();
    MOUNTS.get_or_init(|| {
        let told = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let words = told.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mounts = words.filter(|words| words.len() > 2 && words[1] != "/");
        mounts
            .map(|words| (words[2].to_string(), words[1].to_string()))
            .collect()
    })
}

/// Mounts again what is not there any more.
fn mount_again() {
    for (kind, path) in mounts() {
        let was = places().iter().find(|(place, _)| place == path);
        if was.is_none_or(|(_, was)| identity(path) == *was) {
            continue;
        }
        let [Ok(kind), Ok(path)] = [kind, path].map(|text| CString::new(text.as_str())) else {
            continue;
        };
        let args = [
            kind.as_ptr() as u64,
            path.as_ptr() as u64,
            kind.as_ptr() as u64,
            0,
            0,
        ];
        let _ = sys::call(libc::SYS_mount, args);
    }
}

fn unmount(path: &str) -> bool {
    CString::new(path)
        .is_ok_and(|path| sys::call(libc::SYS_umount2, [path.as_ptr() as u64, 2]).is_ok())
}

/// Removes all files, and what was mounted over them and over what everybody needs, and sets right what was set.
pub(crate) fn clear() {
    let _ = std::env::set_current_dir("/");
    // A victim gets there by a symbolic link.
    for (path, was) in places() {
        while identity(path) != *was && unmount(path) {}
    }
    mount_again();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let below = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for path in below.filter(|path| path.starts_with(PLACE)) {
        unmount(path);
    }
    let _ = fs::remove_dir_all(PLACE);
    for entry in ELSEWHERE.iter().flat_map(fs::read_dir).flatten().flatten() {
        if is_a_victims(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
    }
    for (path, value) in SETTINGS {
        let _ = fs::write(path, value);
    }
}

/// Whether only a victim calls a file so.
fn is_a_victims(name: &str) -> bool {
    name.len() == 1 || name.starts_with("a-name-")
}

/// Makes a folder of one's own and goes there.
pub(crate) fn enter(name: &str) -> std::io::Result<()> {
    let own = format!("{PLACE}/{name}");
    fs::create_dir_all(&own)?;
    std::env::set_current_dir(own)
}
