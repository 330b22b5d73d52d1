//! Two decisions side by side: which fields of the `residency` object differ.

use octroi_events::Residency;
use serde::Serialize;
use serde_json::Value;

/// Fields that tell when and by what it was decided, and sentences: they differ without meaning
/// that another thing was decided.
const NOT_COMPARED: [&str; 16] = [
    "schema",
    "at",
    "evidence",
    "conflicts",
    "rule_path",
    "counterfactual",
    "laws",
    "name",
    "name_src",
    "name_dns_bound",
    "ech",
    "ech_seen",
    "naming",
    "speaks",
    "name_chain",
    "trust",
];

/// A field that differs.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    /// Name of the field.
    pub(super) field: String,
    /// Its value then; null when it was absent.
    pub(super) then: Value,
    /// Its value today; null when it is absent.
    pub(super) today: Value,
}

/// The fields that differ, in alphabetical order.
pub(super) fn differences(then: &Residency, today: &Residency) -> Vec<Difference> {
    let fields = |residency: &Residency| match serde_json::to_value(residency) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (mut before, mut after) = (fields(then), fields(today));
    // A record of an older version does not have the fields that came later.
    if then.at.is_none() {
        for field in ["prefix", "service_name", "name_could_change", "embedded"] {
            after.remove(field);
        }
    }
    for field in NOT_COMPARED {
        before.remove(field);
        after.remove(field);
    }
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter_map(|field| {
            let then = before.remove(&field).unwrap_or(Value::Null);
            let today = after.remove(&field).unwrap_or(Value::Null);
            (then != today).then_some(Difference { field, then, today })
        })
        .collect()
}

/// A value as people read it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            items.join(", ")
        }
        Value::Object(fields) => {
            let named = ["id", "scheme", "service", "rule", "address"];
            let name = named.iter().find_map(|name| fields.get(*name));
            name.map_or_else(|| value.to_string(), plain)
        }
        other => other.to_string(),
    }
}
