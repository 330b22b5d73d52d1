//! How long a judgement and a compilation take.
//!
//! Budgets: 1 us for a judgement under 50 rules, 50 ms to compile 4 zones for 10,000 classes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use ipnet::IpNet;
use octroi_geo_db::Catalogue;
use octroi_geo_db::profile::{Hosting, HostingConfidence, Profile};
use octroi_policy::{ClassMap, EchSeen, Naming, Opaque, Policy, Subject};

const RULES: usize = 50;
const CLASSES: usize = 10_000;

struct Atlas {
    catalogue: Arc<Catalogue>,
    profiles: Vec<Arc<Profile>>,
}

impl ClassMap for Atlas {
    fn profiles(&self) -> &[Arc<Profile>] {
        &self.profiles
    }

    fn prefixes_of_asn(&self, _: u32) -> Vec<IpNet> {
        Vec::new()
    }

    fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }
}

/// Distinct profiles: every country with every operator, until there are enough.
fn atlas() -> Atlas {
    let catalogue = Catalogue::embedded().expect("the embedded catalogue is sound");
    let mut profiles = vec![Arc::new(Profile::unknown())];
    'all: for country in catalogue.countries() {
        for operator in catalogue.operators() {
            if profiles.len() == CLASSES {
                break 'all;
            }
            profiles.push(Arc::new(Profile {
                hosting: Hosting {
                    country: Some(country.code),
                    confidence: HostingConfidence::Located,
                },
                control: catalogue.control_of_operator(operator),
                ..Profile::unknown()
            }));
        }
    }
    Atlas {
        catalogue,
        profiles,
    }
}

/// Four zones and 50 rules of every kind; the last but one catches what the others leave.
fn policy(catalogue: &Catalogue) -> Policy {
    let mut text =
        "[policy]\nname = \"bench\"\nmode = \"enforce\"\ndefault = \"block\"\n".to_owned();
    for zone in 0..4 {
        let _ = writeln!(
            text,
            "[[zone]]\nname = \"z{zone}\"\nprefixes = [\"10.{zone}.0.0/16\"]"
        );
    }
    let kinds = [
        "hosting = [\"CN\", \"RU\"]\ncontrol = [\"THIRD\"]",
        "from = [\"z1\"]\nservice = [\"ms-teams\", \"zoom\", \"webex\"]",
        "laws = [\"us_fisa_702\"]\nhosting = [\"THIRD\", \"!US\"]",
        "operator = [\"ovh\", \"scaleway\"]\nports = [22]\nprotocol = [\"tcp\"]",
        "category = [\"video\"]\nsovereign = false",
        "name = [\"*.example.org\"]",
        "qualification = [\"secnumcloud\"]\nhosting = [\"EU\"]",
        "prefix = [\"192.0.2.0/24\"]\nprotocol = [\"udp\"]\nports = [53]",
    ];
    for number in 0..RULES - 1 {
        let kind = kinds[number % kinds.len()];
        let _ = writeln!(
            text,
            "[[rule]]\nid = \"r{number}\"\nverdict = \"reject\"\n{kind}"
        );
    }
    text.push_str("[[rule]]\nid = \"last\"\nverdict = \"allow\"\nhosting = [\"EEA\"]\n");
    Policy::parse(&text, "bench.toml", catalogue).expect("the bench's policy is sound")
}

fn bench(criterion: &mut Criterion) {
    let atlas = atlas();
    let policy = policy(&atlas.catalogue);
    let at = jiff::civil::date(2026, 11, 21);
    let french = atlas.profiles.iter().find(|profile| {
        let operator = profile.control.operator.as_deref();
        let country = profile.hosting.country;
        country.is_some_and(|code| code.as_str() == "DE") && operator == Some("ovh")
    });
    let unknown = Profile::unknown();
    let subject = Subject {
        catalogue: &atlas.catalogue,
        zone: 2,
        destination: "51.210.0.1".parse().expect("an address"),
        profile: french.map_or(&unknown, Arc::as_ref),
        asn: Some(16276),
        protocol: 6,
        port: 443,
        name: Some("www.example.com"),
        naming: Naming::Confirmed,
        speaks: None,
        ech: EchSeen::None,
        chain: &[],
        opaque: Opaque::None,
        at,
    };
    criterion.bench_function("evaluate, 50 rules, decided by the last", |bencher| {
        bencher.iter(|| policy.evaluate(black_box(&subject)));
    });
    let unnamed = Subject {
        name: None,
        ..subject
    };
    criterion.bench_function("evaluate, 50 rules, name not known", |bencher| {
        bencher.iter(|| policy.evaluate(black_box(&unnamed)));
    });
    criterion.bench_function("compile, 4 zones, 10,000 classes, 50 rules", |bencher| {
        bencher.iter(|| policy.compile(black_box(&atlas), at));
    });
}

criterion_group! {
    name = policies;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = bench
}
criterion_main!(policies);
