//! The dashboard alone, for development and for the tests in a pseudo-terminal:
//! `cargo run -p octroi-tui --example dashboard -- <socket> [--plain] [--ascii] [--no-color]`.

use std::process::ExitCode;
use std::time::Duration;

use octroi_tui::Options;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(socket) = arguments.next() else {
        eprintln!("usage: dashboard <socket> [--plain] [--ascii] [--no-color] [--no-mouse]");
        return ExitCode::from(2);
    };
    let mut options = Options::new(socket);
    for argument in arguments {
        match argument.as_str() {
            "--plain" => options.plain = true,
            "--ascii" => options.ascii = true,
            "--no-color" => options.no_color = true,
            "--no-mouse" => options.no_mouse = true,
            // For the test that a panic gives the terminal back.
            panic if panic.starts_with("--panic-after-ms=") => {
                let wait = panic.rsplit('=').next().and_then(|ms| ms.parse().ok());
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(wait.unwrap_or(0)));
                    std::process::exit(std::panic::catch_unwind(fail).map_or(101, |()| 0));
                });
            }
            filter => options.filter = Some(filter.to_owned()),
        }
    }
    match octroi_tui::run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn fail() {
    panic!("panicked on purpose");
}
