//! Reading laws and the texts a policy can rest on.

use super::super::entry::{Entry, Placed};
use super::super::law::{Basis, Force, Law, LawClass, Period};
use super::{Draft, Target, id_of};

impl Draft {
    pub(super) fn law(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "law");
        let name = entry.bilingual("name");
        let country = entry.text("country");
        let country = self.code(entry, country.as_ref(), Target::Lawmaker);
        let class = entry.word::<LawClass>("class");
        let extraterritorial = entry.flag("extraterritorial");
        let reach = entry.owned("reach");
        let sentence = entry.bilingual("sentence");
        let citation = entry.optional_owned("citation");
        let several = entry.has("periods");
        let mut periods = entry.tables("periods", |period| {
            let (from, until) = period.period();
            let force = period.optional_word::<Force>("force");
            let remark = period.optional_bilingual("remark");
            let source = period.owned("source");
            let as_of = period.date("as_of");
            Some(Period {
                from,
                until,
                force: force.unwrap_or(Force::Statute),
                remark,
                source,
                as_of: as_of?,
            })
        });
        if several && (entry.has("from") || entry.has("until")) {
            let what = format!(
                "{} has \"periods\" beside \"from\" or \"until\"",
                entry.label
            );
            let place = entry.place;
            entry.problems.add(place, what, "write all days in periods");
        }
        let (from, until) = entry.period();
        let (source, as_of, note) = entry.provenance();
        if !several {
            periods.push(Period {
                from,
                until,
                force: Force::Statute,
                remark: None,
                source: source.clone(),
                as_of,
            });
        }
        let (Some(id), Some(name), Some(country), Some(class), Some(sentence)) =
            (id, name, country, class, sentence)
        else {
            return;
        };
        let value = Law {
            id: id.value,
            name,
            country,
            class,
            extraterritorial,
            reach,
            sentence,
            citation,
            periods,
            source,
            as_of,
            note,
        };
        self.laws.push(Placed {
            value,
            place: id.place,
        });
    }

    pub(super) fn basis(&mut self, entry: &mut Entry<'_, '_, '_>) {
        let id = id_of(entry, "basis");
        let title = entry.bilingual("title");
        let reference = entry.optional_owned("reference");
        let date = entry.date("date");
        let (from, until) = entry.period();
        let effect = entry.bilingual("effect");
        let url = entry.optional_owned("url");
        let (source, as_of, note) = entry.provenance();
        let (Some(id), Some(title), Some(date), Some(effect)) = (id, title, date, effect) else {
            return;
        };
        let value = Basis {
            id: id.value,
            title,
            reference,
            date,
            from,
            until,
            effect,
            url,
            source,
            as_of,
            note,
        };
        self.basis.push(Placed {
            value,
            place: id.place,
        });
    }
}
