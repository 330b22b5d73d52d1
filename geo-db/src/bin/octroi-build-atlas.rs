//! octroi-build-atlas: verified packages in, atlas file and NOTICE out. `cargo xtask atlas` runs it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Zoned;
use octroi_geo_db::build::{self, Manifest};
use octroi_geo_db::{Atlas, AtlasError, Catalogue};

const USAGE: &str =
    "usage: octroi-build-atlas <sources.toml> <directory of packages> <output directory>";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [manifest, packages, output] = &arguments[..] else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(manifest, packages, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("octroi-build-atlas: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(manifest_file: &Path, packages: &Path, output: &Path) -> Result<(), AtlasError> {
    let name = manifest_file.display().to_string();
    let text = std::fs::read_to_string(manifest_file).map_err(|source| AtlasError::Io {
        file: name.clone(),
        operation: "cannot be read",
        source,
    })?;
    let manifest = Manifest::parse(&name, &text)?;
    let layers = build::layers(&manifest, packages, Zoned::now().date())?;
    let bytes = layers.to_bytes()?;
    write(&output.join("atlas.bin"), &bytes)?;
    write(&output.join("NOTICE"), manifest.notice().as_bytes())?;

    let (ranges_v4, ranges_v6) = layers.meta.source_ranges();
    println!("atlas {}: {} bytes", layers.meta.version, bytes.len());
    for source in &layers.meta.sources {
        println!(
            "  {:20} {} {:>9} IPv4 {:>9} IPv6 ranges",
            source.id, source.date, source.ranges_v4, source.ranges_v6
        );
    }
    println!(
        "  {:31} {ranges_v4:>9} IPv4 {ranges_v6:>9} IPv6 ranges",
        "together"
    );
    // The file that was written is the one that must open and fit the kernel.
    let layers = octroi_geo_db::Layers::from_bytes("atlas.bin", &bytes)?;
    let atlas = Atlas::new(layers, Catalogue::embedded()?)?;
    let tables = atlas.kernel_tables()?;
    println!(
        "  {} classes, {} IPv4 and {} IPv6 pieces; kernel: {} overflow blocks, {} nodes",
        atlas.profiles().len(),
        atlas.classes_v4().len(),
        atlas.classes_v6().len(),
        tables.v4_overflow.len(),
        tables.v6_nodes.len()
    );
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), AtlasError> {
    std::fs::write(path, bytes).map_err(|source| AtlasError::Io {
        file: path.display().to_string(),
        operation: "cannot be written",
        source,
    })
}
