//! octroi-build-atlas: verified packages in, atlas file and NOTICE out. `cargo xtask atlas` runs it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::civil::Date;
use octroi_geo_db::build::{assemble, newest};
use octroi_geo_db::source::{Declaration, Places, load};
use octroi_geo_db::{Atlas, AtlasError, Catalogue, Layers};

const USAGE: &str =
    "usage: octroi-build-atlas <sources.toml> <directory of packages> <output directory>
       octroi-build-atlas --rejoin <output directory>";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let done = match &arguments[..] {
        [flag, output] if flag.as_os_str() == "--rejoin" => rejoin(output),
        [declaration, packages, output] => build(declaration, packages, output),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("octroi-build-atlas: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(declaration_file: &Path, packages: &Path, output: &Path) -> Result<(), AtlasError> {
    let name = declaration_file.display().to_string();
    let text = std::fs::read_to_string(declaration_file).map_err(|source| AtlasError::Io {
        file: name.clone(),
        operation: "cannot be read",
        source,
    })?;
    let declaration = Declaration::parse(&name, &text)?;
    let mut places = Places::all_in(packages);
    if let Some(directory) = declaration_file.parent() {
        directory.clone_into(&mut places.declaration);
    }
    let sources = load(&declaration, &places)?;
    for warning in sources.iter().flat_map(|(_, said)| &said.warnings) {
        eprintln!("octroi-build-atlas: {warning}");
    }
    let built = newest(&sources).unwrap_or(Date::ZERO);
    let layers = assemble(sources, built)?;
    write(&output.join("NOTICE"), declaration.notice().as_bytes())?;
    save(&layers, output)
}

/// Joins the layers of an atlas with the catalogue as it is now: what a corrected fact needs.
fn rejoin(output: &Path) -> Result<(), AtlasError> {
    save(&Layers::open(&output.join("atlas.bin"))?, output)
}

fn save(layers: &Layers, output: &Path) -> Result<(), AtlasError> {
    let catalogue = Catalogue::embedded()?;
    let bytes = layers.to_bytes(&catalogue)?;
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
    // The bytes that are written are the ones that must open, agree and fit the kernel.
    let atlas = Atlas::from_bytes("atlas.bin", bytes.clone())?;
    atlas.verify()?;
    let tables = atlas.kernel_tables()?;
    println!(
        "  {} classes, {} IPv4 and {} IPv6 pieces; kernel: {} nodes",
        atlas.profiles().len(),
        atlas.classes_v4().len(),
        atlas.classes_v6().len(),
        tables.nodes.len()
    );
    write(&output.join("atlas.bin"), &bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), AtlasError> {
    std::fs::write(path, bytes).map_err(|source| AtlasError::Io {
        file: path.display().to_string(),
        operation: "cannot be written",
        source,
    })
}
