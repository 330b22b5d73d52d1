//! The language: what is accepted, and what is refused with its place and its remedy.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use octroi_geo_db::Catalogue;
use octroi_policy::{Diagnostics, Mode, Opaque, Policy, Verdict};

const HEAD: &str = "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n";
/// Lines of [`HEAD`] and [`ZONES`] before the first line of a case.
const ZONES: &str = "[[zone]]\nname = \"cabinet\"\nprefixes = [\"10.10.0.0/16\"]\n\
                     [[zone]]\nname = \"guests\"\nprefixes = [\"10.20.0.0/16\"]\n";

fn parse(text: &str) -> Result<Policy, Diagnostics> {
    Policy::parse(text, "p.toml", &Catalogue::embedded().unwrap())
}

fn errors(text: &str) -> String {
    match parse(text) {
        Ok(policy) => panic!("accepted: {policy}\n{text}"),
        Err(errors) => errors.to_string(),
    }
}

/// Conditions of a rule, and the one line they are refused with; line 12 is the first of them.
const REFUSED_CONDITIONS: &[(&str, &str)] = &[
    (
        "hostng = [\"FR\"]",
        "12:1: [[rule]] has no key \"hostng\" (did you mean \"hosting\"?)",
    ),
    (
        "hosting = \"FR\"",
        "12:11: hosting is a string (a list is expected: hosting = [\"FR\"])",
    ),
    (
        "hosting = []",
        "12:11: hosting is an empty list, which nothing satisfies (name at least one value, or \
         leave hosting out to ask nothing)",
    ),
    (
        "hosting = [\"fr\"]",
        "12:12: hosting: \"fr\" is no country or group of countries (write \"FR\")",
    ),
    (
        "hosting = [\"UK\"]",
        "12:12: hosting: \"UK\" is no country or group of countries (the code of the United \
         Kingdom is \"GB\")",
    ),
    (
        "hosting = [\"FR\", \"FR\"]",
        "12:18: hosting names \"FR\" twice (remove one of them)",
    ),
    (
        "hosting = [\"FR\", \"!FR\"]",
        "12:18: hosting names \"FR\" and its negation (keep one of them)",
    ),
    (
        "hosting = [\"FR\"]\nconfidence = [\"located\", \"unknown\"]",
        "13:14: confidence \"unknown\" has no country, so it never meets the condition on hosting \
         (write a rule of its own for it, without hosting)",
    ),
    (
        "confidence = [\"!located\"]",
        "12:15: confidence cannot be \"!located\" (confidence takes no negation: name the values \
         that are wanted)",
    ),
    (
        "reach = [\"controled\"]",
        "12:10: reach cannot be \"controled\" (did you mean \"controlled\"?)",
    ),
    (
        "from = [\"cabinett\"]",
        "12:9: zone \"cabinett\" is not defined (did you mean \"cabinet\"?)",
    ),
    (
        "to = [\"none\"]",
        "12:7: zone \"none\" is not defined (known: cabinet, guests)",
    ),
    (
        "service = [\"ms-team\"]",
        "12:12: service \"ms-team\" is not in the catalogue (did you mean \"ms-teams\"?)",
    ),
    (
        "laws = [\"us_cloudact\"]",
        "12:9: laws \"us_cloudact\" is not in the catalogue (did you mean \"us_cloud_act\"?)",
    ),
    (
        "sovereign = \"yes\"",
        "12:13: sovereign is a string (true or false is expected)",
    ),
    (
        "asn = [0]",
        "12:8: asn holds 0 (the number of an autonomous system is expected, such as 8075)",
    ),
    (
        "asn = [8075, 8075]",
        "12:14: asn names 8075 twice (remove one of them)",
    ),
    (
        "prefix = [\"192.0.2.1/24\"]",
        "12:11: prefix: \"192.0.2.1/24\" has bits set behind its length (write 192.0.2.0/24)",
    ),
    (
        "prefix = [\"192.0.2.1\"]",
        "12:11: prefix: \"192.0.2.1\" is not a prefix (write 192.0.2.1/32)",
    ),
    (
        "prefix = [\"::ffff:192.0.2.0/120\"]",
        "12:11: prefix: \"::ffff:192.0.2.0/120\" is an IPv4-mapped prefix (write it as an IPv4 \
         prefix)",
    ),
    (
        "name = [\"zoom.*\"]",
        "12:9: \"zoom.*\" is no host name (a star stands for all names below one: \"*.example.org\")",
    ),
    (
        "name = [\"Zoom.us\", \"zoom.us.\"]",
        "12:20: name names \"zoom.us.\" twice (remove one of them)",
    ),
    (
        "protocol = [\"tpc\"]",
        "12:13: protocol cannot be \"tpc\" (did you mean \"tcp\"?)",
    ),
    (
        "protocol = [\"tcp\", 6]",
        "12:20: protocol names 6 twice (remove one of them)",
    ),
    (
        "ports = [\"443-80\"]",
        "12:10: ports: the range 443-80 is inverted (write \"80-443\")",
    ),
    (
        "ports = [443, \"400-500\"]",
        "12:15: ports: 400-500 overlaps 443 (name each port once)",
    ),
    (
        "ports = [0]",
        "12:10: ports holds 0 (a port from 1 to 65535 or a range \"5000-5100\" is expected)",
    ),
    (
        "ports = [\"443\"]\nprotocol = [\"tcp\", \"icmp\"]",
        "12:9: protocol icmpv4 has no ports (write a rule of its own for it, without ports)",
    ),
    (
        "basis = [\"shrems-2\"]",
        "12:10: basis \"shrems-2\" is not in the catalogue (did you mean \"schrems-2\"?)",
    ),
    (
        "title = \" \"",
        "12:9: title is empty (write it or leave the key out)",
    ),
    (
        "shadow = 1",
        "12:10: shadow is an integer (true or false is expected)",
    ),
];

#[test]
fn conditions_are_refused_with_place_and_remedy() {
    for (conditions, expected) in REFUSED_CONDITIONS {
        let text =
            format!("{HEAD}{ZONES}[[rule]] # 11\n{conditions}\nid = \"r\"\nverdict = \"allow\"\n");
        assert_eq!(errors(&text), format!("p.toml:{expected}"), "{text}");
    }
}

#[test]
fn documents_are_refused_with_place_and_remedy() {
    let cases: &[(&str, &str)] = &[
        (
            "",
            "1:1: the [policy] table is missing (add [policy] with name, mode and default)",
        ),
        (
            "[policy]\nname = \"p\"\ndefault = \"drop\"\n",
            "1:1: [policy] has no mode (add mode = \"monitor\" or \"enforce\")\n\
             p.toml:3:11: default cannot be \"drop\" (known: allow, flag, reject, block)",
        ),
        (
            "[rule]\n[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n",
            "1:1: rule is a table ([[rule]], with two brackets, is expected)",
        ),
        (
            "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n[[rule]]\n",
            "5:1: [[rule]] has no id (add id = \"...\": alerts and exports name rules by it)\n\
             p.toml:5:1: rule has no verdict (add verdict = \"allow\", \"flag\", \"reject\" or \
             \"block\")",
        ),
        (
            "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n\
             [policy.opaque]\ngree = \"flag\"\n",
            "6:1: \"gree\" is not a kind of opaque traffic (did you mean \"gre\"?)",
        ),
        (
            "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n\
             [[rule]]\nid = \"a\"\nverdict = \"flag\"\n[[rule]]\nid = \"a\"\nverdict = \"flag\"\n",
            "9:6: rule \"a\" stands twice, first on line 5 (give each rule an id of its own)",
        ),
        (
            "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n\
             [[rule]]\nid = \"default\"\nverdict = \"flag\"\n",
            "6:6: \"default\" cannot be the id of a rule: the word has a meaning of its own (choose \
             another)",
        ),
        (
            "[policy]\nname = \"p\"\nmode = \"enforce\"\ndefault = \"block\"\n\
             [[zone]]\nname = \"a\"\nprefixes = [\"10.0.0.0/8\"]\n\
             [[zone]]\nname = \"b\"\nprefixes = [\"10.0.0.0/8\"]\n",
            "10:13: 10.0.0.0/8 is already in zone \"a\" (an address is in one zone: keep the prefix \
             in one of them)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(errors(text), format!("p.toml:{expected}"), "{text}");
    }
}

#[test]
fn syntax_errors_have_their_place() {
    let found = errors("[policy]\nname = \nmode = \"enforce\n");
    assert!(found.lines().count() >= 2, "{found}");
    assert!(found.starts_with("p.toml:2:"), "{found}");
    assert!(found.contains("p.toml:3:"), "{found}");
}

#[test]
fn all_problems_are_told_at_once() {
    let text = format!("{HEAD}[[rule]]\nid = \"\"\nverdict = \"pass\"\nasn = [\"x\"]\nfoo = 1\n");
    let found = errors(&text);
    assert_eq!(found.lines().count(), 4, "{found}");
}

#[test]
fn bounds_are_enforced() {
    let long = format!("{HEAD}# {}\n", "x".repeat(octroi_policy::MAX_FILE_BYTES));
    assert!(errors(&long).contains("more than 1048576"));
    let zone = |number: u8| {
        format!("[[zone]]\nname = \"z{number}\"\nprefixes = [\"10.{number}.0.0/16\"]\n")
    };
    let many: String = std::iter::once(HEAD.to_owned())
        .chain((0..64).map(zone))
        .collect();
    assert!(errors(&many).contains("the policy has 64 zones, 63 at most"));
}

/// One condition each, and the warning it raises, if any.
#[test]
fn suspicious_rules_raise_warnings() {
    let warnings = |rules: &str| {
        parse(&format!("{HEAD}{ZONES}{rules}"))
            .unwrap()
            .warnings
            .to_string()
    };
    let covered = "[[rule]]\nid = \"a\"\nverdict = \"flag\"\nhosting = [\"EEA\", \"!DE\"]\n\
                   [[rule]]\nid = \"b\"\nverdict = \"reject\"\nhosting = [\"FR\"]\nports = [443]\n";
    assert_eq!(
        warnings(covered),
        "p.toml:15:1: rule \"b\" can never decide: rule \"a\" on line 11 matches all that it does \
         (move it up, narrow the earlier rule, or remove it)"
    );
    let apart = covered.replace("\"FR\"", "\"DE\"");
    assert_eq!(warnings(&apart), "");
    let unused = "[[rule]]\nid = \"a\"\nverdict = \"flag\"\nfrom = [\"cabinet\"]\n";
    assert!(warnings(unused).starts_with("p.toml:8:1: no rule names zone \"guests\""));
    let ended = "[[rule]]\nid = \"a\"\nverdict = \"flag\"\nbasis = [\"circulaire-6282-sg\"]\n";
    assert!(warnings(ended).contains("which ended on 2023-05-30"));
    let forged = "[[rule]]\nid = \"a\"\nverdict = \"allow\"\nservice = [\"oodrive\"]\n";
    assert!(warnings(forged).contains("a client can forge a name"));
    let anchored = format!("{forged}hosting = [\"EU\"]\n");
    assert_eq!(warnings(&anchored), "");
    let presumed = "[[rule]]\nid = \"a\"\nverdict = \"block\"\nreach = [\"controlled\"]\n\
                    [[rule]]\nid = \"b\"\nverdict = \"allow\"\nhosting = [\"EEA\"]\n";
    assert!(warnings(presumed).contains("only presumed from their AS"));
    let nested = "[[zone]]\nname = \"inner\"\nprefixes = [\"10.10.1.0/24\"]\n";
    assert!(warnings(nested).contains("10.10.1.0/24 of zone \"inner\" lies in 10.10.0.0/16"));
}

#[test]
fn words_for_several_kinds_give_way_to_narrower_ones() {
    let text = format!(
        "{HEAD}[policy.opaque]\nesp = \"allow\"\ngeneve = \"flag\"\ndefault = \"block\"\n\
         ipsec = \"flag\"\nunknown_protocol = \"flag\"\nfragment_evasive = \"flag\"\n\
         tunnel = \"reject\"\n"
    );
    let policy = parse(&text).unwrap();
    for (kind, verdict) in [
        (Opaque::Esp, Verdict::Allow),
        (Opaque::Ah, Verdict::Flag),
        (Opaque::Geneve, Verdict::Flag),
        (Opaque::Vxlan, Verdict::Reject),
        (Opaque::Ipv4InIp, Verdict::Reject),
        (Opaque::L2tp, Verdict::Flag),
        (Opaque::UnknownProtocol, Verdict::Flag),
        (Opaque::FragmentTiny, Verdict::Flag),
        (Opaque::FragmentOverlapping, Verdict::Flag),
        (Opaque::FragmentWithoutFirst, Verdict::Block),
        (Opaque::Truncated, Verdict::Block),
    ] {
        assert_eq!(policy.opaque_verdict(kind), verdict, "{}", kind.name());
    }
}

#[test]
fn a_policy_says_what_it_means() {
    let text = format!(
        "{HEAD}version = \"3\"\n[policy.opaque]\ndefault = \"flag\"\ngre = \"reject\"\n{ZONES}\
         [[rule]]\nid = \"a\"\ntitle = \"T\"\nverdict = \"allow\"\nports = [80, \"81-90\", 443]\n"
    );
    let policy = parse(&text).unwrap();
    assert_eq!(policy.name, "p");
    assert_eq!(policy.version.as_deref(), Some("3"));
    assert_eq!(policy.mode, Mode::Enforce);
    assert_eq!(policy.opaque_verdict(Opaque::Gre), Verdict::Reject);
    assert_eq!(policy.opaque_verdict(Opaque::Esp), Verdict::Flag);
    assert_eq!(policy.zone_of("10.20.3.4".parse().unwrap()), 2);
    assert_eq!(policy.zone_of("::ffff:10.10.0.1".parse().unwrap()), 1);
    assert_eq!(
        policy.zone_name(policy.zone_of("8.8.8.8".parse().unwrap())),
        "none"
    );
    assert_eq!(policy.sha256.len(), 64);
    let shown = policy.render();
    assert!(shown.contains("allow  a"), "{shown}");
    assert!(shown.contains("T. ports 80-90, 443"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 100),
        "{shown}"
    );
}
