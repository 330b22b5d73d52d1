//! Small atlases for tests: rows of network, country and announcing AS, of one made-up source.
//!
//! Countries, laws and operators are those of the catalogue, its prefixes are left out: an atlas
//! knows what its rows say and nothing else.

use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use jiff::civil::Date;

use super::assemble;
use crate::atlas::range::{Address, Range, bounds};
use crate::atlas::split;
use crate::source::Declaration;
use crate::source::statements::{Place, Spoken, Statements};
use crate::{Atlas, Catalogue};

/// A network, the country it stands in, the number of the AS that announces it.
pub(crate) type Row<'a> = (&'a str, &'a str, u32);

/// The atlas that these rows make, with data of `day`. The narrower row speaks.
pub(crate) fn atlas(day: Date, rows: &[Row<'_>]) -> Atlas {
    let declaration = format!(
        "[[source]]\nid = \"made-up\"\nkind = \"mmdb\"\npath = \"x\"\nlicence = \"none\"\n\
         date = \"{day}\"\n"
    );
    let declaration = Declaration::parse("sources.toml", &declaration).expect("is right");
    let source = declaration.sources.into_iter().next().expect("one source");
    let mut said = Statements {
        date: Some(day),
        ..Statements::default()
    };
    for row in rows {
        let network: IpNet = row.0.parse().expect("a prefix");
        if network.addr().is_ipv4() {
            say(&mut said.v4, &network, row);
        } else {
            say(&mut said.v6, &network, row);
        }
    }
    let layers = assemble(vec![(source, said)], day).expect("fits");
    Atlas::new(layers, catalogue()).expect("joins")
}

/// The catalogue without prefixes; services are what most of them belong to.
fn catalogue() -> Arc<Catalogue> {
    static SMALL: OnceLock<Arc<Catalogue>> = OnceLock::new();
    let read = || {
        let operators = include_str!("../../catalogue/operators.toml");
        let lines = operators.lines();
        let kept: Vec<&str> = lines.filter(|line| !line.starts_with("prefixes")).collect();
        let files = [
            (
                "countries.toml",
                include_str!("../../catalogue/countries.toml"),
            ),
            ("laws.toml", include_str!("../../catalogue/laws.toml")),
            ("operators.toml", &kept.join("\n")),
        ];
        Arc::new(Catalogue::from_texts(&files).expect("is right"))
    };
    Arc::clone(SMALL.get_or_init(read))
}

fn say<A: Address>(spoken: &mut Spoken<A>, network: &IpNet, (_, country, system): &Row<'_>) {
    let (first, bits) = split::<A>(network).expect("the family");
    let (first, last) = bounds(first, u32::from(bits));
    let country = Place::Country(country.parse().expect("a code"));
    spoken.locations.push(Range {
        first,
        last,
        value: country,
    });
    spoken.systems.push(Range {
        first,
        last,
        value: *system,
    });
}
