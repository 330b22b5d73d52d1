//! MMDB files of several publishers: the file's metadata says which fields to read.
//!
//! Country means location here. A *registered* country (`MaxMind`: where the registrar says the
//! network belongs) is another fact and is kept apart.

use std::path::Path;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maxminddb::{Reader, WithinOptions};
use serde_json::Value;

use super::SourceError;
use crate::atlas::range::{Address, Range, bounds};
use crate::profile::CountryCode;

/// Which publisher's field names a file uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// `MaxMind` `GeoLite2` and `GeoIP2`, and DB-IP's own files, which copy their field names.
    MaxMind,
    /// `IPinfo`: flat, `country_code` or `country`, `asn` as "AS15169".
    IpInfo,
    /// ip-location-db: flat, `country_code`, `autonomous_system_number`.
    IpLocationDb,
}

/// Where a schema keeps its fields: paths to try in order.
struct Fields {
    country: &'static [&'static [&'static str]],
    registered_country: &'static [&'static [&'static str]],
    system: &'static [&'static [&'static str]],
    organisation: &'static [&'static [&'static str]],
}

impl Schema {
    const ALL: [Self; 3] = [Self::MaxMind, Self::IpInfo, Self::IpLocationDb];

    const fn fields(self) -> Fields {
        match self {
            Self::MaxMind => Fields {
                country: &[&["country", "iso_code"]],
                registered_country: &[&["registered_country", "iso_code"]],
                system: &[&["autonomous_system_number"]],
                organisation: &[&["autonomous_system_organization"]],
            },
            Self::IpInfo => Fields {
                country: &[&["country_code"], &["country"]],
                registered_country: &[],
                system: &[&["asn"]],
                organisation: &[&["as_name"], &["name"]],
            },
            Self::IpLocationDb => Fields {
                country: &[&["country_code"]],
                registered_country: &[],
                system: &[&["autonomous_system_number"]],
                organisation: &[&["autonomous_system_organization"]],
            },
        }
    }

    /// By the metadata's `database_type`, when it names a publisher.
    fn of_type(database_type: &str) -> Option<Self> {
        let text = database_type.to_ascii_lowercase();
        // ip-location-db names its files "country ipv4", "asn ipv6" and so on.
        if ["ip-location-db", "country ipv", "asn ipv"]
            .iter()
            .any(|name| text.starts_with(name))
        {
            Some(Self::IpLocationDb)
        } else if text.contains("ipinfo") {
            Some(Self::IpInfo)
        } else if ["geolite2", "geoip2", "dbip", "db-ip"]
            .iter()
            .any(|name| text.starts_with(name))
        {
            Some(Self::MaxMind)
        } else {
            None
        }
    }
}

/// What a file says of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where the network is used.
    pub country: Option<CountryCode>,
    /// Where it is registered: not a location.
    pub registered_country: Option<CountryCode>,
    /// Number of the announcing AS.
    pub system: Option<u32>,
    /// Name of the organisation behind it.
    pub organisation: Option<String>,
}

impl Record {
    fn from_value(value: &Value, schema: Schema) -> Self {
        let fields = schema.fields();
        let country = |paths| text(value, paths).and_then(|code| code.parse().ok());
        Self {
            country: country(fields.country),
            registered_country: country(fields.registered_country),
            system: find(value, fields.system).and_then(|found| match found {
                Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
                Value::String(text) => text.trim_start_matches("AS").parse().ok(),
                _ => None,
            }),
            organisation: text(value, fields.organisation)
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
        }
    }

    fn says_nothing(&self) -> bool {
        *self == Self::default()
    }
}

fn find<'a>(value: &'a Value, paths: &[&[&str]]) -> Option<&'a Value> {
    paths.iter().find_map(|path| {
        path.iter()
            .try_fold(value, |value, key| value.get(key))
            .filter(|found| !found.is_null())
    })
}

fn text<'a>(value: &'a Value, paths: &[&[&str]]) -> Option<&'a str> {
    find(value, paths).and_then(Value::as_str)
}

/// An MMDB file whose fields are understood.
pub struct Mmdb {
    file: String,
    reader: Reader<Vec<u8>>,
    schema: Schema,
}

impl Mmdb {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, is no MMDB file, or has none of the fields that are understood.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| SourceError::Read {
            file: file.clone(),
            source,
        })?;
        Self::from_bytes(file, bytes)
    }

    /// From the bytes of `file`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(file: String, bytes: Vec<u8>) -> Result<Self, SourceError> {
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

    /// Whose field names the file uses.
    #[must_use]
    pub fn schema(&self) -> Schema {
        self.schema
    }

    /// The metadata's own name of its contents.
    #[must_use]
    pub fn database_type(&self) -> &str {
        &self.reader.metadata().database_type
    }

    /// The day the file was built.
    #[must_use]
    pub fn built(&self) -> Option<Date> {
        let seconds = i64::try_from(self.reader.metadata().build_epoch).ok()?;
        let timestamp = Timestamp::from_second(seconds).ok()?;
        Some(timestamp.to_zoned(TimeZone::UTC).date())
    }

    /// Calls `visit` with every network of the file that has a record, in order.
    ///
    /// # Errors
    /// When the search tree or a record is damaged.
    pub fn visit(&self, mut visit: impl FnMut(IpNet, &Record)) -> Result<(), SourceError> {
        // Records are shared by many networks: decode each once.
        let mut decoded: std::collections::HashMap<usize, Record> =
            std::collections::HashMap::new();
        self.walk(|network, offset, decode| {
            if let Some(record) = decoded.get(&offset) {
                visit(network, record);
            } else {
                let record = Record::from_value(&decode()?, self.schema);
                visit(network, &record);
                decoded.insert(offset, record);
            }
            Ok(true)
        })
    }

    /// The ranges of one family for which `pick` finds a value in the record.
    ///
    /// # Errors
    /// As [`Self::visit`].
    pub fn ranges<A: Address, V>(
        &self,
        pick: impl Fn(&Record) -> Option<V>,
    ) -> Result<Vec<Range<A, V>>, SourceError> {
        let mut ranges = Vec::new();
        self.visit(|network, record| {
            if let (Some(first), Some(value)) = (A::from_ip(network.network()), pick(record)) {
                let (first, last) = bounds(first, u32::from(network.prefix_len()));
                ranges.push(Range { first, last, value });
            }
        })?;
        Ok(ranges)
    }

    /// The schema named by the metadata when the first records bear it out, else the first whose
    /// fields they have.
    fn choose_schema(&self) -> Result<Schema, SourceError> {
        const PROBED_RECORDS: usize = 64;
        let mut samples = Vec::new();
        self.walk(|_, _, decode| {
            samples.push(decode()?);
            Ok(samples.len() < PROBED_RECORDS)
        })?;
        let fits = |schema: &Schema| {
            samples
                .iter()
                .any(|sample| !Record::from_value(sample, *schema).says_nothing())
        };
        let named = Schema::of_type(self.database_type());
        let unknown = || SourceError::UnknownSchema {
            file: self.file.clone(),
            database_type: self.database_type().to_owned(),
            fields: samples
                .iter()
                .find_map(Value::as_object)
                .map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(", "))
                .filter(|fields| !fields.is_empty())
                .unwrap_or_else(|| "nothing".to_owned()),
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

    /// Visits network, offset of the record and a way to decode it, until `visit` says false.
    fn walk(
        &self,
        mut visit: impl FnMut(
            IpNet,
            usize,
            &dyn Fn() -> Result<Value, SourceError>,
        ) -> Result<bool, SourceError>,
    ) -> Result<(), SourceError> {
        let broken = |source| SourceError::Mmdb {
            file: self.file.clone(),
            source: Box::new(source),
        };
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
            let decode = || -> Result<Value, SourceError> {
                Ok(found
                    .decode::<Value>()
                    .map_err(broken)?
                    .unwrap_or(Value::Null))
            };
            if !visit(network, offset, &decode)? {
                break;
            }
        }
        Ok(())
    }
}
