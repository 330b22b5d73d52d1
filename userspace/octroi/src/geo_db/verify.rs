//! `octroi geo-db verify`: is this file an atlas that the daemon would take?

use std::process::ExitCode;

use anyhow::Result;
use octroi_geo_db::guard::coverage;
use serde_json::json;

use super::arguments::VerifyArguments;
use super::signature::{read_key, signature_path};
use crate::judge::day_of_law;

/// Checks a file; every check that it passed is a line.
pub(super) fn run(arguments: &VerifyArguments) -> Result<ExitCode> {
    let key = arguments.public_key.as_deref().map(read_key).transpose()?;
    let (atlas, opened) = super::open_signed(&arguments.file, key.as_ref(), day_of_law())?;
    atlas.verify()?;
    drop(atlas.kernel_tables()?);
    let known = coverage(&atlas);
    let meta = atlas.meta();
    let file = arguments.file.display();
    if arguments.json {
        let found = json!({
            "file": file.to_string(),
            "bytes": opened.bytes,
            "version": meta.version,
            "built": meta.built,
            "sources": meta.sources.len(),
            "classes": atlas.profiles().len(),
            "known": known,
            "fits_the_kernel": true,
            "signature": opened.signed,
        });
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "file       {file}: {} bytes, format and checksum hold",
        opened.bytes
    );
    println!(
        "contents   version {}, data of {}, {} sources, {} classes",
        meta.version,
        meta.built,
        meta.sources.len(),
        atlas.profiles().len()
    );
    println!(
        "coverage   {} IPv4 addresses, {} IPv6 /64 networks",
        known.v4_addresses, known.v6_networks_64
    );
    println!("evidence   joined anew, it gives the same tables");
    println!("kernel     its tables have room for it");
    let signature = signature_path(&arguments.file);
    println!(
        "signature  {}",
        match (&opened.signed, signature.exists()) {
            (Some(comment), _) => format!("holds: {comment}"),
            (None, true) => format!(
                "{} is there; give --public-key to verify it",
                signature.display()
            ),
            (None, false) => "none".to_owned(),
        }
    );
    Ok(ExitCode::SUCCESS)
}
