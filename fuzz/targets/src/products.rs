//! The project's own files: declarations of sources, texts of the catalogue, atlas files.

use std::net::IpAddr;

use octroi_geo_db::source::Declaration;
use octroi_geo_db::{Atlas, Catalogue};

const FILE: &str = "fuzz.input";

/// A declaration of sources.
///
/// # Panics
/// When a promise is broken.
pub fn declaration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Declaration::parse(FILE, text) {
        Ok(declaration) => {
            for source in &declaration.sources {
                assert!(!source.id.is_empty() && source.max_bytes > 0);
                assert!(!source.id.contains('/'), "an id is a name of a file");
            }
        }
        Err(error) => assert!(error.to_string().contains(FILE), "{error}"),
    }
}

/// A text of the catalogue.
///
/// # Panics
/// When a promise is broken.
pub fn catalogue(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = Catalogue::from_texts(&[(FILE, text)]) {
        assert!(!error.problems.is_empty());
    }
}

/// An atlas file.
///
/// # Panics
/// When a promise is broken.
pub fn atlas(data: &[u8]) {
    match Atlas::from_bytes(FILE, data.to_vec()) {
        Ok(atlas) => {
            for address in [
                IpAddr::from([1, 0, 0, 1]),
                IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
            ] {
                let class = atlas.class_of(address);
                assert!(usize::from(class) < atlas.profiles().len(), "no such class");
                let dossier = atlas.dossier(address);
                assert_eq!(dossier.class, class, "another class in the dossier");
            }
        }
        Err(error) => assert!(error.to_string().contains(FILE), "{error}"),
    }
}
