//! What operations cost in instructions: no more than on Linux, no more than docs/costs.md says, and the same however much is mapped.
//!
//! After a change that was meant: `LODGER_BLESS=1 ./x test --test cost` writes the figures into the page anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use harness::{Outcome, Vm};

/// By how much a figure may be above the one on the page, in percent.
const TOLERANCE: f64 = 10.0;

/// Instructions per operation, by row.
type Figures = BTreeMap<String, f64>;

/// Measures all rows of the operations, or of the growth.
fn measure(args: &[&str]) -> (Outcome, Figures) {
    let vm = Vm::new().icount().memory("1G").timeout(240);
    let vm = vm.qemu_arg("-cpu").qemu_arg("qemu64,+rdrand");
    let vm = vm.cmdline("kstatd=0").init("cost", args);
    let outcome = vm.boot();
    outcome.expect_pass();
    let lines = outcome.program_output();
    let figure = |line: &&str| {
        let (row, figure) = line.split_once(' ')?;
        Some((row.to_owned(), figure.trim().parse().ok()?))
    };
    let figures = lines.iter().filter_map(figure).collect();
    (outcome, figures)
}

fn path() -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.with_file_name("docs").join("costs.md")
}

/// Returns the cells of a table's line, if it is one that begins with the name of a row.
fn cells(line: &str) -> Option<Vec<&str>> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let name = cells.get(1)?;
    let is_row = !name.is_empty() && *name != "row" && !name.starts_with('-');
    is_row.then_some(cells)
}

fn number(cell: &str) -> f64 {
    let digits = cell.replace(',', "");
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{cell} is no number"))
}

fn with_commas(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Compares the last column of the table below `heading` with what `measured` gives for its row, or writes it
/// where the page is to be blessed. `measured` fails where a row is worse than it may be.
fn compare(heading: &str, outcome: &Outcome, measured: impl Fn(&[&str]) -> String) {
    let page = fs::read_to_string(path()).expect("the page is there");
    let (before, rest) = page.split_once(heading).expect("the page has the heading");
    let (table, after) = rest
        .split_once("\n## ")
        .map_or((rest, None), |(table, after)| (table, Some(after)));
    let bless = std::env::var_os("LODGER_BLESS").is_some();
    let mut stale = Vec::new();
    let mut rows = 0;
    let mut written = String::new();
    for line in table.split_inclusive('\n') {
        let Some(cells) = cells(line) else {
            written += line;
            continue;
        };
        rows += 1;
        let (new, old) = (measured(&cells), cells[cells.len() - 2]);
        let dearer = number(&new) > number(old) * (100.0 + TOLERANCE) / 100.0;
        if dearer {
            stale.push(format!("{}: {old} on the page, {new} measured", cells[1]));
        }
        let kept = &cells[1..cells.len() - 2];
        written += &format!("| {} | {new} |\n", kept.join(" | "));
    }
    assert!(rows >= 5, "only {rows} rows are on the page");
    if bless {
        let after = after.map_or_else(String::new, |after| format!("\n## {after}"));
        fs::write(path(), format!("{before}{heading}{written}{after}"))
            .expect("the page can be written");
    } else if !stale.is_empty() {
        outcome.fail(&format!(
            "dearer than docs/costs.md says (LODGER_BLESS=1 writes it anew):\n{}",
            stale.join("\n")
        ));
    }
}

/// Returns the figure of `row`, which must have been measured.
fn figure(figures: &Figures, outcome: &Outcome, row: &str) -> f64 {
    let found = figures.get(row);
    *found.unwrap_or_else(|| outcome.fail(&format!("{row} was not measured")))
}

/// One test for both tables, since both are written to the same page.
#[test]
fn operations_cost_no_more_than_on_linux_and_growth_costs_nothing() {
    let (outcome, figures) = measure(&[]);
    compare("\n## Operations\n", &outcome, |cells| {
        let lodger = figure(&figures, &outcome, cells[1]);
        if lodger > number(cells[3]) {
            outcome.fail(&format!("{}: {lodger}, on Linux {}", cells[1], cells[3]));
        }
        with_commas(lodger)
    });
    let (outcome, figures) = measure(&["growth"]);
    compare("\n## Growth\n", &outcome, |cells| {
        let of = |row| figure(&figures, &outcome, row);
        let quotient = of(cells[1]) / of(cells[2]);
        if !(number(cells[3])..=number(cells[4])).contains(&quotient) {
            outcome.fail(&format!(
                "{} is {quotient:.2} times {}: {figures:?}",
                cells[1], cells[2]
            ));
        }
        format!("{quotient:.2}")
    });
}
