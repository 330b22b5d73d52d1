//! MMDB files of several publishers: the file's metadata says which fields to read.
//!
//! Country means location here. A *registered* country (`MaxMind`: where the registrar says the
//! network belongs) is another fact and is kept apart.

mod record;

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maxminddb::{LookupResult, Reader, WithinOptions};

use super::SourceError;
use super::draft::{Draft, Input, Row, Span};
use super::error::Spot;
use super::kind::Says;
use super::statements::{Spoken, Statements};
use crate::atlas::range::{Address, Range};

use self::record::Node;
use self::record::{Record, Schema};

/// Reads a file. The day is that of the metadata; the version is its `database_type` and day.
///
/// # Errors
/// When it is no MMDB file, is damaged, or has none of the fields that are understood.
pub fn read(input: Input<'_>, says: &[Says]) -> Result<Statements, SourceError> {
    let mmdb = Mmdb::from_bytes(input.file.to_owned(), input.bytes)?;
    let mut draft = Draft::new(input, says);
    if mmdb.schema.has_registered_country() {
        draft.registered_apart();
    }
    // Records are shared by many networks: decode each once.
    let mut decoded: HashMap<usize, Row, foldhash::fast::RandomState> = HashMap::default();
    mmdb.walk(|network, offset, found| {
        draft.row()?;
        let row = if let Some(row) = decoded.get(&offset) {
            *row
        } else {
            let record = mmdb.record(found)?;
            if let (Some(system), Some(name)) = (record.system, &record.organisation) {
                draft.name(system, name);
            }
            if let Some(what) = &record.wrong_code {
                draft.warn(&Spot::Whole, &format!("{network}: {what}"));
            }
            let row = Row {
                country: record.country,
                registered: record.registered_country,
                system_country: None,
                system: record.system,
                anycast: record.anycast,
            };
            decoded.insert(offset, row);
            row
        };
        if !row.says_nothing() {
            draft.say(Span::of_network(network), row);
        }
        Ok(true)
    })?;
    draft.said.date = mmdb.built();
    draft.said.version = Some(mmdb.database_type().chars().take(128).collect());
    let mut said = draft.finish()?;
    join_neighbours(&mut said.v4);
    join_neighbours(&mut said.v6);
    Ok(said)
}

/// The networks of a file do not overlap and stand in order: neighbours that say the same are one.
fn join_neighbours<A: Address>(spoken: &mut Spoken<A>) {
    join(&mut spoken.locations);
    join(&mut spoken.registrations);
    join(&mut spoken.systems);
    join(&mut spoken.system_countries);
}

fn join<A: Address, V: Copy + Eq>(ranges: &mut Vec<Range<A, V>>) {
    ranges.dedup_by(|next, range| {
        let joined = next.value == range.value && range.last.next() == Some(next.first);
        if joined {
            range.last = next.last;
        }
        joined
    });
    ranges.shrink_to_fit();
}

/// An MMDB file whose fields are understood.
struct Mmdb<S: AsRef<[u8]>> {
    file: String,
    reader: Reader<S>,
    schema: Schema,
}

impl<S: AsRef<[u8]>> Mmdb<S> {
    fn from_bytes(file: String, bytes: S) -> Result<Self, SourceError> {
        let reader = Reader::from_source(bytes).map_err(|source| SourceError::Mmdb {
            file: file.clone(),
            source: Box::new(source),
        })?;
        let mut mmdb = Self {
            file,
            reader,
            schema: Schema::MaxMind,
        };
        mmdb.schema = mmdb.choose_schema()?;
        Ok(mmdb)
    }

    /// The metadata's own name of its contents.
    fn database_type(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// The day the file was built; some publishers leave it out.
    fn built(&self) -> Option<Date> {
        let seconds = i64::try_from(self.reader.metadata().build_epoch).ok()?;
        let timestamp = Timestamp::from_second(seconds).ok()?;
        let date = timestamp.to_zoned(TimeZone::UTC).date();
        (date.year() > 2000).then_some(date)
    }

    fn broken(&self, source: maxminddb::MaxMindDbError) -> SourceError {
        SourceError::Mmdb {
            file: self.file.clone(),
            source: Box::new(source),
        }
    }

    fn node(&self, found: &LookupResult<'_, S>) -> Result<Node, SourceError> {
        let node = found.decode().map_err(|source| self.broken(source))?;
        Ok(node.unwrap_or(Node::Other))
    }

    fn record(&self, found: &LookupResult<'_, S>) -> Result<Record, SourceError> {
        Ok(Record::from_node(&self.node(found)?, self.schema))
    }

    /// The schema named by the metadata when the first records bear it out, else the first whose
    /// fields they have.
    fn choose_schema(&self) -> Result<Schema, SourceError> {
        const PROBED_RECORDS: usize = 64;
        let mut samples = Vec::new();
        let mut seen = BTreeSet::new();
        let mut fields = BTreeSet::new();
        self.walk(|_, offset, found| {
            if seen.insert(offset) {
                samples.push(self.node(found)?);
                if fields.is_empty() {
                    // Not every record is a map; the names serve a message only.
                    let names = found.decode::<HashMap<String, Node>>();
                    fields.extend(
                        names
                            .ok()
                            .flatten()
                            .into_iter()
                            .flatten()
                            .map(|(name, _)| name),
                    );
                }
            }
            Ok(samples.len() < PROBED_RECORDS)
        })?;
        let fits = |schema: &Schema| {
            samples
                .iter()
                .any(|sample| !Record::from_node(sample, *schema).says_nothing())
        };
        let named = Schema::of_type(self.database_type());
        let unknown = || SourceError::UnknownSchema {
            file: self.file.clone(),
            database_type: super::toml_fields::shown(self.database_type()),
            fields: if fields.is_empty() {
                "nothing".to_owned()
            } else {
                let shown = fields
                    .iter()
                    .take(20)
                    .map(|name| super::toml_fields::shown(name));
                shown.collect::<Vec<_>>().join(", ")
            },
        };
        match named {
            Some(schema) if samples.is_empty() => Ok(schema),
            _ => named
                .into_iter()
                .chain(Schema::ALL)
                .find(fits)
                .ok_or_else(unknown),
        }
    }

    /// Visits network, offset of the record and the record itself, until `visit` says false.
    fn walk(
        &self,
        mut visit: impl FnMut(IpNet, usize, &LookupResult<'_, S>) -> Result<bool, SourceError>,
    ) -> Result<(), SourceError> {
        let broken = |source| self.broken(source);
        // A tree of n nodes has n + 1 ends. A damaged one can lead back into itself.
        let limit = self.reader.metadata().node_count as usize * 2 + 2;
        let options = WithinOptions::default().include_networks_without_data();
        for (count, found) in self.reader.networks(options).map_err(broken)?.enumerate() {
            if count >= limit {
                return Err(SourceError::MmdbTree {
                    file: self.file.clone(),
                    limit,
                });
            }
            let found = found.map_err(broken)?;
            let Some(offset) = found.offset() else {
                continue;
            };
            let network = found.network().map_err(broken)?;
            let Ok(network) = IpNet::new(network.ip(), network.prefix()) else {
                continue;
            };
            if !visit(network, offset, &found)? {
                break;
            }
        }
        Ok(())
    }
}
