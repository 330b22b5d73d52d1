//! The evidence behind an atlas: its layers, read when they are first asked for, and what the
//! catalogue makes of them.

use std::sync::{Arc, OnceLock};

use super::container::Container;
use super::error::AtlasError;
use super::facts::Facts;
use super::file;
use super::layers::{AtlasMeta, Layers, OverrideEntry};
use super::regions::Regions;
use crate::catalogue::Catalogue;

/// Where layers come from.
struct Source {
    /// `None`: the layers were made in memory and are there from the start.
    container: Option<Container>,
    head: file::Head,
    regions: Arc<Regions>,
    /// What is wrong is kept as text: an error is told as often as it is asked for.
    layers: OnceLock<Result<Layers, String>>,
}

/// The layers of one atlas, shared by all atlases over the same data, and their facts by one
/// catalogue.
pub(crate) struct Evidence {
    source: Arc<Source>,
    facts: OnceLock<Result<Facts, String>>,
}

impl Evidence {
    pub(crate) fn of_layers(layers: Layers, regions: Arc<Regions>) -> Self {
        let head = file::Head {
            meta: layers.meta.clone(),
            overrides: layers.overrides.clone(),
        };
        Self {
            source: Arc::new(Source {
                container: None,
                head,
                regions,
                layers: OnceLock::from(Ok(layers)),
            }),
            facts: OnceLock::new(),
        }
    }

    /// # Errors
    /// When the head of the file is damaged.
    pub(crate) fn of_file(container: Container, regions: Arc<Regions>) -> Result<Self, AtlasError> {
        Ok(Self {
            source: Arc::new(Source {
                head: file::read_head(&container)?,
                container: Some(container),
                regions,
                layers: OnceLock::new(),
            }),
            facts: OnceLock::new(),
        })
    }

    /// The same layers for another catalogue.
    pub(crate) fn shared(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            facts: OnceLock::new(),
        }
    }

    pub(crate) fn meta(&self) -> &AtlasMeta {
        &self.source.head.meta
    }

    pub(crate) fn overrides(&self) -> &[OverrideEntry] {
        &self.source.head.overrides
    }

    pub(crate) fn regions(&self) -> &Arc<Regions> {
        &self.source.regions
    }

    pub(crate) fn container(&self) -> Option<&Container> {
        self.source.container.as_ref()
    }

    pub(crate) fn file(&self) -> &str {
        self.container().map_or("(in memory)", Container::file)
    }

    /// The layers and what `catalogue` makes of them; it must be the same one at every call.
    ///
    /// # Errors
    /// When the layers cannot be read, or an override names what the catalogue does not hold.
    pub(crate) fn read(&self, catalogue: &Catalogue) -> Result<(&Layers, &Facts), AtlasError> {
        let source = &self.source;
        let layers = source.layers.get_or_init(|| match &source.container {
            Some(container) => Layers::read(container).map_err(|error| error.to_string()),
            None => Err("there are no layers".to_owned()),
        });
        let layers = layers.as_ref().map_err(|what| self.wrong(what))?;
        let facts = self.facts.get_or_init(|| {
            let regions = Arc::clone(&source.regions);
            Facts::new(layers, catalogue, regions).map_err(|error| error.to_string())
        });
        let facts = facts.as_ref().map_err(|what| self.wrong(what))?;
        Ok((layers, facts))
    }

    fn wrong(&self, what: &str) -> AtlasError {
        AtlasError::Evidence {
            file: self.file().to_owned(),
            what: what.to_owned(),
        }
    }
}
