//! The servers of the lab's Internet; started by the lab inside its internet namespace.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use octroi_tests::internet::serve;
use octroi_tests::lab::World;

/// Serve DNS, HTTP, TLS and echo on every address of a world.
#[derive(Parser)]
struct Arguments {
    /// The world: hosts, addresses, names (TOML)
    #[arg(long)]
    world: PathBuf,
    /// Where to write the certificate of the authority that signs the servers (PEM)
    #[arg(long)]
    authority: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let file = arguments.world.display().to_string();
    let text =
        std::fs::read_to_string(&arguments.world).with_context(|| format!("cannot read {file}"))?;
    let world = World::parse(&text, &file)?;
    serve(world, &arguments.authority, || println!("ready")).await?;
    Ok(())
}
