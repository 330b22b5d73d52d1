//! The dashboard alone, for development and for the tests in a pseudo-terminal:
//! `cargo run -p octroi-tui --example dashboard -- <socket> [--plain] [--ascii] [--no-color]`.

use std::process::ExitCode;

use octroi_tui::Options;

#[tokio::main]
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
