//! Names: which flows wait for one, which names may be asked for, and what the words of the language
//! say of how a name was learned.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use std::net::IpAddr;

use common::{AT, DESTINATIONS, HOSTS, SmallAtlas, parse, policy_text, policy_text_of, profile};
use octroi_abi::rules::{NAMES_STRICT, RULE_DEFAULT};
use octroi_geo_db::profile::Profile;
use octroi_policy::{
    ClassMap as _, EchSeen, NamesMode, Naming, Opaque, Policy, QueryVerdict, Subject,
};
use proptest::prelude::*;
use proptest::sample::select;

/// The names that random policies name, one below each, and one that nobody knows.
const NAMES: [&str; 12] = [
    "zoom.us",
    "eu.zoom.us",
    "example.org",
    "www.example.org",
    "teams.microsoft.com",
    "eu.teams.microsoft.com",
    "tchap.gouv.fr",
    "oodrive.com",
    "nobody.invalid",
    "grabify.link",
    "x1.canarytokens.com",
    "grabify.invalid",
];
const SPEECH: [Option<&str>; 5] = [None, Some("tls"), Some("quic"), Some("ssh"), Some("rtp")];
const NAMED: [Naming; 4] = [
    Naming::Dns,
    Naming::Confirmed,
    Naming::Unasked,
    Naming::Contradicted,
];

fn subject<'a>(
    policy: &Policy,
    atlas: &'a SmallAtlas,
    profile: &'a Profile,
    destination: IpAddr,
) -> Subject<'a> {
    Subject {
        catalogue: &atlas.catalogue,
        zone: 0,
        destination,
        profile,
        asn: atlas.asn_of(policy.looked_up(destination)),
        protocol: 6,
        port: 443,
        name: None,
        naming: Naming::Pending,
        speaks: None,
        ech: EchSeen::None,
        chain: &[],
        opaque: Opaque::None,
        at: AT,
    }
}

/// Whether some way of learning some name, or that there is none, stops a flow that passes without.
fn a_name_stops(policy: &Policy, atlas: &SmallAtlas, unnamed: Subject<'_>) -> bool {
    if policy.evaluate(&unnamed).verdict.stops() {
        return false;
    }
    let stops = |name: Option<&str>, profile: &Profile, namings: &[Naming]| {
        namings.iter().any(|&naming| {
            SPEECH.iter().any(|&speaks| {
                EchSeen::ALL.iter().any(|&ech| {
                    let named = Subject {
                        name,
                        naming,
                        speaks,
                        ech,
                        profile,
                        ..unnamed
                    };
                    policy.evaluate(&named).verdict.stops()
                })
            })
        })
    };
    let laid = |service: &str| {
        atlas
            .catalogue
            .profile_with_service(unnamed.profile, service)
    };
    if stops(None, unnamed.profile, &[Naming::Nameless]) {
        return true;
    }
    let by_name = NAMES
        .iter()
        .any(|&name| match atlas.catalogue.service_of_domain(name) {
            Some(service) => stops(Some(name), &laid(&service.id), &NAMED),
            None => stops(Some(name), unnamed.profile, &NAMED),
        });
    by_name
        || atlas.catalogue.services().any(|service| {
            let profile = laid(&service.id);
            let own = service.domains.iter().take(1).map(AsRef::as_ref);
            // A name of nobody's whose CNAME leads there.
            let vanity = [
                "nobody.invalid",
                "www.example.org",
                "grabify.link",
                "x1.canarytokens.com",
                "grabify.invalid",
            ];
            { own.chain(vanity) }.any(|name| stops(Some(name), &profile, &NAMED))
        })
}

fn waits(policy: &Policy, atlas: &SmallAtlas, zone: u8, class: u16) -> bool {
    let tables = policy.compile(atlas, AT).unwrap();
    tables.rule_set(zone, class).unwrap().flags & NAMES_STRICT != 0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Where ports and addresses play no part, exactly those cells wait that a name could stop.
    #[test]
    fn a_cell_waits_exactly_when_a_name_could_stop_it(
        text in policy_text_of(false),
        profiles in proptest::collection::vec(profile(), 1..4),
    ) {
        let policy = parse(&text);
        let atlas = SmallAtlas::new(profiles);
        let tables = policy.compile(&atlas, AT).unwrap();
        let destination = "8.8.8.8".parse().unwrap();
        for (class, profile) in (0u16..).zip(atlas.profiles()) {
            for zone in 0..=3 {
                let asked = Subject { zone, ..subject(&policy, &atlas, profile, destination) };
                let strict = policy.names == NamesMode::Strict && policy.enforced();
                let wanted = strict && a_name_stops(&policy, &atlas, asked);
                let flags = tables.rule_set(zone, class).unwrap().flags;
                prop_assert_eq!(
                    flags & NAMES_STRICT != 0, wanted,
                    "class {} zone {} {:?}\n{}", class, zone, profile, text
                );
            }
        }
    }

    /// Whatever the rules ask of ports and addresses, a flow that does not wait is stopped by no name.
    #[test]
    fn a_cell_that_does_not_wait_is_stopped_by_no_name(
        text in policy_text(),
        profile in profile(),
        destination in select(&DESTINATIONS[..]),
        packet in select(vec![(6u8, 443u16), (6, 80), (17, 443), (17, 5000), (1, 0)]),
    ) {
        let text = text
            .replace("names = \"observe\"", "names = \"strict\"")
            .replace("mode = \"monitor\"", "mode = \"enforce\"");
        let policy = parse(&text);
        let atlas = SmallAtlas::new(vec![profile]);
        let tables = policy.compile(&atlas, AT).unwrap();
        for zone in 0..=3 {
            if tables.rule_set(zone, 1).unwrap().flags & NAMES_STRICT != 0 {
                continue;
            }
            let (protocol, port) = packet;
            let asked = Subject {
                zone,
                protocol,
                port,
                ..subject(&policy, &atlas, &atlas.profiles()[1], destination.parse().unwrap())
            };
            prop_assert!(!a_name_stops(&policy, &atlas, asked), "zone {} {}", zone, text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// A name that must not be asked for leads nowhere, wherever and however it leads.
    #[test]
    fn a_forbidden_name_is_stopped_at_every_address(
        text in policy_text(),
        profiles in proptest::collection::vec(profile(), 1..6),
        vanity in select(&["zoom", "tchap", "ms-teams"][..]),
        speaks in select(&SPEECH[..]),
        ech in select(&EchSeen::ALL[..]),
        packet in select(vec![(6u8, 443u16), (6, 80), (17, 53), (17, 5000), (1, 0)]),
    ) {
        let policy = parse(&text);
        let atlas = SmallAtlas::new(profiles);
        for zone in 0..=3 {
            for name in HOSTS.iter().chain(&NAMES).copied() {
                let verdict = policy.judge_query(&atlas.catalogue, zone, name, AT);
                let QueryVerdict::Forbidden { rule, verdict } = verdict else {
                    continue;
                };
                prop_assert!(verdict.stops());
                prop_assert!(rule == RULE_DEFAULT || policy.rule(rule).is_some());
                let own = atlas.catalogue.service_of_domain(name);
                let is_own = |destination: IpAddr| {
                    let looked_up = policy.looked_up(destination);
                    looked_up.to_canonical() != destination.to_canonical()
                        || policy.zone_of(looked_up) != 0
                };
                for destination in DESTINATIONS {
                    for profile in atlas.profiles() {
                        let special = is_own(destination.parse().unwrap()) || profile.special.is_some();
                        if packet.1 == 53 || own.is_some() && special {
                            // Judged when it is used.
                            continue;
                        }
                        let service = own.map_or(vanity, |service| service.id.as_ref());
                        let laid = atlas.catalogue.profile_with_service(profile, service);
                        let plain = own.is_none().then_some(profile.as_ref());
                        for (profile, naming) in [Some(&laid), plain]
                            .into_iter()
                            .flatten()
                            .flat_map(|profile| NAMED.map(|naming| (profile, naming)))
                        {
                            let asked = Subject {
                                zone,
                                name: Some(name),
                                naming,
                                speaks,
                                ech,
                                protocol: packet.0,
                                port: packet.1,
                                ..subject(&policy, &atlas, profile, destination.parse().unwrap())
                            };
                            let decision = policy.evaluate(&asked);
                            prop_assert!(
                                decision.verdict.stops(),
                                "{} at {} {:?}: {:?}\n{}", name, destination, profile, decision, text
                            );
                        }
                    }
                }
            }
        }
    }
}

const HEAD: &str =
    "[policy]\nname = \"n\"\nmode = \"enforce\"\nnames = \"strict\"\ndefault = \"block\"\n";

fn french() -> Profile {
    use octroi_geo_db::profile::{Hosting, HostingConfidence};
    Profile {
        hosting: Hosting {
            country: "FR".parse().ok(),
            confidence: HostingConfidence::Located,
        },
        ..Profile::unknown()
    }
}

#[test]
fn only_cells_that_a_name_could_stop_wait() {
    let atlas = SmallAtlas::new(vec![french()]);
    let france = "[[rule]]\nid = \"fr\"\nverdict = \"allow\"\nhosting = [\"FR\"]\n";
    let banned = "[[rule]]\nid = \"no\"\nverdict = \"reject\"\nname = [\"bad.example.org\"]\n";
    let plain = parse(&format!("{HEAD}{france}{banned}"));
    assert!(!waits(&plain, &atlas, 0, 1), "the rule comes too late");
    let first = parse(&format!("{HEAD}{banned}{france}"));
    assert!(waits(&first, &atlas, 0, 1));
    assert!(
        !waits(&first, &atlas, 0, 0),
        "what is stopped anyway need not wait"
    );
    let observed = parse(&format!("{HEAD}{banned}{france}").replace("strict", "observe"));
    assert!(!waits(&observed, &atlas, 0, 1));
    let monitored = parse(&format!("{HEAD}{banned}{france}").replace("enforce", "monitor"));
    assert!(!waits(&monitored, &atlas, 0, 1));
    let opened = "[[rule]]\nid = \"yes\"\nverdict = \"allow\"\nname = [\"good.example.org\"]\nhosting = [\"FR\"]\n";
    let opening = parse(&format!("{HEAD}{opened}{france}"));
    assert!(
        !waits(&opening, &atlas, 0, 1),
        "a name that only opens stops nothing"
    );
    let lacking = "[[rule]]\nid = \"bare\"\nverdict = \"reject\"\nnaming = [\"nameless\"]\n";
    let nameless = parse(&format!("{HEAD}{lacking}{france}"));
    assert!(waits(&nameless, &atlas, 0, 1), "the lack of a name stops");
    let shadow = parse(&format!("{HEAD}{banned}shadow = true\n{france}"));
    assert!(!waits(&shadow, &atlas, 0, 1), "a shadow rule stops nothing");
}

#[test]
fn nothing_is_known_of_a_name_that_may_still_come() {
    let text = format!(
        "{HEAD}[[rule]]\nid = \"bare\"\nverdict = \"reject\"\nnaming = [\"nameless\"]\n\
         [[rule]]\nid = \"odd\"\nverdict = \"reject\"\nspeaks = [\"!tls\"]\nech = [\"none\"]\n\
         [[rule]]\nid = \"rest\"\nverdict = \"allow\"\n"
    );
    let policy = parse(&text);
    let atlas = SmallAtlas::new(vec![french()]);
    let profile = french();
    let base = subject(&policy, &atlas, &profile, "192.0.2.1".parse().unwrap());
    let judged = |naming, name, speaks, ech| {
        let decision = policy.evaluate(&Subject {
            naming,
            name,
            speaks,
            ech,
            ..base
        });
        (
            policy.rule_name(decision.rule).to_owned(),
            decision.names_matter,
        )
    };
    let rest = |matter| ("rest".to_owned(), matter);
    assert_eq!(
        judged(Naming::Pending, None, None, EchSeen::None),
        rest(true)
    );
    assert_eq!(
        judged(Naming::Pending, None, Some("ssh"), EchSeen::None),
        rest(true)
    );
    // DNS told a name, and the client has not spoken.
    assert_eq!(
        judged(Naming::Dns, Some("a.org"), None, EchSeen::None),
        rest(false)
    );
    let odd = ("odd".to_owned(), false);
    assert_eq!(
        judged(Naming::Dns, Some("a.org"), Some("ssh"), EchSeen::None),
        odd
    );
    assert_eq!(
        judged(Naming::Confirmed, Some("a.org"), None, EchSeen::None),
        odd
    );
    assert_eq!(
        judged(Naming::Confirmed, Some("a.org"), None, EchSeen::Real),
        rest(false)
    );
    assert_eq!(
        judged(Naming::Confirmed, Some("a.org"), Some("tls"), EchSeen::None),
        rest(false)
    );
    let lacking = ("bare".to_owned(), false);
    assert_eq!(
        judged(Naming::Nameless, None, Some("tls"), EchSeen::None),
        lacking
    );
}

#[test]
fn a_query_is_refused_only_when_no_address_would_do() {
    let atlas = SmallAtlas::new(Vec::new());
    let judge = |rules: &str, name: &str| {
        let policy = parse(&format!("{HEAD}{rules}"));
        match policy.judge_query(&atlas.catalogue, 0, name, AT) {
            QueryVerdict::Open => "open".to_owned(),
            QueryVerdict::Forbidden { rule, verdict } => {
                format!("{} by {}", verdict.name(), policy.rule_name(rule))
            }
        }
    };
    let own = "[[rule]]\nid = \"own\"\nverdict = \"allow\"\nspecial = [\"private\"]\n";
    let tools = "[[rule]]\nid = \"tools\"\nverdict = \"reject\"\nservice = [\"zoom\"]\n";
    let union = "[[rule]]\nid = \"union\"\nverdict = \"allow\"\nhosting = [\"EU\"]\n";
    assert_eq!(
        judge(&format!("{tools}{own}{union}"), "eu.zoom.us"),
        "reject by tools"
    );
    assert_eq!(
        judge(&format!("{tools}{own}{union}"), "www.example.org"),
        "open"
    );
    assert_eq!(
        judge(&format!("{own}{tools}{union}"), "zoom.us"),
        "reject by tools",
        "a public service is not one's own"
    );
    let resolver = "[[rule]]\nid = \"dns\"\nverdict = \"allow\"\nports = [53]\n";
    assert_eq!(
        judge(&format!("{resolver}{tools}{union}"), "zoom.us"),
        "reject by tools"
    );
    let exempt = "[[rule]]\nid = \"x\"\nverdict = \"flag\"\nprefix = [\"192.0.2.0/24\"]\n";
    assert_eq!(
        judge(&format!("{exempt}{tools}{union}"), "zoom.us"),
        "open",
        "it may be exempted"
    );
    assert_eq!(judge("", "www.example.org"), "block by default");
    // The service behind a name brings its law: no address takes it away.
    let law = "[[rule]]\nid = \"law\"\nverdict = \"reject\"\nreach = [\"controlled\"]\n";
    assert_eq!(judge(&format!("{law}{union}"), "zoom.us"), "reject by law");
    assert_eq!(judge(&format!("{law}{union}"), "tchap.gouv.fr"), "open");
    let ports = tools.replace("service", "ports = [443]\nservice");
    assert_eq!(
        judge(&format!("{ports}{union}"), "zoom.us"),
        "open",
        "another port may do"
    );
    let said = tools.replace("service", "naming = [\"contradicted\"]\nservice");
    assert_eq!(judge(&format!("{said}{union}"), "zoom.us"), "open");
    let others = tools.replace("service = [\"zoom\"]", "name = [\"*.example.org\"]");
    assert_eq!(
        judge(&format!("{others}{union}"), "A.Example.org."),
        "reject by tools"
    );
}
