//! A daemon that is not one: `cargo run -p octroi-tui --example fake_daemon -- <socket> [flows]`.

#[path = "../tests/dashboard/support/mod.rs"]
mod support;

use std::path::Path;

use support::fake::{Behaviour, Fake};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let socket = arguments
        .next()
        .unwrap_or_else(|| "octroi-fake.sock".to_owned());
    let flows = arguments
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(200);
    let _fake = Fake::start(Path::new(&socket), Behaviour { flows, live: true });
    println!("serving on {socket}; Enter ends");
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}
