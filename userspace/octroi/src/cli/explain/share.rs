//! What stands inside a prefix: shares by profile and verdict, largest first, with exact sums.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use octroi_events::{CountryCode, HostingConfidence, Reach, ResidencyClass, Verdict};
use octroi_geo_db::ClassId;
use octroi_geo_db::atlas::range::{Address, Partition};
use octroi_geo_db::profile::ControlBasis;
use octroi_policy::condition::Condition;
use octroi_policy::layout::Page;
use serde::{Serialize, Serializer};

use super::Desk;
use super::words;
use crate::judge::Named;

/// Rows told in a page; the JSON answer has them all.
const TOLD: usize = 24;

/// What stands inside a prefix.
#[derive(Debug, Serialize)]
pub(super) struct Shares {
    /// The prefix.
    pub(super) prefix: IpNet,
    /// The name that was assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Number of its addresses.
    pub(super) addresses: Count,
    /// Largest first; their addresses add up to those of the prefix.
    pub(super) inside: Vec<Share>,
}

/// Addresses of one profile and verdict.
#[derive(Debug, Serialize)]
pub(super) struct Share {
    pub(super) addresses: Count,
    #[serde(serialize_with = "octroi_policy::words::verdict::serialize")]
    pub(super) verdict: Verdict,
    pub(super) rule: String,
    pub(super) class: ResidencyClass,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_country: Option<CountryCode>,
    pub(super) confidence: HostingConfidence,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operator_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) control_country: Option<CountryCode>,
    pub(super) reach: Reach,
    pub(super) control_basis: ControlBasis,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) special: Option<&'static str>,
    /// An address of this share, to ask about.
    pub(super) example: IpAddr,
}

/// A number of addresses: up to 2^128, which has no place in 128 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    /// 1 for the whole of IPv6.
    whole: bool,
    number: u128,
}

impl Count {
    /// A single address.
    pub(super) const ONE: Self = Self {
        whole: false,
        number: 1,
    };

    /// Addresses from `first` to `last`, both included.
    fn between(first: u128, last: u128) -> Self {
        match last.saturating_sub(first).checked_add(1) {
            Some(number) => Self {
                whole: false,
                number,
            },
            None => Self {
                whole: true,
                number: 0,
            },
        }
    }

    fn plus(self, other: Self) -> Self {
        let (number, over) = self.number.overflowing_add(other.number);
        Self {
            whole: self.whole || other.whole || over,
            number,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share is told to one decimal")]
    fn as_f64(self) -> f64 {
        let high = if self.whole { 2_f64.powi(128) } else { 0.0 };
        high + self.number as f64
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.whole {
            f.write_str("340282366920938463463374607431768211456")
        } else {
            self.number.fmt(f)
        }
    }
}

impl Serialize for Count {
    /// A number while every reader of JSON can hold it (2^53), else its digits as text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(self.number) {
            Ok(number) if !self.whole && number < 1 << 53 => serializer.serialize_u64(number),
            _ => serializer.collect_str(self),
        }
    }
}

/// The shares of a prefix.
pub(super) fn of(desk: &Desk, prefix: IpNet) -> Shares {
    named(desk, prefix, desk.name.as_deref())
}

/// The shares of a prefix when it is asked for by a name.
pub(super) fn named(desk: &Desk, prefix: IpNet, name: Option<&str>) -> Shares {
    let atlas = &desk.judge.atlas;
    let (first, last) = (prefix.network(), prefix.broadcast());
    let pieces = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => pieces(
            desk,
            prefix,
            atlas.classes_v4(),
            u32::from(first),
            u32::from(last),
        ),
        (IpAddr::V6(first), IpAddr::V6(last)) => pieces(
            desk,
            prefix,
            atlas.classes_v6(),
            u128::from(first),
            u128::from(last),
        ),
        // Both ends of a prefix are of one family.
        _ => Vec::new(),
    };
    let mut shares: Vec<Share> = Vec::new();
    let mut places: HashMap<(ClassId, u16, u8), usize> = HashMap::new();
    // Without rules on addresses every address of a class is judged alike.
    let by_class = !borders_matter(desk);
    let mut judged: HashMap<ClassId, (u16, Verdict)> = HashMap::new();
    let mut total = Count::default();
    for piece in pieces {
        total = total.plus(piece.addresses);
        let known = judged.get(&piece.class).copied().filter(|_| by_class);
        let (rule, verdict) = known.unwrap_or_else(|| {
            let decision = desk.judge.decide(&desk.question(piece.example, name));
            judged.insert(piece.class, (decision.rule, decision.verdict));
            (decision.rule, decision.verdict)
        });
        let key = (piece.class, rule, verdict.code());
        if let Some(share) = places.get(&key).and_then(|place| shares.get_mut(*place)) {
            share.addresses = share.addresses.plus(piece.addresses);
            continue;
        }
        places.insert(key, shares.len());
        shares.push(share(desk, &piece, name, rule, verdict));
    }
    shares.sort_by(|a, b| {
        b.addresses
            .cmp(&a.addresses)
            .then(a.example.cmp(&b.example))
    });
    Shares {
        prefix,
        name: name.map(str::to_owned),
        addresses: total,
        inside: shares,
    }
}

struct Piece {
    class: ClassId,
    addresses: Count,
    example: IpAddr,
}

/// Pieces of a prefix within which class and rules on addresses are the same throughout.
fn pieces<A: Address>(
    desk: &Desk,
    prefix: IpNet,
    classes: &Partition<A, ClassId>,
    first: A,
    last: A,
) -> Vec<Piece> {
    let starts = classes.starts();
    let from = starts.partition_point(|start| *start <= first);
    let to = starts.partition_point(|start| *start <= last);
    let mut borders: Vec<A> = starts.get(from..to).unwrap_or_default().to_vec();
    borders.push(first);
    for net in named_prefixes(desk) {
        if net.addr().is_ipv4() == prefix.addr().is_ipv4() {
            let ends = [
                A::from_ip(net.network()),
                A::from_ip(net.broadcast()).and_then(A::next),
            ];
            for end in ends {
                borders.extend(end.filter(|end| first < *end && *end <= last));
            }
        }
    }
    borders.sort_unstable();
    borders.dedup();
    let before = borders.iter().skip(1).filter_map(|next| next.previous());
    let ends = before.chain([last]);
    borders
        .iter()
        .zip(ends)
        .map(|(&start, end)| Piece {
            class: classes.get(start),
            addresses: Count::between(start.to_u128(), end.to_u128()),
            example: start.to_ip(),
        })
        .collect()
}

/// Whether rules look at more of an address than its class.
fn borders_matter(desk: &Desk) -> bool {
    let rules = desk.judge.policy.rules.iter();
    rules.flat_map(|rule| &rule.conditions).any(|condition| {
        matches!(
            condition,
            Condition::Asn(_) | Condition::Prefix(_) | Condition::To(_)
        )
    })
}

/// Prefixes at whose borders a rule may answer differently.
fn named_prefixes(desk: &Desk) -> Vec<IpNet> {
    let policy = &desk.judge.policy;
    let mut prefixes = Vec::new();
    let mut zones = false;
    for condition in policy.rules.iter().flat_map(|rule| &rule.conditions) {
        match condition {
            Condition::Prefix(set) => prefixes.extend(set.wanted.iter().chain(&set.unwanted)),
            Condition::Asn(asns) => {
                for &asn in asns {
                    prefixes.extend(desk.judge.atlas.prefixes_of_asn(asn));
                }
            }
            Condition::To(_) => zones = true,
            _ => {}
        }
    }
    if zones {
        prefixes.extend(
            policy
                .zones
                .iter()
                .flat_map(|zone| zone.prefixes.iter().copied()),
        );
    }
    prefixes
}

fn share(desk: &Desk, piece: &Piece, name: Option<&str>, rule: u16, verdict: Verdict) -> Share {
    let profile = desk
        .judge
        .profile(piece.class, &Named::asked(name, desk.protocol, desk.port));
    Share {
        addresses: piece.addresses,
        verdict,
        rule: desk.judge.policy.rule_name(rule).to_owned(),
        class: ResidencyClass::of(&profile, &desk.judge.regions_on(desk.at)),
        host_country: profile.hosting.country,
        confidence: profile.hosting.confidence,
        operator_id: profile.control.operator.as_deref().map(str::to_owned),
        control_country: profile.control.country,
        reach: profile.control.reach,
        control_basis: profile.control.basis,
        service: profile.service.as_deref().map(str::to_owned),
        special: profile
            .special
            .map(octroi_geo_db::profile::SpecialUse::name),
        example: piece.example,
    }
}

/// The shares as text.
pub(super) fn page(desk: &Desk, shares: &Shares) -> String {
    let language = desk.language;
    let mut page = Page::new(language);
    page.line(0, words::inside_of(shares, desk).get(language));
    page.section(words::shares().get(language));
    rows(desk, shares, TOLD, &mut page);
    page.gap();
    page.line(0, words::judged_by(desk).get(language));
    page.finish()
}

/// The addresses of several shares.
pub(super) fn sum(shares: &[Share]) -> Count {
    shares
        .iter()
        .fold(Count::default(), |sum, share| sum.plus(share.addresses))
}

/// Rows of shares, at most `told`; the rest in one sum.
pub(super) fn rows(desk: &Desk, shares: &Shares, told: usize, page: &mut Page) {
    let language = desk.language;
    let shown = shares.inside.iter().take(told);
    for share in shown {
        page.item(
            &percent(share.addresses, shares.addresses, language),
            &words::share(share, desk),
        );
    }
    let rest = shares.inside.get(told..).unwrap_or_default();
    if !rest.is_empty() {
        let sum = sum(rest);
        page.item(
            &percent(sum, shares.addresses, language),
            words::rest(rest.len(), sum).get(language),
        );
    }
}

/// A share in per cent with one decimal; what is there is never told as nothing, and what is not
/// all never as all.
pub(super) fn percent(
    part: Count,
    whole: Count,
    language: octroi_geo_db::catalogue::Language,
) -> String {
    use octroi_geo_db::catalogue::Language;
    let share = if whole == Count::default() {
        0.0
    } else {
        100.0 * part.as_f64() / whole.as_f64()
    };
    let text = if part == whole {
        "100".to_owned()
    } else if share < 0.1 {
        "< 0.1".to_owned()
    } else if share > 99.9 {
        "> 99.9".to_owned()
    } else {
        format!("{share:.1}")
    };
    match language {
        Language::En => format!("{text} %"),
        Language::Fr => format!("{} %", text.replace('.', ",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octroi_geo_db::catalogue::Language;

    #[test]
    fn counts_hold_the_whole_of_ipv6() {
        let whole = Count::between(0, u128::MAX);
        assert_eq!(whole.to_string(), "340282366920938463463374607431768211456");
        let halves =
            Count::between(0, u128::MAX / 2).plus(Count::between(u128::MAX / 2 + 1, u128::MAX));
        assert_eq!(halves, whole);
        assert_eq!(Count::between(7, 7).to_string(), "1");
    }

    #[test]
    fn shares_are_never_rounded_to_nothing_or_all() {
        let whole = Count::between(0, u128::from(u32::MAX));
        let one = Count::between(0, 0);
        let most = Count::between(1, u128::from(u32::MAX));
        assert_eq!(percent(one, whole, Language::En), "< 0.1 %");
        assert_eq!(percent(most, whole, Language::Fr), "> 99,9 %");
        assert_eq!(percent(whole, whole, Language::En), "100 %");
    }
}
