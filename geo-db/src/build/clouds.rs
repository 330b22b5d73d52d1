//! From the rows of a cloud list to one entry for each prefix.

use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;

use crate::atlas::layers::{CloudPrefix, CloudTexts};
use crate::source::cloud_list::CloudList;

/// The rows of a list, one for each prefix: its services together, and its region. A prefix whose
/// rows name several regions names none.
pub(super) fn cloud_prefixes(
    list: &CloudList,
    texts: &mut CloudTexts,
) -> Vec<(IpNet, CloudPrefix)> {
    #[derive(Default)]
    struct Gathered<'a> {
        provider: usize,
        regions: Vec<&'a str>,
        services: Vec<&'a str>,
    }
    let mut gathered: BTreeMap<IpNet, Gathered<'_>> = BTreeMap::new();
    for row in &list.rows {
        let entry = gathered.entry(row.network).or_default();
        entry.provider = row.provider;
        entry.regions.extend(row.region.as_deref());
        entry.services.extend(row.service.as_deref());
    }
    texts.providers.clone_from(&list.providers);
    let mut regions: HashMap<&str, u16> = HashMap::new();
    let mut services: HashMap<&str, u16> = HashMap::new();
    let mut sets: HashMap<Vec<u16>, u32> = HashMap::new();
    let mut out = Vec::with_capacity(gathered.len());
    for (network, mut entry) in gathered {
        entry.regions.sort_unstable();
        entry.regions.dedup();
        let region = match entry.regions[..] {
            [region] => number(&mut regions, &mut texts.regions, region).saturating_add(1),
            _ => 0,
        };
        let mut set: Vec<u16> = entry
            .services
            .iter()
            .map(|service| number(&mut services, &mut texts.services, service))
            .collect();
        set.sort_unstable();
        set.dedup();
        let next = u32::try_from(texts.service_sets.len()).unwrap_or(u32::MAX);
        let services = *sets.entry(set).or_insert_with_key(|set| {
            texts.service_sets.push(set.clone());
            next
        });
        let prefix = CloudPrefix {
            provider: u16::try_from(entry.provider).unwrap_or(u16::MAX),
            region,
            services,
        };
        out.push((network, prefix));
    }
    out
}

/// The number of a text in `texts`, which it joins when it is new.
fn number<'a>(numbers: &mut HashMap<&'a str, u16>, texts: &mut Vec<String>, text: &'a str) -> u16 {
    *numbers.entry(text).or_insert_with(|| {
        texts.push(text.to_owned());
        u16::try_from(texts.len() - 1).unwrap_or(u16::MAX)
    })
}
