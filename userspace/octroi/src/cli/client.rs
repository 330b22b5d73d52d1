//! Talking with the daemon: connect, ask, print.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use octroi_api::{Client, ClientOptions};

use super::TuiArguments;

/// Connects to the daemon and does something with the connection.
pub(super) fn converse<T>(
    socket: &Path,
    work: impl AsyncFnOnce(&mut Client) -> Result<T>,
) -> Result<T> {
    runtime()?.block_on(async {
        let name = concat!("octroi ", env!("CARGO_PKG_VERSION"));
        let mut client = Client::connect(&ClientOptions::new(socket, name)).await?;
        work(&mut client).await
    })
}

/// Opens the dashboard.
pub(super) fn tui(arguments: TuiArguments) -> Result<ExitCode> {
    let options = octroi_tui::Options {
        socket: arguments.socket,
        plain: arguments.plain,
        ascii: arguments.ascii,
        no_color: arguments.no_color,
        filter: arguments.filter,
        no_mouse: arguments.no_mouse,
    };
    runtime()?.block_on(octroi_tui::run(options))?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")
}
