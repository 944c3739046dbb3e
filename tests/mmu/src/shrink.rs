//! Making a program that fails shorter: the machine is used once, so each try is a process.

use std::process::{Command, Stdio};

/// Returns the numbers of the fewest steps found with which `mmu run` still fails; none if it does
/// not fail in a process of its own.
///
/// `arguments` are those of the run that failed, the seed among them.
///
/// # Panics
/// If this program cannot be started again.
pub fn shrink(arguments: &[String], steps: Vec<usize>) -> Option<Vec<usize>> {
    let mut kept = steps;
    if !fails(arguments, &kept) {
        return None;
    }
    let mut piece = kept.len().div_ceil(2);
    loop {
        let mut at = 0;
        let mut progress = false;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + piece).min(kept.len()));
            if !fewer.is_empty() && fails(arguments, &fewer) {
                kept = fewer;
                progress = true;
            } else {
                at += piece;
            }
        }
        match piece {
            1 if !progress => return Some(kept),
            1 => {}
            _ => piece = piece.div_ceil(2),
        }
    }
}

fn fails(arguments: &[String], steps: &[usize]) -> bool {
    let list: Vec<String> = steps.iter().map(usize::to_string).collect();
    let status = Command::new(std::env::current_exe().expect("this program has a name"))
        .args(arguments)
        .args(["--programs", "1", "--keep", &list.join(",")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("this program can be started again");
    !status.success()
}
