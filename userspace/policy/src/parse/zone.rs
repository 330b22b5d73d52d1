//! `[[zone]]`: named sets of source prefixes.

use std::collections::HashMap;

use ipnet::IpNet;
use octroi_abi::control::{MAX_ZONES, ZONES_ENTRIES};
use toml::de::DeTable;

use super::{Reader, values};
use crate::diagnostic::{Offset, Reporter};
use crate::model::{NO_ZONE, Zone};
use values::Text;

/// Prefixes of all zones together: half of the kernel's trie, which is double-buffered.
const MAX_PREFIXES: usize = ZONES_ENTRIES as usize / 2;

/// A prefix without host bits, not IPv4-mapped.
pub(super) fn prefix(reporter: &mut Reporter<'_>, item: Text<'_>, key: &str) -> Option<IpNet> {
    let text = item.text;
    let Ok(parsed) = text.parse::<IpNet>() else {
        let remedy = match text.parse::<std::net::IpAddr>() {
            Ok(address) => format!("write {}", IpNet::from(address)),
            Err(_) => "an address and a length, such as 192.0.2.0/24, is expected".to_owned(),
        };
        let what = format!("{key}: \"{text}\" is not a prefix");
        reporter.error(item.at, what, remedy);
        return None;
    };
    if let IpNet::V6(v6) = parsed
        && v6.addr().to_ipv4_mapped().is_some()
    {
        let what = format!("{key}: \"{text}\" is an IPv4-mapped prefix");
        reporter.error(item.at, what, "write it as an IPv4 prefix");
        return None;
    }
    if parsed.addr() != parsed.network() {
        let what = format!("{key}: \"{text}\" has bits set behind its length");
        reporter.error(item.at, what, format!("write {}", parsed.trunc()));
        return None;
    }
    Some(parsed)
}

/// Whether a text can be the name of a zone or the id of a rule.
pub(super) fn identifier(
    reporter: &mut Reporter<'_>,
    item: Text<'_>,
    what: &str,
    reserved: &[&str],
) -> bool {
    const LONGEST: usize = 64;
    let text = item.text;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(fits) {
        reporter.error(
            item.at,
            format!("\"{}\" cannot be {what}", text.escape_debug()),
            format!("1 to {LONGEST} of A-Z, a-z, 0-9, '-', '_' and '.' are expected"),
        );
        return false;
    }
    if reserved.contains(&text) {
        let what = format!("\"{text}\" cannot be {what}: the word has a meaning of its own");
        reporter.error(item.at, what, "choose another");
        return false;
    }
    true
}

impl Reader<'_, '_> {
    pub(super) fn zones(&mut self, tables: &[(Offset, &DeTable<'_>)]) -> Vec<Zone> {
        if tables.len() >= MAX_ZONES as usize {
            self.reporter.error(
                0,
                format!(
                    "the policy has {} zones, {} at most",
                    tables.len(),
                    MAX_ZONES - 1
                ),
                "merge zones that no rule tells apart",
            );
        }
        let mut zones = Vec::new();
        let mut owners: HashMap<IpNet, String> = HashMap::new();
        for (&(at, table), number) in tables.iter().take(MAX_ZONES as usize).zip(1u8..) {
            if let Some(zone) = self.zone(at, table, number, &mut owners) {
                self.places.zones.push(at);
                zones.push(zone);
            }
        }
        if owners.len() > MAX_PREFIXES {
            self.reporter.error(
                0,
                format!(
                    "the zones have {} prefixes, {MAX_PREFIXES} at most",
                    owners.len()
                ),
                "merge neighbouring prefixes",
            );
        }
        zones
    }

    fn zone(
        &mut self,
        at: Offset,
        table: &DeTable<'_>,
        number: u8,
        owners: &mut HashMap<IpNet, String>,
    ) -> Option<Zone> {
        let reporter = &mut self.reporter;
        values::check_keys(reporter, table, "[[zone]]", &["name", "prefixes"]);
        let Some(name) = table.get("name") else {
            reporter.error(at, "[[zone]] has no name", "add name = \"...\"");
            return None;
        };
        let name = values::string(reporter, name, "name")?;
        if !identifier(reporter, name, "the name of a zone", &[NO_ZONE]) {
            return None;
        }
        if self.zones.insert(name.text.to_owned(), number).is_some() {
            let what = format!("zone \"{}\" is defined twice", name.text);
            reporter.error(name.at, what, "put all its prefixes into one [[zone]]");
        }
        let Some(value) = table.get("prefixes") else {
            let what = format!("zone \"{}\" has no prefixes", name.text);
            reporter.error(at, what, "add prefixes = [\"10.10.0.0/16\"], for instance");
            return None;
        };
        let mut prefixes = Vec::new();
        for item in values::strings(reporter, value, "prefixes") {
            let Some(prefix) = prefix(reporter, item, "prefixes") else {
                continue;
            };
            match owners.insert(prefix, name.text.to_owned()) {
                Some(owner) => reporter.error(
                    item.at,
                    format!("{prefix} is already in zone \"{owner}\""),
                    "an address is in one zone: keep the prefix in one of them",
                ),
                None => prefixes.push(prefix),
            }
        }
        prefixes.sort_unstable();
        Some(Zone {
            name: name.text.to_owned(),
            prefixes,
        })
    }
}
