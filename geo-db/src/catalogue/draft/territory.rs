//! Reading countries and adequacy decisions.

use super::super::country::{Adequacy, Country, Extent, PastRegime, Regime};
use super::super::entry::{Entry, Placed};
use super::{Draft, Target, exact_code};

impl Draft {
    pub(super) fn country(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let code = entry.text("code");
        if let Some(code) = &code {
            entry.named("country", code.value);
        }
        let name = entry.bilingual("name");
        let regime = membership(entry, "regime");
        let since = entry.optional_date("since").map(|date| date.value);
        let history = entry.tables("history", |past| {
            let regime = membership(past, "regime");
            let (from, until) = past.period();
            Some(PastRegime {
                regime: regime?,
                from: from?,
                until: until?,
            })
        });
        let sovereign = entry.optional_text("sovereign");
        let sovereign = self.code(entry, sovereign.as_ref(), Target::Country);
        let (source, as_of, note) = entry.provenance();
        let place = code.as_ref().map_or(entry.place, |code| code.place);
        let code = code.and_then(|code| exact_code(entry, &code));
        let (Some(code), Some(name), Some(regime)) = (code, name, regime) else {
            return;
        };
        let value = Country {
            code,
            name,
            regime,
            since,
            history,
            sovereign,
            adequacy: Vec::new(),
            source,
            as_of,
            note,
        };
        self.countries.push(Placed { value, place });
    }

    pub(super) fn adequacy(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let country = entry.text("country");
        if let Some(country) = &country {
            entry.named("adequacy", country.value);
        }
        let country = self.code(entry, country.as_ref(), Target::Country);
        let decision = entry.owned("decision");
        let extent = entry.word::<Extent>("extent");
        let scope = entry.optional_owned("scope");
        if !entry.has("from") {
            let what = format!("{} has no \"from\"", entry.label);
            let place = entry.place;
            entry.problems.add(place, what, "add from = ...");
        }
        let (from, until) = entry.period();
        let (source, as_of, note) = entry.provenance();
        let place = entry.place;
        let (Some(country), Some(extent), Some(from)) = (country, extent, from) else {
            return;
        };
        let value = Adequacy {
            country,
            decision,
            extent,
            scope,
            from,
            until,
            source,
            as_of,
            note,
        };
        self.adequacy.push(Placed { value, place });
    }
}

/// A regime as the catalogue writes it: adequacy is written as decisions.
fn membership(entry: &mut Entry<'_, '_, '_>, field: &'static str) -> Option<Regime> {
    let text = entry.text(field)?;
    let regime = entry.word_of::<Regime>(&text)?;
    if matches!(regime, Regime::Adequate | Regime::AdequatePartial) {
        let what = format!("adequacy is not a regime of {}", entry.label);
        let remedy = "write THIRD here and an [[adequacy]] entry with its date";
        entry.problems.add(text.place, what, remedy);
        return None;
    }
    Some(regime)
}
