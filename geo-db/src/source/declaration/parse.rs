//! From the TOML text of a declaration to its sources; every problem with line, column, remedy.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use toml::Spanned;

use super::{Declaration, DeclaredSource, Origin, Package, Registry};
use crate::catalogue::problem::did_you_mean;
use crate::source::SourceError;
use crate::source::kind::{Says, SourceKind};
use crate::source::m365;
use crate::source::toml_fields::{Fields, Sheet, shown};

/// More sources than this are a mistake.
const MAX_SOURCES: usize = 1000;

/// The highest bound that may be declared.
const MAX_DECLARED_BYTES: u64 = 4 << 30;

/// Service areas with their services, and where they stand.
type Areas = (usize, BTreeMap<String, String>);

pub(super) fn parse(file: &str, text: &str) -> Result<Declaration, SourceError> {
    let (mut sheet, mut top) = Sheet::parse(file, text)?;
    let tables = top.tables(&mut sheet, "source");
    if tables.len() > MAX_SOURCES {
        return Err(SourceError::TooLarge {
            file: file.to_owned(),
            unit: "sources",
            limit: MAX_SOURCES as u64,
            remedy: "declare fewer sources",
        });
    }
    // Read by the guards themselves, which know their keys.
    top.table(&mut sheet, "guards");
    top.tables(&mut sheet, "sentinel");
    top.finish(&mut sheet);
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut sources = Vec::with_capacity(tables.len());
    for table in tables {
        let at = table.offset();
        let Some(source) = source(&mut sheet, table) else {
            continue;
        };
        if let Some(first) = seen.insert(source.id.clone(), at) {
            let what = format!("source \"{}\" is declared twice", source.id);
            let remedy = format!("first at {}; give one another id", sheet.tell(first));
            sheet.add(at, what, remedy);
        }
        sources.push(source);
    }
    sheet.finish()?;
    Ok(Declaration {
        file: file.to_owned(),
        sources,
    })
}

fn source(sheet: &mut Sheet<'_>, mut fields: Fields<'_>) -> Option<DeclaredSource> {
    let id = fields
        .required(sheet, "id", "give the source a short name")
        .filter(|id| is_id(sheet, "id", id));
    let kind = kind(sheet, &mut fields);
    let mut members = Vec::new();
    let origin = origin(sheet, &mut fields, &mut members);
    let says = says(sheet, &mut fields);
    let priority = fields.number(sheet, "priority", 0..=u64::from(u16::MAX));
    let licence = if kind == Some(SourceKind::Overrides) {
        fields.text(sheet, "licence")
    } else {
        let remedy = "name the licence of the data, such as \"CC BY 4.0\"";
        fields.required(sheet, "licence", remedy)
    };
    let attribution = fields.text(sheet, "attribution");
    let date = fields.date(sheet, "date");
    let provider = fields
        .text(sheet, "provider")
        .filter(|text| is_id(sheet, "provider", text));
    let service = fields
        .text(sheet, "service")
        .filter(|text| is_id(sheet, "service", text));
    let areas = services(sheet, &mut fields);
    let max_bytes = fields.number(sheet, "max_bytes", 1..=MAX_DECLARED_BYTES);
    let at = fields.offset();
    fields.finish(sheet);

    let kind = kind?;
    fitting(sheet, at, kind, (&provider, &service), (&says, &areas));
    let text = |value: Option<Spanned<String>>| value.map(Spanned::into_inner);
    Some(DeclaredSource {
        id: text(id)?,
        kind,
        origin: origin?,
        says: says
            .unwrap_or_default()
            .into_iter()
            .map(Spanned::into_inner)
            .collect(),
        priority: priority
            .and_then(|number| number.try_into().ok())
            .unwrap_or(kind.default_priority()),
        licence: text(licence).unwrap_or_default(),
        attribution: text(attribution).unwrap_or_default(),
        date: date.map(Spanned::into_inner),
        provider: text(provider),
        service: text(service),
        services: match (areas, kind) {
            (Some(areas), _) => areas.1,
            (None, SourceKind::M365) => m365::default_services(),
            (None, _) => BTreeMap::new(),
        },
        members,
        max_bytes: max_bytes.unwrap_or(kind.default_max_bytes()),
    })
}

/// What only some kinds have, and what some kinds must have.
fn fitting(
    sheet: &mut Sheet<'_>,
    at: usize,
    kind: SourceKind,
    (provider, service): (&Option<Spanned<String>>, &Option<Spanned<String>>),
    (says, areas): (&Option<Vec<Spanned<Says>>>, &Option<Areas>),
) {
    let mut refuse = |offset: usize, key: &str, kinds: &str| {
        let what = format!("\"{key}\" means nothing for kind \"{}\"", kind.name());
        sheet.add(offset, what, format!("leave it out; it belongs to {kinds}"));
    };
    let lists = matches!(kind, SourceKind::Geofeed | SourceKind::PrefixList);
    if let Some(provider) = provider.as_ref().filter(|_| !lists) {
        refuse(provider.span().start, "provider", "geofeed and prefix_list");
    }
    if let Some(service) = service.as_ref().filter(|_| kind != SourceKind::PrefixList) {
        refuse(service.span().start, "service", "prefix_list");
    }
    if let Some(first) = says
        .as_ref()
        .filter(|_| !kind.has_says())
        .and_then(|says| says.first())
    {
        refuse(first.span().start, "says", "mmdb and range_csv");
    }
    if let Some((offset, _)) = areas.as_ref().filter(|_| kind != SourceKind::M365) {
        refuse(*offset, "services", "m365");
    }
    if kind == SourceKind::Geofeed && provider.is_none() {
        let remedy = "say whose prefixes they are, such as provider = \"ovh\"";
        sheet.add(at, "\"provider\" is missing".to_owned(), remedy);
    }
    if kind == SourceKind::PrefixList && provider.is_none() && service.is_none() {
        let what = "neither \"provider\" nor \"service\" is there".to_owned();
        let remedy = "say whose prefixes they are, or which service they carry";
        sheet.add(at, what, remedy);
    }
}

fn is_id(sheet: &mut Sheet<'_>, key: &str, id: &Spanned<String>) -> bool {
    const MAX_ID_BYTES: usize = 64;
    let text = id.get_ref();
    let good = text.len() <= MAX_ID_BYTES
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
        })
        && text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !good {
        sheet.add(
            id.span().start,
            format!("{key}: \"{}\" is not an id", shown(text)),
            "use a to z, 0 to 9, \".\", \"_\" and \"-\", at most 64, a letter or digit first",
        );
    }
    good
}

fn kind(sheet: &mut Sheet<'_>, fields: &mut Fields<'_>) -> Option<SourceKind> {
    let names = || SourceKind::ALL.into_iter().map(SourceKind::name);
    let all = names().collect::<Vec<_>>().join(", ");
    let word = fields.required(sheet, "kind", &format!("one of: {all}"))?;
    let found = SourceKind::from_name(word.get_ref());
    if found.is_none() {
        let text = shown(word.get_ref());
        let remedy = did_you_mean(&text, names(), &format!("expected one of: {all}"));
        let what = format!("\"{text}\" is not a kind of source");
        sheet.add(word.span().start, what, remedy);
    }
    found
}

fn says(sheet: &mut Sheet<'_>, fields: &mut Fields<'_>) -> Option<Vec<Spanned<Says>>> {
    let words = fields.texts(sheet, "says")?;
    let mut out: Vec<Spanned<Says>> = Vec::new();
    for word in words {
        let at = word.span();
        let text = shown(word.get_ref());
        let Some(found) = Says::ALL.into_iter().find(|says| says.name() == text) else {
            let all = Says::ALL.map(Says::name);
            let listed = format!("expected one of: {}", all.join(", "));
            let remedy = did_you_mean(&text, all, &listed);
            sheet.add(at.start, format!("says: \"{text}\" is not known"), remedy);
            continue;
        };
        if out.iter().any(|says| *says.get_ref() == found) {
            let what = format!("says: \"{text}\" stands twice");
            sheet.add(at.start, what, "leave one out");
            continue;
        }
        if found == Says::SystemCountry && out.iter().any(|says| *says.get_ref() == Says::Location)
            || found == Says::Location
                && out
                    .iter()
                    .any(|says| *says.get_ref() == Says::SystemCountry)
        {
            sheet.add(
                at.start,
                "says: location and system_country exclude each other".to_owned(),
                "a file has one country: say which of the two it is",
            );
        }
        out.push(Spanned::new(at, found));
    }
    Some(out)
}

fn services(sheet: &mut Sheet<'_>, fields: &mut Fields<'_>) -> Option<Areas> {
    let table = fields.table(sheet, "services")?;
    let at = table.offset();
    let pairs = table.all_texts(sheet);
    let good = pairs
        .into_iter()
        .filter(|(_, id)| is_id(sheet, "services", id))
        .map(|(area, id)| (area.into_inner(), id.into_inner()));
    Some((at, good.collect()))
}

fn origin(
    sheet: &mut Sheet<'_>,
    fields: &mut Fields<'_>,
    members: &mut Vec<String>,
) -> Option<Origin> {
    let path = fields.text(sheet, "path");
    let url = fields.text(sheet, "url");
    let package = fields.table(sheet, "package");
    let texts = |list: Option<Vec<Spanned<String>>>| {
        list.unwrap_or_default()
            .into_iter()
            .map(Spanned::into_inner)
    };
    members.extend(texts(fields.texts(sheet, "members")));
    match (path, url, package) {
        (Some(path), None, None) => Some(Origin::Path(PathBuf::from(path.into_inner()))),
        (None, Some(url), None) => address(sheet, &url).then(|| Origin::Url(url.into_inner())),
        (None, None, Some(mut table)) => {
            let package = package_of(sheet, &mut table);
            members.extend(texts(table.texts(sheet, "members")));
            table.finish(sheet);
            package.map(Origin::Package)
        }
        (None, None, None) => {
            let what = "none of \"path\", \"url\" and \"package\" is right".to_owned();
            let remedy = "say where the data comes from, with one of them";
            sheet.add(fields.offset(), what, remedy);
            None
        }
        _ => {
            let what = "more than one of \"path\", \"url\" and \"package\"".to_owned();
            sheet.add(fields.offset(), what, "keep one of them");
            None
        }
    }
}

fn address(sheet: &mut Sheet<'_>, url: &Spanned<String>) -> bool {
    let text = url.get_ref();
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let remedy = match host {
        Some("") | None => "write https:// (or http://), a host and a path",
        Some(host) if host.contains('@') => "leave user and password out",
        Some(_) if text.chars().any(|c| c.is_whitespace() || c.is_control()) => {
            "leave white space out (%20 stands for a blank)"
        }
        Some(_) => return true,
    };
    let what = format!("url: \"{}\" is not an address of data", shown(text));
    sheet.add(url.span().start, what, remedy);
    false
}

fn package_of(sheet: &mut Sheet<'_>, table: &mut Fields<'_>) -> Option<Package> {
    let registry = table.required(sheet, "registry", "npm or pypi");
    let name = table.required(sheet, "name", "give the name of the package");
    let version = table.required(sheet, "version", "pin the version");
    let file = table.required(sheet, "file", "give the name of the package's file");
    let remedy = "pin the bytes: sha512- or sha256- and the digest in hexadecimal";
    let integrity = table.required(sheet, "integrity", remedy);
    let registry = registry.and_then(|word| {
        let found = Registry::ALL
            .into_iter()
            .find(|registry| registry.name() == word.get_ref());
        if found.is_none() {
            let text = shown(word.get_ref());
            let remedy = did_you_mean(&text, ["npm", "pypi"], "expected npm or pypi");
            let what = format!("registry: \"{text}\" is not known");
            sheet.add(word.span().start, what, remedy);
        }
        found
    })?;
    let file = file?;
    if file.get_ref().contains(['/', '\\']) || file.get_ref().starts_with('.') {
        let what = format!("file: \"{}\" is not a plain name", shown(file.get_ref()));
        sheet.add(file.span().start, what, "leave directories out");
    }
    let integrity = integrity?;
    if !Package::is_integrity(integrity.get_ref()) {
        let what = format!("integrity: \"{}\" is no digest", shown(integrity.get_ref()));
        sheet.add(integrity.span().start, what, remedy);
    }
    Some(Package {
        registry,
        name: name?.into_inner(),
        version: version?.into_inner(),
        file: file.into_inner(),
        integrity: integrity.into_inner(),
    })
}
