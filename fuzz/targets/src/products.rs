//! The project's own files: declarations of sources, texts of the catalogue, atlas files.

use octroi_geo_db::source::Declaration;
use octroi_geo_db::{Catalogue, Layers};

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
    if let Err(error) = Layers::from_bytes(FILE, data) {
        assert!(error.to_string().contains(FILE), "{error}");
    }
}
