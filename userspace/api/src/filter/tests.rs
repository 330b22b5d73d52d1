//! What the language says, that it never panics, and that printing and parsing are inverse.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

/// A row of a few fields.
#[derive(Debug, Clone, Default)]
struct Row(Vec<(Field, Value<'static>)>);

impl Record for Row {
    fn value(&self, field: Field) -> Option<Value<'_>> {
        self.0
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value.clone())
    }
}

fn row() -> Row {
    let address = |text: &str| Value::Address(text.parse::<IpAddr>().unwrap());
    Row(vec![
        (Field::Verdict, "block".into()),
        (Field::Zone, "cabinet".into()),
        (Field::Source, address("10.20.4.17")),
        (Field::Destination, address("2001:db8::77")),
        (Field::DestinationPort, Value::Number(443)),
        (Field::Protocol, Value::Number(6)),
        (Field::Hosting, "FR".into()),
        (Field::Control, "US".into()),
        (Field::Name, "files.Example.org".into()),
        (Field::Asn, Value::Number(8075)),
        (Field::Bytes, Value::Number(1_500_000)),
        (Field::Age, Value::Number(301)),
    ])
}

#[test]
fn what_holds_and_what_does_not() {
    let cases = [
        ("", true),
        ("  ", true),
        ("verdict:block", true),
        ("verdict:flag,BLOCK", true),
        ("verdict:flag,allow", false),
        ("VERDICT = block", true),
        ("verdict!=block", false),
        ("zone:cabinet verdict:block", true),
        ("zone:cabinet and verdict:allow", false),
        ("verdict:allow or zone:cabinet", true),
        ("verdict:allow or zone:x and zone:cabinet", false),
        ("(verdict:allow or zone:cabinet) hosting:fr", true),
        ("!verdict:allow", true),
        ("not verdict:block", false),
        ("!!verdict:block", true),
        ("src:10.20.0.0/16", true),
        ("src:10.20.4.17", true),
        ("src:10.21.0.0/16,10.20.4.0/24", true),
        ("src:10.21.0.0/16", false),
        ("dst:2001:db8::/32", true),
        ("dst:2001:db8::78", false),
        ("2001:db8::/64", true),
        ("10.20.4.17", true),
        ("10.0.0.0/9", true),
        ("192.0.2.0/24", false),
        ("dport:443", true),
        ("dport>=443", true),
        ("dport > 443", false),
        ("dport<1024", true),
        ("sport:443", false),
        ("proto:tcp", true),
        ("proto:17", false),
        ("hosting:FR control:us", true),
        ("hosting!=FR", false),
        ("name:example.org", true),
        ("name:ple.org", false),
        ("name=example.org", false),
        ("name=files.example.org", true),
        ("name~PLE", true),
        ("operator:none", true),
        ("name:none", false),
        ("operator!=ovh", true),
        ("operator:ovh", false),
        ("rate>0", false),
        ("rate:none", true),
        ("asn:AS8075", true),
        ("asn=8076", false),
        ("bytes>1M", true),
        ("bytes>1.5MB", false),
        ("bytes>=1.5MB", true),
        ("bytes>2Mi", false),
        ("bytes>1Mi", true),
        ("age>5m", true),
        ("age<=301s", true),
        ("age>1h", false),
        ("cabinet", true),
        ("CABI", true),
        ("example", true),
        ("20.4", true),
        ("\"db8::77\"", true),
        ("\"files.example\"", true),
        ("443", false),
        ("nothing", false),
        ("!nothing", true),
        ("orange", false),
        ("android or cabinet", true),
    ];
    for (text, expected) in cases {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(filter.matches(&row()), expected, "{text}");
        let printed = filter.to_string();
        assert_eq!(
            Filter::parse(&printed).unwrap(),
            filter,
            "{text}: {printed}"
        );
    }
}

#[test]
fn canonical_forms() {
    let cases = [
        ("verdict : BLOCK , flag", "verdict:block,flag"),
        ("a and b AND c", "a b c"),
        ("a or (b or c)", "a or (b or c)"),
        ("(a or b) c", "(a or b) c"),
        ("((a b))", "a b"),
        ("not a", "!a"),
        ("!(a or b)", "!(a or b)"),
        ("rate>=50kB/s", "rate>=50000"),
        ("age<2h", "age<7200s"),
        ("src:10.1.2.3/8", "src:10.0.0.0/8"),
        ("hosting:fr", "hosting:FR"),
        ("zone:\"a b\"", "zone:\"a b\""),
        ("zone:\"none\"", "zone:\"none\""),
        ("\"and\"", "\"and\""),
        ("\"10.0.0.1\"", "\"10.0.0.1\""),
        ("10.0.0.1", "10.0.0.1"),
        ("verdict", "\"verdict\""),
    ];
    for (text, canonical) in cases {
        assert_eq!(
            Filter::parse(text).unwrap().to_string(),
            canonical,
            "{text}"
        );
    }
}

#[test]
fn errors_point_at_the_place_and_say_what_to_do() {
    let cases = [
        (
            "zone:x verdict:blok",
            15,
            4,
            "\"blok\" is not a value of verdict (did you mean \"block\"?)",
        ),
        (
            "verdic:block",
            0,
            6,
            "there is no field \"verdic\" (did you mean \"verdict\"?)",
        ),
        (
            "dst:10.0.0.256",
            4,
            10,
            "\"10.0.0.256\" is not an address or prefix (for example 10.20.0.0/16 or 2001:db8::1)",
        ),
        ("dport:70000", 6, 5, "\"70000\" is not a port (0 to 65535)"),
        (
            "bytes>10X",
            6,
            3,
            "\"10X\" is not a size (for example 50kB, 1M or 2GiB)",
        ),
        (
            "hosting:France",
            8,
            6,
            "\"France\" is not a country code (two letters, for example FR, or none)",
        ),
        ("verdict>block", 0, 8, "verdict has no order (use : or =)"),
        ("bytes~1", 0, 6, "bytes is a number (use : or >)"),
        ("(a or b", 0, 1, "this \"(\" is never closed (add a \")\")"),
        ("a)", 1, 1, "no \"(\" is open here (remove the \")\")"),
        ("é \"b", 2, 1, "this quote is never closed (add a \")"),
        (
            "a or",
            4,
            0,
            "something is missing at the end (a text, or field:value)",
        ),
        (
            "or a",
            0,
            2,
            "something is missing before this (a text, or field:value)",
        ),
        (
            "()",
            1,
            1,
            "something is missing before this (a text, or field:value)",
        ),
        (
            "verdict:",
            8,
            0,
            "a value is missing here (quote values with special characters: \"...\")",
        ),
        (
            "a,b",
            1,
            1,
            "a value is missing here (quote values with special characters: \"...\")",
        ),
        (
            "\"\"",
            0,
            2,
            "an empty text holds for everything (remove it)",
        ),
        ("bytes>none", 6, 4, "\"none\" has no order (use : or =)"),
    ];
    for (text, column, length, brief) in cases {
        let error = Filter::parse(text)
            .map(|filter| filter.to_string())
            .unwrap_err();
        assert_eq!(
            (error.column, error.length, error.brief().as_str()),
            (column, length, brief),
            "{text}"
        );
    }
    let error = Filter::parse("zone:x verdict:blok").unwrap_err();
    assert_eq!(
        error.to_string(),
        "zone:x verdict:blok\n               ^^^^\n\"blok\" is not a value of verdict (did you mean \"block\"?)"
    );
}

#[test]
fn depth_and_length_are_bounded() {
    for (text, message) in [
        ("(".repeat(1_000), "nested too deeply"),
        ("!".repeat(1_000), "nested too deeply"),
        ("not ".repeat(1_000), "nested too deeply"),
        ("a".repeat(5_000), "over the limit"),
    ] {
        let error = Filter::parse(&text).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn words_of_the_language_are_those_of_the_model() {
    use octroi_events::{FlowStage, ResidencyClass, Severity, Verdict};
    let words = |field: Field| match field.kind() {
        Kind::Word(words) => words.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        words(Field::Class),
        ResidencyClass::ALL.map(ResidencyClass::name)
    );
    assert_eq!(words(Field::Verdict), Verdict::ALL.map(Verdict::name));
    for stage in [
        FlowStage::New,
        FlowStage::Established,
        FlowStage::Closed,
        FlowStage::Stopped,
    ] {
        assert!(words(Field::State).contains(&stage.name()));
    }
    for severity in [Severity::Low, Severity::Medium, Severity::High] {
        assert!(words(Field::Severity).contains(&severity.name()));
    }
    for field in Field::ALL {
        assert_eq!(Field::of(field.name()), Some(*field));
        assert!(!field.help().is_empty());
    }
}

#[test]
fn the_manual_names_every_field_and_word() {
    let manual = include_str!("../../../../docs/api.md");
    for field in Field::ALL {
        let name = field.name();
        assert!(manual.contains(&format!("`{name}`")), "{name}");
        if let (Kind::Word(words), true) = (field.kind(), *field != Field::Class) {
            for word in words {
                assert!(manual.contains(&format!("`{word}`")), "{name}: {word}");
            }
        }
    }
}

fn literal(field: Field, text: &str) -> Literal {
    Literal::parse(field, text, true).unwrap()
}

fn comparisons() -> impl Strategy<Value = Expression> {
    let compare = |field, operator, values: Vec<Literal>| Expression::Compare {
        field,
        operator,
        values,
    };
    prop_oneof![
        prop::sample::subsequence(vec!["allow", "flag", "reject", "block"], 1..4).prop_map(
            move |words| {
                let values = words.into_iter().map(|word| literal(Field::Verdict, word));
                compare(Field::Verdict, Operator::Is, values.collect())
            }
        ),
        (".{0,12}", prop::bool::ANY).prop_map(move |(text, equal)| {
            let operator = if equal {
                Operator::NotEqual
            } else {
                Operator::Contains
            };
            compare(Field::Name, operator, vec![Literal::Text(text)])
        }),
        (any::<u64>(), 0..4_usize).prop_map(move |(bound, which)| {
            let operators = [
                Operator::Greater,
                Operator::Less,
                Operator::AtLeast,
                Operator::AtMost,
            ];
            compare(Field::Bytes, operators[which], vec![Literal::Number(bound)])
        }),
        any::<u64>().prop_map(move |age| {
            compare(Field::Age, Operator::Less, vec![Literal::Seconds(age)])
        }),
        (any::<[u8; 4]>(), 0..=32_u8).prop_map(move |(address, length)| {
            let text = format!("{}/{length}", IpAddr::from(address));
            compare(
                Field::Source,
                Operator::Is,
                vec![literal(Field::Source, &text)],
            )
        }),
        (any::<[u8; 16]>(), 0..=128_u8).prop_map(move |(address, length)| {
            let text = format!("{}/{length}", IpAddr::from(address));
            let Literal::Prefix(prefix) = literal(Field::Source, &text) else {
                unreachable!("an address is a prefix")
            };
            Expression::Address(prefix)
        }),
        Just(compare(
            Field::Hosting,
            Operator::Equal,
            vec![Literal::Unknown]
        )),
        "[a-z.]{1,8}|.{1,8}".prop_map(Expression::Text),
    ]
}

fn expressions() -> impl Strategy<Value = Expression> {
    comparisons().prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|part| Expression::Not(Box::new(part))),
        ]
    })
}

fn rows() -> impl Strategy<Value = Row> {
    let field = prop_oneof![
        prop::sample::select(vec!["allow", "flag", "block"])
            .prop_map(|word| (Field::Verdict, word.into())),
        "[a-c.]{1,6}".prop_map(|name| (Field::Name, Value::Text(name.into()))),
        any::<u64>().prop_map(|bytes| (Field::Bytes, Value::Number(bytes))),
        any::<[u8; 4]>().prop_map(|address| (Field::Source, Value::Address(address.into()))),
        prop::sample::select(vec!["FR", "US"]).prop_map(|code| (Field::Hosting, code.into())),
    ];
    prop::collection::vec(field, 0..6).prop_map(Row)
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(expression in expressions()) {
        let filter = Filter::from(expression);
        let printed = filter.to_string();
        let parsed = Filter::parse(&printed)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&parsed, &filter, "{}", printed);
        prop_assert_eq!(parsed.to_string(), printed);
    }

    #[test]
    fn and_or_not_are_what_they_say(a in expressions(), b in expressions(), row in rows()) {
        let holds = |text: &str| Filter::parse(text).map(|filter| filter.matches(&row));
        let (in_a, in_b) = (a.matches(&row), b.matches(&row));
        prop_assert_eq!(holds(&format!("({a}) and ({b})")), Ok(in_a && in_b));
        prop_assert_eq!(holds(&format!("({a}) ({b})")), Ok(in_a && in_b));
        prop_assert_eq!(holds(&format!("({a}) or ({b})")), Ok(in_a || in_b));
        prop_assert_eq!(holds(&format!("!({a})")), Ok(!in_a));
        let both = Filter::from(a).and(Filter::from(b));
        prop_assert_eq!(both.matches(&row), in_a && in_b);
    }

    #[test]
    fn any_text_parses_or_errs_inside_itself(text in ".{0,60}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.column + error.length <= text.chars().count());
            prop_assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn any_text_of_the_language_parses_or_errs(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "verdict", ":", "=", "!=", ">", "<=", "~", ",", "(", ")", "!", "\"", "\\", "and",
                "or", "not", "none", "block", "10.0.0.0/8", "::1", "é", " ", "bytes", "1M", "src",
            ]),
            0..14,
        ),
    ) {
        let text = words.concat();
        if let Ok(filter) = Filter::parse(&text) {
            prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
        }
    }
}
