//! What `/proc` and `/sys` say: the files that tools read, and how they are laid out.

use std::fs;
use std::os::unix::fs::MetadataExt;

use user::fsys::io;
use user::probe::{Topic, Verdict, holds, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "facts",
    about: "what /proc and /sys say of processes and the machine",
    cases: &[
        ("a_process_in_a_line", a_process_in_a_line),
        ("the_machine_s_times", the_machine_s_times),
        ("load", load),
        ("links", links),
        ("small_files", small_files),
        ("limits", limits),
        ("processors", processors),
        ("whose_they_are", whose_they_are),
        ("threads", threads),
    ],
};

fn read(path: &str) -> Result<String, String> {
    io(path, fs::read_to_string(path))
}

fn number(text: Option<&str>) -> Result<i64, String> {
    let text = text.ok_or("a number is missing")?;
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

fn a_process_in_a_line() -> Verdict {
    let line = read("/proc/self/stat")?;
    let rest = line.rsplit(") ").next().unwrap_or("");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    same("fields", fields.len() + 2, 52)?;
    // The third field is the first behind the name.
    let field = |index: usize| fields[index - 3];
    same("runs", field(3), "R")?;
    for index in 4..=52 {
        if index == 25 {
            continue;
        }
        number(Some(field(index)))?;
    }
    let pid = sys::getpid();
    holds("its number", line.starts_with(&format!("{pid} (")))?;
    let group = io("getpgid", Ok(must_group()))?;
    same("its group", number(Some(field(5)))?, group)?;
    same("priority and nice", (field(18), field(19)), ("20", "0"))?;
    same("threads", field(20), "1")?;
    let pages = read("/proc/self/statm")?;
    let pages = number(pages.split(' ').next())?;
    let bytes = number(Some(field(23)))?;
    holds(
        "as large as statm says",
        (bytes - pages * 4096).abs() <= 1 << 20,
    )?;
    let uptime = read("/proc/uptime")?;
    let uptime: f64 = uptime
        .split(' ')
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0);
    let started = number(Some(field(22)))?;
    holds(
        "began before now",
        started > 0 && started as f64 <= uptime * 100.0 + 100.0,
    )
}

fn must_group() -> i64 {
    sys::call(libc::SYS_getpgid, [0]).map_or(-1, |group| group as i64)
}

fn the_machine_s_times() -> Verdict {
    let text = read("/proc/stat")?;
    let first = text.lines().next().unwrap_or("");
    let fields: Vec<&str> = first.split_whitespace().collect();
    same(
        "all CPUs",
        (fields.first(), fields.len()),
        (Some(&"cpu"), 11),
    )?;
    for name in [
        "cpu0 ",
        "intr ",
        "ctxt ",
        "btime ",
        "processes ",
        "procs_running ",
        "procs_blocked ",
    ] {
        holds(name, text.lines().any(|line| line.starts_with(name)))?;
    }
    let idle = number(fields.get(4).copied())?;
    holds(
        "time passes",
        fields[1..]
            .iter()
            .filter_map(|text| text.parse::<i64>().ok())
            .sum::<i64>()
            > idle,
    )
}

fn load() -> Verdict {
    let text = read("/proc/loadavg")?;
    let fields: Vec<&str> = text.split_whitespace().collect();
    same("fields", fields.len(), 5)?;
    for field in &fields[..3] {
        holds(
            "an average",
            field.parse::<f64>().is_ok_and(|load| load >= 0.0),
        )?;
        same(
            "with two digits",
            field.split('.').nth(1).map(str::len),
            Some(2),
        )?;
    }
    let (running, all) = fields[3].split_once('/').ok_or("no slash")?;
    holds(
        "this one runs",
        number(Some(running))? >= 1 && number(Some(all))? >= 1,
    )
}

fn links() -> Verdict {
    let link = |path: &str| io(path, fs::read_link(path));
    let cwd = io("cwd", std::env::current_dir())?;
    same("cwd", link("/proc/self/cwd")?, cwd)?;
    same("root", link("/proc/self/root")?, "/".into())?;
    same("mounts", link("/proc/mounts")?, "self/mounts".into())?;
    let pid = sys::getpid();
    same("self", link("/proc/self")?, pid.to_string().into())?;
    same(
        "thread-self",
        link("/proc/thread-self")?,
        format!("{pid}/task/{pid}").into(),
    )?;
    let exe = link("/proc/self/exe")?;
    let (by_link, by_name) = (
        io("exe", fs::metadata("/proc/self/exe"))?,
        io("exe", fs::metadata(exe))?,
    );
    same("exe", by_link.ino(), by_name.ino())?;
    let file = io("open", fs::File::open("/dev/null"))?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    same(
        "a descriptor",
        link(&format!("/proc/self/fd/{fd}"))?,
        "/dev/null".into(),
    )
}

fn small_files() -> Verdict {
    let of = |name: &str| read(&format!("/proc/self/{name}"));
    holds(
        "environ",
        of("environ")?.ends_with('\0') || std::env::vars().count() == 0,
    )?;
    for (name, value) in std::env::vars() {
        holds(
            "a variable",
            of("environ")?
                .split('\0')
                .any(|entry| entry == format!("{name}={value}")),
        )?;
    }
    same(
        "cgroup",
        of("cgroup")?.starts_with("0::/") || !of("cgroup")?.is_empty(),
        true,
    )?;
    holds("io", of("io")?.starts_with("rchar: "))?;
    holds(
        "version",
        read("/proc/version")?.starts_with("Linux version "),
    )?;
    holds(
        "filesystems",
        read("/proc/filesystems")?.contains("nodev\ttmpfs\n"),
    )?;
    holds(
        "devices",
        read("/proc/devices")?.starts_with("Character devices:\n"),
    )?;
    holds(
        "partitions",
        read("/proc/partitions")?.starts_with("major minor  #blocks  name\n"),
    )?;
    holds(
        "swaps",
        read("/proc/swaps")?.starts_with("Filename\t\t\t\tType\t\tSize"),
    )?;
    holds(
        "cpuinfo",
        read("/proc/cpuinfo")?.starts_with("processor\t: 0\n"),
    )
}

fn limits() -> Verdict {
    let text = read("/proc/self/limits")?;
    let mut lines = text.lines();
    let head = lines.next().unwrap_or("");
    same(
        "head",
        head.split_whitespace().collect::<Vec<_>>(),
        vec!["Limit", "Soft", "Limit", "Hard", "Limit", "Units"],
    )?;
    same("limits", lines.clone().count(), 16)?;
    let files = lines
        .find(|line| line.starts_with("Max open files"))
        .unwrap_or("");
    let soft = files
        .get(26..)
        .and_then(|rest| rest.split_whitespace().next());
    holds("a number", number(soft)? > 0)
}

fn processors() -> Verdict {
    let online = read("/sys/devices/system/cpu/online")?;
    let first = online.trim().split(['-', ',']).next();
    same("from the first", number(first)?, 0)?;
    holds(
        "possible",
        !read("/sys/devices/system/cpu/possible")?.is_empty(),
    )?;
    let names = io("/sys", fs::read_dir("/sys/devices/system"))?;
    holds(
        "listed",
        names.flatten().any(|name| name.file_name() == "cpu"),
    )
}

fn whose_they_are() -> Verdict {
    let owner = |path: &str| io("stat", fs::metadata(path)).map(|facts| facts.uid());
    same("root's", owner("/proc/self/stat")?, 0)?;
    same("the machine's", owner("/proc/meminfo")?, 0)?;
    let facts = io("stat", fs::symlink_metadata("/proc/self/fd"))?;
    same("closed to others", facts.mode() & 0o777, 0o500)
}

fn threads() -> Verdict {
    let names = io("task", fs::read_dir("/proc/self/task"))?;
    let names: Vec<_> = names.flatten().map(|name| name.file_name()).collect();
    same("one", names, vec![sys::getpid().to_string().into()])
}
