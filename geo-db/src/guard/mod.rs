//! Guards: what a new atlas must be like before it may replace the one in force.
//!
//! Pure: two atlases and a day in, refusals out. A source that was cut short, a database of another
//! planet or one address that everybody knows and that is suddenly elsewhere are found here, by
//! numbers, before a single packet is judged by them.

mod config;
mod refusal;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

pub use self::config::{GuardError, Guards, GuardsConfig, Sentinel, SourceGuard};
pub use self::refusal::{Guard, Refusal};

use crate::compare::{self, Changed, Diff, Space, is_known};
use crate::profile::CountryCode;
use crate::{Atlas, SourceInfo};

/// Of sources with fewer ranges than this, shrinking says nothing: they are edited by hand.
pub const SMALL_SOURCE: u64 = 20;

impl Guards {
    /// Holds `new` against these guards and against the atlas in force.
    ///
    /// # Errors
    /// Everything that speaks against it.
    pub fn check(&self, old: Option<&Atlas>, new: &Atlas, today: Date) -> Result<(), Vec<Refusal>> {
        let mut refusals = Vec::new();
        for source in &new.meta().sources {
            self.size(source, &mut refusals);
            self.age_of_source(source, today, &mut refusals);
            let before = old.and_then(|old| {
                let sources = &old.meta().sources;
                sources.iter().find(|before| before.id == source.id)
            });
            if let Some(before) = before {
                self.shrink(before, source, &mut refusals);
                backwards(before, source, &mut refusals);
            }
        }
        self.age(new, today, &mut refusals);
        self.coverage(old, new, &mut refusals);
        if let Some(old) = old {
            self.reclassified(&compare::diff(old, new, today), &mut refusals);
        }
        for sentinel in &self.sentinels {
            sentinel.check(new, &mut refusals);
        }
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(refusals)
        }
    }

    fn size(&self, source: &SourceInfo, refusals: &mut Vec<Refusal>) {
        let Some(guard) = self.source.get(&source.id) else {
            return;
        };
        for (family, found, least) in [
            ("IPv4", source.ranges_v4, guard.min_ranges_v4),
            ("IPv6", source.ranges_v6, guard.min_ranges_v6),
        ] {
            if found < least {
                refusals.push(Refusal {
                    guard: Guard::Size,
                    source: Some(source.id.clone()),
                    found: format!("{found} {family} ranges"),
                    allowed: format!("at least {least}"),
                    remedy: format!(
                        "look at what the source publishes, or lower min_ranges_{} in \
                         [guards.source.{}]",
                        if family == "IPv4" { "v4" } else { "v6" },
                        source.id
                    ),
                });
            }
        }
    }

    fn shrink(&self, before: &SourceInfo, source: &SourceInfo, refusals: &mut Vec<Refusal>) {
        let own = self.source.get(&source.id);
        let most = own
            .and_then(|guard| guard.max_shrink)
            .unwrap_or(self.max_shrink);
        for (family, was, is) in [
            ("IPv4", before.ranges_v4, source.ranges_v4),
            ("IPv6", before.ranges_v6, source.ranges_v6),
        ] {
            if was >= SMALL_SOURCE && lost(was, is) > most {
                refusals.push(Refusal {
                    guard: Guard::Shrink,
                    source: Some(source.id.clone()),
                    found: format!(
                        "{is} {family} ranges after {was}: {} fewer",
                        percent(lost(was, is))
                    ),
                    allowed: format!("at most {} fewer", percent(most)),
                    remedy: format!(
                        "look whether the source was cut short; if it really shrank, accept it \
                         once (--accept) or raise max_shrink in [guards.source.{}]",
                        source.id
                    ),
                });
            }
        }
    }

    fn age_of_source(&self, source: &SourceInfo, today: Date, refusals: &mut Vec<Refusal>) {
        let own = self.source.get(&source.id);
        let Some(most) = own.and_then(|guard| guard.max_age_d) else {
            return;
        };
        let days = days_between(source.date, today);
        if days > i64::from(most) {
            refusals.push(Refusal {
                guard: Guard::Age,
                source: Some(source.id.clone()),
                found: format!("data of {}, {days} days old", source.date),
                allowed: format!("at most {most} days"),
                remedy: format!(
                    "see whether its publisher still publishes, or raise max_age_d in \
                     [guards.source.{}]",
                    source.id
                ),
            });
        }
    }

    fn age(&self, new: &Atlas, today: Date, refusals: &mut Vec<Refusal>) {
        let newest = new.meta().sources.iter().map(|source| source.date).max();
        let Some(newest) = newest else { return };
        let days = days_between(newest, today);
        if days > i64::from(self.max_age_d) {
            refusals.push(Refusal {
                guard: Guard::Age,
                source: None,
                found: format!("the newest data is of {newest}, {days} days old"),
                allowed: format!("at most {} days", self.max_age_d),
                remedy: "fetch newer data, or raise max_age_d in [guards]".to_owned(),
            });
        }
    }

    fn coverage(&self, old: Option<&Atlas>, new: &Atlas, refusals: &mut Vec<Refusal>) {
        let now = coverage(new);
        let nets_48 = |space: Space| space.v6_networks_64 >> 16;
        let least = [
            (
                "IPv4 addresses",
                "v4_addresses",
                now.v4_addresses,
                self.min_v4_addresses,
            ),
            (
                "IPv6 /48 networks",
                "v6_networks_48",
                nets_48(now),
                self.min_v6_networks_48,
            ),
        ];
        for (unit, key, found, least) in least {
            if found < least {
                refusals.push(Refusal {
                    guard: Guard::Coverage,
                    source: None,
                    found: format!("something is known of {found} {unit}"),
                    allowed: format!("at least {least}"),
                    remedy: format!(
                        "see which source is missing or short, or lower min_{key} in [guards]"
                    ),
                });
            }
        }
        let Some(old) = old else { return };
        let before = coverage(old);
        for (unit, was, is) in [
            ("IPv4 addresses", before.v4_addresses, now.v4_addresses),
            ("IPv6 /48 networks", nets_48(before), nets_48(now)),
        ] {
            if lost(was, is) > self.max_shrink {
                refusals.push(Refusal {
                    guard: Guard::Coverage,
                    source: None,
                    found: format!(
                        "something is known of {is} {unit} after {was}: {} fewer",
                        percent(lost(was, is))
                    ),
                    allowed: format!("at most {} fewer", percent(self.max_shrink)),
                    remedy: "see which source is missing or short; accept it once (--accept) if \
                             that is meant"
                        .to_owned(),
                });
            }
        }
    }

    fn reclassified(&self, diff: &Diff, refusals: &mut Vec<Refusal>) {
        let judged = [
            (Changed::Country, "has another hosting country"),
            (Changed::Control, "has another controlling country"),
            (Changed::Reach, "is reached by foreign law in another way"),
        ];
        for (changed, what) in judged {
            let (v4, v6) = diff.total(changed).share_of(diff.known);
            for (family, share) in [("IPv4", v4), ("IPv6", v6)] {
                if share > self.max_reclassified {
                    refusals.push(Refusal {
                        guard: Guard::Reclassified,
                        source: None,
                        found: format!(
                            "{} of the known {family} space {what}{}",
                            percent(share),
                            largest(diff, changed, family == "IPv4")
                        ),
                        allowed: format!("at most {}", percent(self.max_reclassified)),
                        remedy: "look at `octroi geo-db diff`; accept it once (--accept) if that \
                                 is meant, or raise max_reclassified in [guards]"
                            .to_owned(),
                    });
                }
            }
        }
    }
}

impl Sentinel {
    fn check(&self, atlas: &Atlas, refusals: &mut Vec<Refusal>) {
        let class = atlas.class_of(self.address);
        let profile = atlas.profile(class);
        let text = |value: Option<&str>| value.unwrap_or("none").to_owned();
        let country = profile.hosting.country;
        let country = country.as_ref().map(CountryCode::as_str);
        let operator = profile.control.operator.as_deref();
        let expected_country = self.country.as_ref().map(CountryCode::as_str);
        let pairs = [
            (
                "country",
                expected_country.map(str::to_owned),
                text(country),
            ),
            ("operator", self.operator.clone(), text(operator)),
            (
                "hosting",
                self.hosting.map(|word| word.name().to_owned()),
                profile.hosting.confidence.name().to_owned(),
            ),
            (
                "reach",
                self.reach.map(|reach| reach.name().to_owned()),
                profile.control.reach.name().to_owned(),
            ),
        ];
        for (what, expected, found) in pairs {
            let Some(expected) = expected.filter(|expected| *expected != found) else {
                continue;
            };
            let dossier = atlas.dossier(self.address);
            let axis = if matches!(what, "country" | "hosting") {
                crate::Axis::Hosting
            } else {
                crate::Axis::Control
            };
            let spoke = dossier
                .claims
                .iter()
                .find(|claim| claim.won && claim.axis == axis);
            refusals.push(Refusal {
                guard: Guard::Sentinel,
                source: spoke.map(|claim| claim.source.clone()),
                found: format!("{} has {what} {found}", self.address),
                allowed: expected,
                remedy: format!(
                    "`octroi explain {} --atlas FILE` says why; correct the source, or the \
                     [[sentinel]] if the world changed",
                    self.address
                ),
            });
        }
    }
}

/// Space of which an atlas knows something.
#[must_use]
pub fn coverage(atlas: &Atlas) -> Space {
    let known = |class| is_known(atlas.profile(class));
    let mut v4 = 0_u64;
    for piece in atlas.classes_v4().pieces().filter(|p| known(p.value)) {
        v4 += u64::from(piece.last) - u64::from(piece.first) + 1;
    }
    let mut v6 = 0_u128;
    for piece in atlas.classes_v6().pieces().filter(|p| known(p.value)) {
        v6 = v6.saturating_add((piece.last - piece.first).saturating_add(1));
    }
    Space {
        v4_addresses: v4,
        v6_networks_64: u64::try_from(v6 >> 64).unwrap_or(u64::MAX),
    }
}

fn largest(diff: &Diff, changed: Changed, v4: bool) -> String {
    let size = |space: Space| {
        if v4 {
            space.v4_addresses
        } else {
            space.v6_networks_64
        }
    };
    let moved = diff
        .moves
        .iter()
        .filter(|found| found.changed.contains(&changed) && size(found.space) > 0)
        .max_by_key(|found| size(found.space));
    let example = moved.and_then(|found| {
        let mut networks = found.examples.iter();
        networks.find(|network| network.addr().is_ipv4() == v4)
    });
    example.map_or_else(String::new, |network| format!(" (such as {network})"))
}

fn backwards(before: &SourceInfo, source: &SourceInfo, refusals: &mut Vec<Refusal>) {
    if source.date < before.date {
        refusals.push(Refusal {
            guard: Guard::Backwards,
            source: Some(source.id.clone()),
            found: format!("data of {}", source.date),
            allowed: format!("not older than {}, which is in force", before.date),
            remedy: "the source serves old data: see its mirror; accept it once (--accept) if \
                     that is meant"
                .to_owned(),
        });
    }
}

/// Share that was lost between two counts, 0 when it grew.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share to a few digits is what is asked for"
)]
fn lost(was: u64, is: u64) -> f64 {
    if was == 0 {
        0.0
    } else {
        was.saturating_sub(is) as f64 / was as f64
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}
