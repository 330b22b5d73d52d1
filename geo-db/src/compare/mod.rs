//! What moved between two atlases: address space whose country, operator, control or reach of
//! foreign law is not what it was, by size and operator, and what of it crossed a border that law
//! draws.
//!
//! Pure: two atlases in, one value out. Sizes are addresses in IPv4 and networks of 64 bits in
//! IPv6; both come from the same walk.

mod side;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::side::Side;

use self::walk::{Found, Pairs};
use crate::Atlas;
use crate::profile::{CountryCode, HostingConfidence, Profile, Reach};

/// An amount of address space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// IPv4 addresses.
    pub v4_addresses: u64,
    /// IPv6 networks of 64 bits; narrower pieces count by their share, rounded down.
    pub v6_networks_64: u64,
}

impl Space {
    fn add(&mut self, other: Self) {
        self.v4_addresses = self.v4_addresses.saturating_add(other.v4_addresses);
        self.v6_networks_64 = self.v6_networks_64.saturating_add(other.v6_networks_64);
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.v4_addresses == 0 && self.v6_networks_64 == 0
    }

    /// Its share of `whole`, IPv4 and IPv6, each from 0 to 1 (0 of nothing).
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share to a few digits is what is asked for"
    )]
    pub fn share_of(self, whole: Self) -> (f64, f64) {
        let share = |part: u64, whole: u64| {
            if whole == 0 {
                0.0
            } else {
                part as f64 / whole as f64
            }
        };
        (
            share(self.v4_addresses, whole.v4_addresses),
            share(self.v6_networks_64, whole.v6_networks_64),
        )
    }
}

/// What an atlas says of an address, as far as a move is judged by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Standing {
    /// Hosting country.
    pub country: Option<CountryCode>,
    /// How sure that is.
    pub confidence: HostingConfidence,
    /// Id of the operator in the catalogue.
    pub operator: Option<Arc<str>>,
    /// Country that controls the operator.
    pub control: Option<CountryCode>,
    /// How far extraterritorial law reaches it.
    pub reach: Reach,
}

impl Standing {
    /// Of a profile.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        Self {
            country: profile.hosting.country,
            confidence: profile.hosting.confidence,
            operator: profile.control.operator.clone(),
            control: profile.control.country,
            reach: profile.control.reach,
        }
    }
}

/// What is different after a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// The hosting country.
    Country,
    /// Located, contested, anycast, unknown.
    Confidence,
    /// The operator.
    Operator,
    /// The country that controls it.
    Control,
    /// How far foreign law reaches.
    Reach,
    /// The side of the border that law draws: France, the rest of the EEA, the French overseas
    /// territories outside the Union, adequate countries, third countries.
    Side,
}

impl Changed {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Country,
        Self::Confidence,
        Self::Operator,
        Self::Control,
        Self::Reach,
        Self::Side,
    ];

    /// The word used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Confidence => "confidence",
            Self::Operator => "operator",
            Self::Control => "control",
            Self::Reach => "reach",
            Self::Side => "side",
        }
    }
}

/// Address space that moved from one standing to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Move {
    /// What was said of it.
    pub from: Standing,
    /// What is said of it.
    pub to: Standing,
    /// What differs.
    pub changed: Vec<Changed>,
    /// The sides of the border before and after, when they differ.
    pub crossed: Option<(Side, Side)>,
    /// How much of it.
    pub space: Space,
    /// The widest networks of it, one of each family at most.
    pub examples: Vec<IpNet>,
}

/// What moved away from, to and within one operator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperatorMoves {
    /// Id in the catalogue; `None`: nobody known.
    pub operator: Option<Arc<str>>,
    /// It was the operator's and is another's.
    pub lost: Space,
    /// It was another's and is the operator's.
    pub gained: Space,
    /// It stayed the operator's and changed otherwise.
    pub changed: Space,
}

/// One total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// What changed.
    pub changed: Changed,
    /// How much of it.
    pub space: Space,
}

/// What moved between two atlases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Version of the older atlas.
    pub old: String,
    /// Version of the newer one.
    pub new: String,
    /// Day for which countries were put on a side of the border.
    pub day: Date,
    /// Space of which at least one of the two knows something.
    pub known: Space,
    /// Space that moved in any way.
    pub moved: Space,
    /// The same by what changed; one space can count in several rows.
    pub totals: Vec<Total>,
    /// Every move, the largest share of the known space first.
    pub moves: Vec<Move>,
    /// By operator, the largest share first.
    pub operators: Vec<OperatorMoves>,
}

impl Diff {
    /// How much changed in one way.
    #[must_use]
    pub fn total(&self, changed: Changed) -> Space {
        self.totals
            .iter()
            .find(|total| total.changed == changed)
            .map_or_else(Space::default, |total| total.space)
    }
}

/// Compares two atlases; countries are put on a side of the border as of `day`.
#[must_use]
pub fn diff(old: &Atlas, new: &Atlas, day: Date) -> Diff {
    let mut pairs = Pairs::default();
    pairs.v4(old.classes_v4(), new.classes_v4());
    pairs.v6(old.classes_v6(), new.classes_v6());
    let mut known = Found::default();
    let mut moves: HashMap<(Standing, Standing), Move> = HashMap::new();
    for ((from, to), found) in pairs.into_found() {
        let (before, after) = (old.profile(from), new.profile(to));
        let space = found.space();
        if is_known(before) || is_known(after) {
            known.add(&found);
        }
        let (from, to) = (Standing::of(before), Standing::of(after));
        if from == to {
            continue;
        }
        let entry = moves
            .entry((from.clone(), to.clone()))
            .or_insert_with(|| Move {
                crossed: crossed(old, &from, new, &to, day),
                changed: Vec::new(),
                from,
                to,
                space: Space::default(),
                examples: Vec::new(),
            });
        entry.space.add(space);
        keep_widest(&mut entry.examples, found.widest());
    }
    let known = known.space();
    let mut moves: Vec<Move> = moves.into_values().collect();
    for found in &mut moves {
        found.changed = changed(found);
    }
    sort_by_share(&mut moves, known, |found| found.space);
    let mut all = Space::default();
    let mut totals = Changed::ALL.map(|changed| Total {
        changed,
        space: Space::default(),
    });
    for found in &moves {
        all.add(found.space);
        for total in &mut totals {
            if found.changed.contains(&total.changed) {
                total.space.add(found.space);
            }
        }
    }
    Diff {
        old: old.meta().version.clone(),
        new: new.meta().version.clone(),
        day,
        known,
        moved: all,
        totals: totals.to_vec(),
        operators: by_operator(&moves, known),
        moves,
    }
}

/// Is anything known of a place?
pub(crate) fn is_known(profile: &Profile) -> bool {
    profile.special.is_none()
        && (profile.hosting.confidence != HostingConfidence::Unknown
            || profile.control.reach != Reach::Unknown)
}

fn crossed(
    old: &Atlas,
    from: &Standing,
    new: &Atlas,
    to: &Standing,
    day: Date,
) -> Option<(Side, Side)> {
    let before = Side::of(old.catalogue(), from.country, from.confidence, day);
    let after = Side::of(new.catalogue(), to.country, to.confidence, day);
    (before != after).then_some((before, after))
}

fn changed(found: &Move) -> Vec<Changed> {
    let (from, to) = (&found.from, &found.to);
    Changed::ALL
        .into_iter()
        .filter(|changed| match changed {
            Changed::Country => from.country != to.country,
            Changed::Confidence => from.confidence != to.confidence,
            Changed::Operator => from.operator != to.operator,
            Changed::Control => from.control != to.control,
            Changed::Reach => from.reach != to.reach,
            Changed::Side => found.crossed.is_some(),
        })
        .collect()
}

fn keep_widest(kept: &mut Vec<IpNet>, found: impl IntoIterator<Item = IpNet>) {
    for network in found {
        let same_family = |kept: &IpNet| kept.addr().is_ipv4() == network.addr().is_ipv4();
        match kept.iter_mut().find(|kept| same_family(kept)) {
            Some(kept)
                if (network.prefix_len(), network.addr()) < (kept.prefix_len(), kept.addr()) =>
            {
                *kept = network;
            }
            Some(_) => {}
            None => kept.push(network),
        }
    }
    kept.sort();
}

/// Most of the known space first; equal shares in the order of their text, so that a comparison
/// reads the same each time.
fn sort_by_share<T: std::fmt::Debug>(rows: &mut [T], known: Space, space: impl Fn(&T) -> Space) {
    rows.sort_by_cached_key(|row| {
        let (v4, v6) = space(row).share_of(known);
        // Shares lie between 0 and 1: the bits of such numbers are ordered like the numbers.
        (std::cmp::Reverse((v4 + v6).to_bits()), format!("{row:?}"))
    });
}

fn by_operator(moves: &[Move], known: Space) -> Vec<OperatorMoves> {
    fn row<'a>(
        rows: &'a mut HashMap<Option<Arc<str>>, OperatorMoves>,
        operator: Option<&Arc<str>>,
    ) -> &'a mut OperatorMoves {
        rows.entry(operator.cloned())
            .or_insert_with(|| OperatorMoves {
                operator: operator.cloned(),
                lost: Space::default(),
                gained: Space::default(),
                changed: Space::default(),
            })
    }
    let mut rows = HashMap::new();
    for found in moves {
        let (from, to) = (found.from.operator.as_ref(), found.to.operator.as_ref());
        if from == to {
            row(&mut rows, from).changed.add(found.space);
        } else {
            row(&mut rows, from).lost.add(found.space);
            row(&mut rows, to).gained.add(found.space);
        }
    }
    let mut rows: Vec<OperatorMoves> = rows.into_values().collect();
    sort_by_share(&mut rows, known, |row| {
        let mut all = row.lost;
        all.add(row.gained);
        all.add(row.changed);
        all
    });
    rows
}
