//! octroi-catalogue: reads the catalogue's texts from a directory, checks them, and tells a lawyer
//! what to look at again. `cargo xtask catalogue` runs it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Zoned;
use jiff::civil::Date;
use octroi_geo_db::{Atlas, Catalogue};

const USAGE: &str =
    "usage: octroi-catalogue <directory of the catalogue> [--json] [--today DAY] [--without-atlas]";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Arguments {
    directory: PathBuf,
    json: bool,
    today: Date,
    with_atlas: bool,
}

fn main() -> ExitCode {
    let result = arguments().and_then(|arguments| run(&arguments));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("octroi-catalogue: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Arguments> {
    let mut words = std::env::args().skip(1);
    let mut directory = None;
    let mut parsed = Arguments {
        directory: PathBuf::new(),
        json: false,
        today: Zoned::now().date(),
        with_atlas: true,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => parsed.json = true,
            "--without-atlas" => parsed.with_atlas = false,
            "--today" => {
                let day = words
                    .next()
                    .ok_or("--today needs a day such as 2026-11-22")?;
                let wrong = |_| format!("\"{day}\" is not a day: write it as 2026-11-22");
                parsed.today = day.parse().map_err(wrong)?;
            }
            _ if !word.starts_with('-') && directory.is_none() => directory = Some(word),
            _ => return Err(format!("\"{word}\" is not understood\n{USAGE}").into()),
        }
    }
    parsed.directory = PathBuf::from(directory.ok_or(USAGE)?);
    Ok(parsed)
}

/// Prints the review; `false` when it holds errors.
fn run(arguments: &Arguments) -> Result<bool> {
    let files = texts(&arguments.directory)?;
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let catalogue = Catalogue::from_texts(&files)?;
    let atlas = arguments.with_atlas.then(Atlas::embedded).transpose()?;
    let announced = |asn| {
        let atlas = atlas.as_ref();
        atlas.is_none_or(|atlas| !atlas.prefixes_of_asn(asn).is_empty())
    };
    let review = catalogue.review(
        arguments.today,
        &files,
        arguments
            .with_atlas
            .then_some(&announced as &dyn Fn(u32) -> bool),
    );
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&review)?);
    } else {
        println!("{review}");
    }
    Ok(review.errors() == 0)
}

/// Names and texts of the TOML files of a directory, in the order of their names.
fn texts(directory: &Path) -> Result<Vec<(String, String)>> {
    let unreadable = |path: &Path, error| format!("cannot read {}: {error}", path.display());
    let entries = std::fs::read_dir(directory).map_err(|error| unreadable(directory, error))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.push((path.display().to_string(), text));
        }
    }
    if files.is_empty() {
        return Err(format!("no .toml file in {}", directory.display()).into());
    }
    files.sort();
    Ok(files)
}
