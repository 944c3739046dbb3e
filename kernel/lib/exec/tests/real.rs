//! Programs made by the system's own compiler, where there is one.

mod sound;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use exec::{Kind, plan};
use pte::Prot;

/// A compiled program that is deleted again.
struct Program(PathBuf);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Compiles a small program, or says that this machine cannot.
fn compile(name: &str, flags: &[&str]) -> Option<Program> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hello.c");
    let output = env::temp_dir().join(format!("{name}-{}", process::id()));
    let status = Command::new("cc")
        .args(flags)
        .arg(&source)
        .arg("-o")
        .arg(&output)
        .status();
    if status.is_ok_and(|status| status.success()) {
        return Some(Program(output));
    }
    eprintln!("no static C compiler here: nothing to check for {name}");
    None
}

fn check(program: &Program, kind: Kind) {
    let file = fs::read(&program.0).unwrap();
    let plan = plan(&file, file.len() as u64).unwrap();
    sound::assert_sound(&plan, file.len() as u64);
    assert_eq!(plan.kind, kind);
    assert!(plan.interpreter.is_none());
    assert!(plan.phdr.is_some());
    let entry = addr::VirtAddr::new(plan.entry).page();
    let text = plan
        .segments
        .iter()
        .find(|segment| segment.pages.contains(entry))
        .unwrap();
    assert!(text.prot.contains(Prot::EXEC) && !text.prot.contains(Prot::WRITE));
    let data = plan
        .segments
        .iter()
        .find(|segment| segment.prot.contains(Prot::WRITE))
        .unwrap();
    // The program has a megabyte of zeroes, which the file does not carry.
    assert!(data.anon_range().len() >= 256);
    assert!(file.len() < 0x10_0000 + (data.file_pages as usize) * 4096 + 0x10_0000);
}

#[test]
fn a_static_program_is_planned_at_its_own_address() {
    if let Some(program) = compile("lodger-exec-static", &["-static", "-no-pie"]) {
        check(&program, Kind::Fixed);
    }
}

#[test]
fn a_static_position_independent_program_is_planned_relative_to_its_base() {
    if let Some(program) = compile("lodger-exec-static-pie", &["-static-pie"]) {
        check(&program, Kind::Pie);
    }
}

#[test]
fn a_dynamic_program_names_its_interpreter() {
    let file = fs::read(env::current_exe().unwrap()).unwrap();
    let plan = plan(&file, file.len() as u64).unwrap();
    sound::assert_sound(&plan, file.len() as u64);
    if let Some(name) = plan.interpreter {
        assert!(name.starts_with(b"/"));
    }
}
