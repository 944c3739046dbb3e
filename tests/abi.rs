//! docs/abi.md is made from the kernel's table of system calls, and this is what keeps it true.
//!
//! After a change to the table: `LODGER_BLESS=1 cargo test -p tests --test abi` writes the page anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use abi::Sysno;

const TABLE: &str = "kernel/src/syscall/table.rs";
const PAGE: &str = "docs/abi.md";

const HEAD: &str = "\
# System calls

Lodger speaks Linux's x86-64 system-call interface. This page is made from
[the kernel's table](../kernel/src/syscall/table.rs) by [a test](../tests/abi.rs) that fails when the two differ.
What a call does not support it refuses with an error; what is not in the table is answered with `ENOSYS`.
";

/// A call of the table: its number, name and what is not as on Linux.
type Calls = BTreeMap<i32, (String, String)>;

/// Reads the lines `name => handler, \"note\";` of the table.
fn calls(source: &str) -> Calls {
    let body = source
        .split_once("\ntable! {")
        .expect("the file has a table")
        .1;
    let entries = body
        .split_once("\n}")
        .expect("the table ends")
        .0
        .split(";\n");
    entries
        .filter(|entry| !entry.trim().is_empty())
        .map(call)
        .collect()
}

fn call(entry: &str) -> (i32, (String, String)) {
    let (name, rest) = entry
        .split_once("=>")
        .unwrap_or_else(|| panic!("not a line of the table: {entry}"));
    let name = name.trim();
    let note = rest.split('"').nth(1).expect("a call has a note");
    let call = Sysno::from_str(name).unwrap_or_else(|()| panic!("no call is named {name}"));
    (call.id(), (name.to_owned(), note.to_owned()))
}

fn page(calls: &Calls) -> String {
    let (partial, whole): (Vec<_>, Vec<_>) =
        calls.iter().partition(|(_, (_, note))| !note.is_empty());
    let absent = Sysno::iter().filter(|call| !calls.contains_key(&call.id()));
    let absent: Vec<String> = absent.map(|call| format!("`{}`", call.name())).collect();
    let mut page = format!("{HEAD}\n## Whole: {}\n\n", whole.len());
    let names: Vec<String> = whole
        .iter()
        .map(|(_, (name, _))| format!("`{name}`"))
        .collect();
    page += &format!(
        "{}\n\n## With a difference: {}\n\n",
        names.join(" · "),
        partial.len()
    );
    page += "| number | call | what is not as on Linux |\n|--:|---|---|\n";
    for (number, (name, note)) in &partial {
        page += &format!("| {number} | `{name}` | {} |\n", note.replace('|', "\\|"));
    }
    page + &format!("\n## Absent: {}\n\n{}\n", absent.len(), absent.join(" · "))
}

#[test]
fn the_page_of_system_calls_tells_what_the_table_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the project");
    let table = fs::read_to_string(root.join(TABLE)).expect("the table is there");
    let calls = calls(&table);
    assert!(calls.len() > 50, "only {} calls were found", calls.len());
    let page = page(&calls);
    if std::env::var_os("LODGER_BLESS").is_some() {
        fs::write(root.join(PAGE), &page).expect("the page can be written");
    }
    let written = fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    assert!(
        written == page,
        "{PAGE} is not what {TABLE} says: run `LODGER_BLESS=1 cargo test -p tests --test abi`"
    );
}
