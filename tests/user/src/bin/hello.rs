//! The smallest Rust program: says hello, with its arguments if it has any.

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let name = if names.is_empty() {
        "Lodger".to_owned()
    } else {
        names.join(" ")
    };
    println!(
        "Hello, {name}! I am process {}, an ordinary Linux program written in Rust.",
        std::process::id()
    );
}
