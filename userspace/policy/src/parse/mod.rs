//! From text to policy: every problem is found at once, each with its place and its remedy.

mod lists;
mod rule;
mod values;
mod zone;

use std::collections::HashMap;

use ipnet::{IpNet, Ipv6Net};
use octroi_abi::opaque::{GROUPS, Opaque};
use octroi_abi::rules::MAX_RULES;
use octroi_abi::verdict::Verdict;
use octroi_geo_db::catalogue::Catalogue;
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostics, Offset, Reporter, did_you_mean};
use crate::lint;
use crate::model::{Mode, Policy, Rule, Zone};
use crate::naming::NamesMode;
use crate::transition::{MAX_NAT64, is_nat64_prefix};
use values::Value;

pub(crate) use lists::range;
pub use rule::CONDITION_KEYS;

/// Largest policy file, bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The verdicts as policies write them.
const VERDICTS: [(&str, Verdict); 4] = [
    ("allow", Verdict::Allow),
    ("flag", Verdict::Flag),
    ("reject", Verdict::Reject),
    ("block", Verdict::Block),
];

/// What the parts of the parser share.
struct Reader<'a, 't> {
    reporter: Reporter<'t>,
    catalogue: &'a Catalogue,
    zones: HashMap<String, u8>,
    places: lint::Places,
}

impl Policy {
    /// Reads a policy. `file` names the text in diagnostics; ids are checked against the catalogue.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the text, in its order. What is merely suspicious is in
    /// [`Policy::warnings`].
    pub fn parse(text: &str, file: &str, catalogue: &Catalogue) -> Result<Self, Diagnostics> {
        let mut reader = Reader {
            reporter: Reporter::new(text, file),
            catalogue,
            zones: HashMap::new(),
            places: lint::Places {
                zones: Vec::new(),
                rules: Vec::new(),
                named_zones: 0,
            },
        };
        let policy = reader.document(text);
        if let (Some(policy), false) = (&policy, reader.reporter.has_errors()) {
            lint::check(policy, catalogue, &reader.places, &mut reader.reporter);
        }
        let (errors, warnings) = reader.reporter.finish();
        match policy {
            Some(policy) if errors.is_empty() => Ok(Self { warnings, ..policy }),
            _ => Err(errors),
        }
    }
}

impl Reader<'_, '_> {
    fn document(&mut self, text: &str) -> Option<Policy> {
        if text.len() > MAX_FILE_BYTES {
            self.reporter.error(
                0,
                format!(
                    "the policy has {} bytes, more than {MAX_FILE_BYTES}",
                    text.len()
                ),
                "split it, or name groups, operators and services instead of their parts",
            );
            return None;
        }
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            self.reporter
                .error(at, error.message(), "see https://toml.io");
        }
        if !errors.is_empty() {
            // What the recovery made of the rest would only produce errors that are not there.
            return None;
        }
        let root = document.get_ref();
        values::check_keys(
            &mut self.reporter,
            root,
            "a policy file",
            &["policy", "zone", "rule"],
        );

        let zones = self.tables(root, "zone");
        let zones = self.zones(&zones);
        let rules = self.tables(root, "rule");
        let rules = self.rules(&rules);
        let Some(header) = root.get("policy") else {
            self.reporter.error(
                0,
                "the [policy] table is missing",
                "add [policy] with name, mode and default",
            );
            return None;
        };
        let DeValue::Table(header_table) = header.get_ref() else {
            values::mismatch(&mut self.reporter, header, "policy", "a table [policy]");
            return None;
        };
        self.policy(header.span().start, header_table, zones, rules, text)
    }

    /// The tables of `[[key]]`.
    fn tables<'v, 'i>(
        &mut self,
        root: &'v DeTable<'i>,
        key: &str,
    ) -> Vec<(Offset, &'v DeTable<'i>)> {
        let Some(value) = root.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let expected = format!("[[{key}]], with two brackets,");
            values::mismatch(&mut self.reporter, value, key, &expected);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items {
            match item.get_ref() {
                DeValue::Table(table) => tables.push((item.span().start, table)),
                _ => values::mismatch(&mut self.reporter, item, key, "a table"),
            }
        }
        tables
    }

    fn policy(
        &mut self,
        at: Offset,
        table: &DeTable<'_>,
        zones: Vec<Zone>,
        rules: Vec<Rule>,
        text: &str,
    ) -> Option<Policy> {
        const KEYS: [&str; 8] = [
            "name",
            "version",
            "description",
            "mode",
            "default",
            "names",
            "nat64",
            "opaque",
        ];
        const MODES: [(&str, Mode); 2] = [("monitor", Mode::Monitor), ("enforce", Mode::Enforce)];
        const NAMES: [(&str, NamesMode); 2] = [
            (NamesMode::Observe.name(), NamesMode::Observe),
            (NamesMode::Strict.name(), NamesMode::Strict),
        ];
        let reporter = &mut self.reporter;
        values::check_keys(reporter, table, "[policy]", &KEYS);
        let mut optional = |key: &str| {
            let value = table.get(key)?;
            let text = values::line(reporter, value, key)?;
            Some(text.text.to_owned())
        };
        let version = optional("version");
        let description = optional("description");
        let name = self.required(at, table, "name", "name = \"...\"");
        let name = name.and_then(|value| values::line(&mut self.reporter, value, "name"));
        let mode = self.required(at, table, "mode", "mode = \"monitor\" or \"enforce\"");
        let mode = mode.and_then(|value| {
            let word = values::string(&mut self.reporter, value, "mode")?;
            values::choice(&mut self.reporter, word, "mode", &MODES)
        });
        let default = self.required(at, table, "default", "default = \"block\", for instance");
        let default = default.and_then(|value| self.verdict(value, "default"));
        let names = table.get("names").and_then(|value| {
            let word = values::string(&mut self.reporter, value, "names")?;
            values::choice(&mut self.reporter, word, "names", &NAMES)
        });
        let opaque = table.get("opaque").map(|value| self.opaque(value));
        let nat64 = table.get("nat64").map(|value| self.nat64(value));
        let nat64 = nat64.unwrap_or_default();
        Some(Policy {
            name: name?.text.to_owned(),
            version,
            description,
            mode: mode?,
            names: names.unwrap_or_default(),
            nat64,
            zones,
            rules,
            default: default?,
            opaque: opaque.unwrap_or([Verdict::Block; Opaque::COUNT as usize]),
            warnings: Diagnostics::default(),
            sha256: hexadecimal(&Sha256::digest(text.as_bytes())),
        })
    }

    fn required<'v, 'i>(
        &mut self,
        at: Offset,
        table: &'v DeTable<'i>,
        key: &str,
        example: &str,
    ) -> Option<&'v Value<'i>> {
        let found = table.get(key);
        if found.is_none() {
            self.reporter.error(
                at,
                format!("[policy] has no {key}"),
                format!("add {example}"),
            );
        }
        found
    }

    fn verdict(&mut self, value: &Value<'_>, key: &str) -> Option<Verdict> {
        let word = values::string(&mut self.reporter, value, key)?;
        values::choice(&mut self.reporter, word, key, &VERDICTS)
    }

    /// `nat64`: prefixes of one's own translators.
    fn nat64(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Ipv6Net> {
        let reporter = &mut self.reporter;
        let mut prefixes = Vec::new();
        for item in values::strings(reporter, value, "nat64") {
            match zone::prefix(reporter, item, "nat64") {
                Some(IpNet::V6(prefix)) if is_nat64_prefix(prefix) => prefixes.push(prefix),
                Some(_) => reporter.error(
                    item.at,
                    format!("nat64: \"{}\" cannot be a NAT64 prefix", item.text),
                    "an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits whose bits 64 to 71 are zero \
                     is expected (RFC 6052), such as 64:ff9b:1::/96",
                ),
                None => {}
            }
        }
        if prefixes.len() > MAX_NAT64 {
            reporter.error(
                value.span().start,
                format!("nat64 has {} prefixes, {MAX_NAT64} at most", prefixes.len()),
                "keep the prefixes of the translators behind this gateway",
            );
        }
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes
    }

    /// `[policy.opaque]`: a verdict by kind or by group of kinds, `default` for the kinds that are
    /// not named, `block` when there is no `default`. A narrower word wins, wherever it stands.
    fn opaque(&mut self, value: &Spanned<DeValue<'_>>) -> [Verdict; Opaque::COUNT as usize] {
        let mut verdicts = [Verdict::Block; Opaque::COUNT as usize];
        let DeValue::Table(table) = value.get_ref() else {
            values::mismatch(
                &mut self.reporter,
                value,
                "opaque",
                "a table [policy.opaque]",
            );
            return verdicts;
        };
        if let Some(value) = table.get("default")
            && let Some(verdict) = self.verdict(value, "default")
        {
            verdicts = [verdict; Opaque::COUNT as usize];
        }
        for (group, members) in GROUPS {
            if let Some(value) = table.get(group)
                && let Some(verdict) = self.verdict(value, group)
            {
                for kind in members {
                    if let Some(slot) = verdicts.get_mut(usize::from(kind.code())) {
                        *slot = verdict;
                    }
                }
            }
        }
        let groups = || GROUPS.into_iter().map(|(group, _)| group);
        let kinds = || Opaque::ALL.into_iter().filter(|&kind| kind != Opaque::None);
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if name == "default" || groups().any(|group| group == name) {
                continue;
            }
            let Some(kind) = kinds().find(|kind| kind.name() == name) else {
                let known = kinds().map(Opaque::name).chain(groups()).chain(["default"]);
                self.reporter.error(
                    key.span().start,
                    format!("\"{name}\" is not a kind of opaque traffic"),
                    did_you_mean(name, known),
                );
                continue;
            };
            if let Some(verdict) = self.verdict(value, name)
                && let Some(slot) = verdicts.get_mut(usize::from(kind.code()))
            {
                *slot = verdict;
            }
        }
        verdicts
    }

    fn rules(&mut self, tables: &[(Offset, &DeTable<'_>)]) -> Vec<Rule> {
        if tables.len() >= usize::from(MAX_RULES) {
            self.reporter.error(
                0,
                format!(
                    "the policy has {} rules, {} at most",
                    tables.len(),
                    MAX_RULES - 1
                ),
                "merge rules that differ in one list only",
            );
            return Vec::new();
        }
        let mut rules: Vec<Rule> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        for &(at, table) in tables {
            if self.reporter.is_full() {
                break;
            }
            let Some(rule) = self.rule(at, table) else {
                continue;
            };
            if let Some(first) = lines.insert(rule.id.clone(), rule.line) {
                let at = table.get("id").map_or(at, |value| value.span().start);
                self.reporter.error(
                    at,
                    format!("rule \"{}\" stands twice, first on line {first}", rule.id),
                    "give each rule an id of its own",
                );
            }
            self.places.rules.push(at);
            rules.push(rule);
        }
        rules
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
