//! The sections of an atlas file: what is written where, and how it is read back and checked.

use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::codec::{Cutter, Writer, within};
use super::container::{self, Container, Section};
use super::error::AtlasError;
use super::joined::Stored;
use super::layers::{
    AtlasMeta, FIRST_COUNTRY, Family, Layer, Layers, ListTexts, ListedPrefix, ListedService,
    OverrideEntry, Systems,
};
use super::prefix::PrefixSet;
use super::range::Address;
use super::regions::Regions;
use crate::catalogue::Catalogue;
use crate::profile::CountryCode;

/// The small things that are needed to open an atlas.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) meta: AtlasMeta,
    pub(crate) overrides: Vec<OverrideEntry>,
}

/// The small things that only the evidence needs.
#[derive(Serialize, Deserialize)]
struct Texts<'a> {
    countries: Cow<'a, [CountryCode]>,
    lists: Cow<'a, ListTexts>,
}

/// How many there are of what layers refer to.
#[derive(Clone, Copy)]
struct Counts {
    sources: usize,
    countries: usize,
    systems: usize,
}

impl Layers {
    /// The bytes of an atlas file: these layers and their join with a catalogue, so that a program
    /// with the same catalogue opens it without joining. Equal layers and catalogues give equal
    /// bytes.
    ///
    /// # Errors
    /// When the layers cannot be joined with the catalogue, or compression fails.
    pub fn to_bytes(&self, catalogue: &Catalogue) -> Result<Vec<u8>, AtlasError> {
        let stored = Stored::new(self, catalogue, &Regions::embedded()?)?;
        let failed = |error: serde_json::Error| AtlasError::Damaged {
            file: "(new)".to_owned(),
            what: error.to_string(),
        };
        let head = Head {
            meta: self.meta.clone(),
            overrides: self.overrides.clone(),
        };
        let [texts, systems, v4, v6] = self.evidence().map_err(failed)?;
        container::write(&[
            serde_json::to_vec(&head).map_err(failed)?,
            stored.head()?,
            stored.v4()?,
            stored.v6()?,
            texts,
            systems,
            v4,
            v6,
        ])
    }

    /// The plain sections of the evidence.
    pub(crate) fn evidence(&self) -> Result<[Vec<u8>; 4], serde_json::Error> {
        let texts = Texts {
            countries: Cow::Borrowed(&self.countries),
            lists: Cow::Borrowed(&self.texts),
        };
        let mut systems = Writer::default();
        write_systems(&mut systems, &self.systems);
        let mut v4 = Writer::default();
        write_family(&mut v4, &self.v4);
        let mut v6 = Writer::default();
        write_family(&mut v6, &self.v6);
        Ok([
            serde_json::to_vec(&texts)?,
            systems.bytes,
            v4.bytes,
            v6.bytes,
        ])
    }

    /// Reads the layers of the atlas file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is no atlas, is of another format, or damaged.
    pub fn open(path: &Path) -> Result<Self, AtlasError> {
        Self::read(&open(path)?)
    }

    /// Reads the layers in the bytes of the atlas `file`.
    ///
    /// # Errors
    /// When it is no atlas, is of another format, or damaged.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, AtlasError> {
        Self::read(&Container::new(file, Cow::Owned(bytes.to_vec()))?)
    }

    pub(crate) fn read(container: &Container) -> Result<Self, AtlasError> {
        let head = read_head(container)?;
        let texts = container.read(Section::Texts, |plain| {
            serde_json::from_slice::<Texts<'_>>(plain).map_err(|error| error.to_string())
        })?;
        let (countries, lists) = (texts.countries.into_owned(), texts.lists.into_owned());
        let highest_country = countries.len() + usize::from(FIRST_COUNTRY) - 1;
        let systems = container.read(Section::Systems, |plain| {
            let systems = read_systems(plain)?;
            within(&systems.countries, highest_country, "country")?;
            Ok(systems)
        })?;
        let counts = Counts {
            sources: head.meta.sources.len(),
            countries: highest_country,
            systems: systems.numbers.len(),
        };
        // The families are independent: read them side by side.
        let (v4, v6) = std::thread::scope(|scope| {
            let v6 = scope.spawn(|| {
                container.read(Section::LayersV6, |plain| {
                    read_family::<u128>(plain, counts, &lists)
                })
            });
            let v4 = container.read(Section::LayersV4, |plain| {
                read_family::<u32>(plain, counts, &lists)
            });
            let v6 = v6
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (v4, v6)
        });
        Ok(Self {
            meta: head.meta,
            overrides: head.overrides,
            countries,
            systems,
            texts: lists,
            v4: v4?,
            v6: v6?,
        })
    }
}

/// Reads the file at `path` and checks lengths and checksums.
pub(crate) fn open(path: &Path) -> Result<Container, AtlasError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| AtlasError::Io {
        file: file.clone(),
        operation: "cannot be read",
        source,
    })?;
    Container::new(&file, Cow::Owned(bytes))
}

pub(crate) fn read_head(container: &Container) -> Result<Head, AtlasError> {
    container.read(Section::Head, |plain| {
        let head: Head = serde_json::from_slice(plain).map_err(|error| error.to_string())?;
        let sources = head.meta.sources.len();
        match head
            .overrides
            .iter()
            .find(|entry| usize::from(entry.source) >= sources)
        {
            Some(entry) => Err(format!(
                "an override is of source {}, there are {sources}",
                entry.source
            )),
            None => Ok(head),
        }
    })
}

fn write_systems(writer: &mut Writer, systems: &Systems) {
    writer.addresses(systems.numbers.iter().copied());
    writer.column(&systems.countries);
    let mut previous = 0;
    let lengths: Vec<u32> = systems
        .name_ends
        .iter()
        .map(|end| {
            let length = end - previous;
            previous = *end;
            length
        })
        .collect();
    writer.column(&lengths);
    writer.bytes(systems.names.as_bytes());
}

fn read_systems(plain: &[u8]) -> Result<Systems, String> {
    let mut cutter = Cutter::new(plain);
    let numbers: Vec<u32> = cutter.addresses()?;
    let countries = cutter.column()?;
    let lengths: Vec<u32> = cutter.column()?;
    let names = std::str::from_utf8(cutter.bytes()?).map_err(|error| error.to_string())?;
    cutter.end()?;
    if countries.len() != numbers.len() || lengths.len() != numbers.len() {
        return Err("columns of different lengths".to_owned());
    }
    if !numbers.is_sorted_by(|a, b| a < b) {
        return Err("the numbers do not ascend".to_owned());
    }
    let mut end = 0_u32;
    let mut name_ends = Vec::with_capacity(lengths.len());
    for length in lengths {
        end = end.checked_add(length).ok_or("the names are too long")?;
        name_ends.push(end);
    }
    if end as usize != names.len() {
        return Err("the names do not fill their text".to_owned());
    }
    Ok(Systems {
        numbers,
        name_ends,
        names: names.to_owned(),
        countries,
    })
}

fn write_family<A: Address>(writer: &mut Writer, family: &Family<A>) {
    for layers in [
        &family.locations,
        &family.registrations,
        &family.system_countries,
    ] {
        write_layers(writer, layers);
    }
    write_layers(writer, &family.systems);
    writer.prefixes(&family.listed);
    let listed = || family.listed.entries().iter().map(|entry| entry.item);
    writer.column(&listed().map(|item| item.source).collect::<Vec<_>>());
    writer.column(&listed().map(|item| item.provider).collect::<Vec<_>>());
    writer.column(&listed().map(|item| item.region).collect::<Vec<_>>());
    writer.column(&listed().map(|item| item.services).collect::<Vec<_>>());
    writer.column(&listed().map(|item| item.place).collect::<Vec<_>>());
    writer.prefixes(&family.services);
    let services = || family.services.entries().iter().map(|entry| entry.item);
    writer.column(&services().map(|item| item.source).collect::<Vec<_>>());
    writer.column(&services().map(|item| item.service).collect::<Vec<_>>());
}

fn write_layers<A, V>(writer: &mut Writer, layers: &[Layer<A, V>])
where
    A: Address,
    V: Copy + Eq + Default + Into<u128>,
{
    writer.length(layers.len());
    for layer in layers {
        writer.number(layer.source);
        writer.partition(&layer.said);
    }
}

fn read_family<A: Address>(
    plain: &[u8],
    counts: Counts,
    texts: &ListTexts,
) -> Result<Family<A>, String> {
    let mut cutter = Cutter::new(plain);
    let mut countries = || read_layers(&mut cutter, counts.sources, counts.countries, "country");
    let (locations, registrations, system_countries) = (countries()?, countries()?, countries()?);
    let systems = read_layers(&mut cutter, counts.sources, counts.systems, "system")?;
    let listed = read_listed(&mut cutter, counts, texts)?;
    let services = read_services(&mut cutter, counts, texts)?;
    cutter.end()?;
    Ok(Family {
        locations,
        registrations,
        systems,
        system_countries,
        listed,
        services,
    })
}

fn read_layers<A, V>(
    cutter: &mut Cutter<'_>,
    sources: usize,
    highest: usize,
    what: &str,
) -> Result<Vec<Layer<A, V>>, String>
where
    A: Address,
    V: Copy + Eq + Default + TryFrom<u64> + Into<u64>,
{
    let count = cutter.length()?;
    if count > sources {
        return Err(format!("{count} layers of {sources} sources"));
    }
    (0..count)
        .map(|_| {
            let source = cutter.below(sources, "source")?;
            let said = cutter.partition::<A, V>()?;
            within(said.values(), highest, what)?;
            Ok(Layer { source, said })
        })
        .collect()
}

const LENGTHS: &str = "listed prefixes have columns of different lengths";

fn read_listed<A: Address>(
    cutter: &mut Cutter<'_>,
    counts: Counts,
    texts: &ListTexts,
) -> Result<PrefixSet<A, ListedPrefix>, String> {
    let prefixes = cutter.prefixes::<A>()?;
    let sources = cutter.column_below::<u16>(counts.sources, "source")?;
    let providers = cutter.column_below::<u16>(texts.providers.len(), "provider")?;
    let regions = cutter.column_below::<u16>(texts.regions.len() + 1, "region")?;
    let services = cutter.column_below::<u32>(texts.service_sets.len(), "set of services")?;
    let places = cutter.column_below::<u16>(counts.countries + 1, "country")?;
    let length = prefixes.len();
    if [
        sources.len(),
        providers.len(),
        regions.len(),
        services.len(),
        places.len(),
    ] != [length; 5]
    {
        return Err(LENGTHS.to_owned());
    }
    let items = prefixes
        .into_iter()
        .enumerate()
        .map(|(index, (first, bits))| {
            let item = ListedPrefix {
                source: sources[index],
                provider: providers[index],
                region: regions[index],
                services: services[index],
                place: places[index],
            };
            (first, bits, item)
        });
    Ok(PrefixSet::new(items.collect()))
}

fn read_services<A: Address>(
    cutter: &mut Cutter<'_>,
    counts: Counts,
    texts: &ListTexts,
) -> Result<PrefixSet<A, ListedService>, String> {
    let prefixes = cutter.prefixes::<A>()?;
    let sources = cutter.column_below::<u16>(counts.sources, "source")?;
    let services = cutter.column_below::<u16>(texts.service_ids.len(), "service")?;
    if sources.len() != prefixes.len() || services.len() != prefixes.len() {
        return Err(LENGTHS.to_owned());
    }
    let items = sources.into_iter().zip(services);
    let items = prefixes.into_iter().zip(items);
    let items = items
        .map(|((first, bits), (source, service))| (first, bits, ListedService { source, service }));
    Ok(PrefixSet::new(items.collect()))
}
