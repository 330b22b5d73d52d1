//! What a reader takes a name for: punycode decoded, look-alike characters made one.

/// Characters of other scripts, and accented ones, with the ASCII letter a reader takes them for.
/// A choice from Unicode's confusables (UTS 39) and Latin letters with marks.
const LOOKS_LIKE: [(char, &str); 26] = [
    ('a', "àáâãäåāăąǎạảаαɑ"),
    ('b', "ƅьЬɓ"),
    ('c', "çćĉċčсϲ"),
    ('d', "ďđԁɗ"),
    ('e', "èéêëēĕėęěẹẻеεҽ"),
    ('f', "ƒḟ"),
    ('g', "ĝğġģǧɡց"),
    ('h', "ĥħһн"),
    ('i', "ìíîïĩīĭįıǐịіιі"),
    ('j', "ĵјϳ"),
    ('k', "ķĸкκ"),
    ('l', "ĺļľŀłӏǀ"),
    ('m', "ḿмṁ"),
    ('n', "ñńņňŉŋոп"),
    ('o', "òóôõöøōŏőǒọỏоοσօ"),
    ('p', "рρṕ"),
    ('q', "ԛգ"),
    ('r', "ŕŗřгᴦ"),
    ('s', "śŝşšșѕ"),
    ('t', "ţťŧțтτ"),
    ('u', "ùúûüũūŭůűųǔụủυսц"),
    ('v', "ѵνṽ"),
    ('w', "ŵẁẃẅωԝ"),
    ('x', "хχẋ"),
    ('y', "ýÿŷỳуүγ"),
    ('z', "źżžᴢ"),
];

/// The Unicode form of a label as it is on the wire; `None` when its punycode is damaged.
pub(super) fn unicode(label: &str) -> Option<String> {
    match label.strip_prefix("xn--") {
        Some(encoded) => punycode(encoded),
        None => Some(label.to_owned()),
    }
}

/// Letters and digits as a reader sees them at a glance: marks and other scripts are folded onto
/// ASCII, digits onto the letters they stand for, `rn` onto `m`, `vv` onto `w`; `i`, `l` and `1`
/// are one. Hyphens and what looks like no letter are left out.
pub(super) fn skeleton(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars().flat_map(char::to_lowercase) {
        let letter = match folded_letter(character) {
            'i' | '1' => 'l',
            '0' => 'o',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '7' => 't',
            '8' => 'b',
            '9' => 'g',
            other => other,
        };
        match (folded.chars().last(), letter) {
            (Some('r'), 'n') => replace_last(&mut folded, 'm'),
            (Some('v'), 'v') => replace_last(&mut folded, 'w'),
            (_, letter) if letter.is_ascii_alphanumeric() => folded.push(letter),
            _ => {}
        }
    }
    folded
}

fn replace_last(text: &mut String, letter: char) {
    text.pop();
    text.push(letter);
}

/// The ASCII letter that a character looks like, or the character itself.
fn folded_letter(character: char) -> char {
    if character.is_ascii() {
        return character;
    }
    let found = LOOKS_LIKE
        .iter()
        .find(|(_, looks)| looks.contains(character));
    found.map_or(character, |(letter, _)| *letter)
}

/// Decodes punycode (RFC 3492) without its prefix. A label has 63 characters at most, so the
/// quadratic insertion is bounded.
fn punycode(encoded: &str) -> Option<String> {
    const BASE: u32 = 36;
    let (basic, extended) = encoded.rsplit_once('-').unwrap_or(("", encoded));
    if encoded.len() > 63 || !encoded.is_ascii() {
        return None;
    }
    let mut decoded: Vec<char> = basic.chars().collect();
    let (mut code, mut index, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = extended.bytes().peekable();
    while digits.peek().is_some() {
        let before = index;
        let mut weight = 1_u32;
        let mut threshold_base = BASE;
        loop {
            let digit = match digits.next()? {
                byte @ b'a'..=b'z' => byte - b'a',
                byte @ b'A'..=b'Z' => byte - b'A',
                byte @ b'0'..=b'9' => byte - b'0' + 26,
                _ => return None,
            };
            let digit = u32::from(digit);
            index = index.checked_add(digit.checked_mul(weight)?)?;
            let threshold = threshold_base.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
            threshold_base = threshold_base.checked_add(BASE)?;
        }
        let length = u32::try_from(decoded.len()).ok()? + 1;
        bias = adapted(index - before, length, before == 0);
        code = code.checked_add(index / length)?;
        index %= length;
        decoded.insert(usize::try_from(index).ok()?, char::from_u32(code)?);
        index += 1;
    }
    Some(decoded.into_iter().collect())
}

/// Bias adaptation of RFC 3492 section 6.1.
fn adapted(delta: u32, length: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / length;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn punycode_is_read_as_rfc_3492_writes_it() {
        let cases = [
            ("xn--bcher-kva", Some("bücher")),
            ("xn--mnchen-3ya", Some("münchen")),
            ("xn--discrd-zxa", Some("discörd")),
            ("xn--e1afmkfd", Some("пример")),
            ("xn--fiqs8s", Some("中国")),
            ("plain", Some("plain")),
            ("xn--\u{e9}", None),
            ("xn--99999999999", None),
        ];
        for (label, expected) in cases {
            assert_eq!(unicode(label).as_deref(), expected, "{label}");
        }
    }

    #[test]
    fn look_alikes_have_one_skeleton() {
        for alike in [
            "iplogger",
            "1plogger",
            "IP-LOGGER",
            "lplogg3r",
            "ірlоgger",
            "ip1ogger",
        ] {
            assert_eq!(skeleton(alike), skeleton("iplogger"), "{alike}");
        }
        for alike in ["gr4bify", "grabıfy", "ɡrabify", "grаbifу", "9rab1fy"] {
            assert_eq!(skeleton(alike), skeleton("grabify"), "{alike}");
        }
        assert_eq!(skeleton("rnicrosoft"), skeleton("microsoft"));
        assert_eq!(skeleton("vvikipedia"), skeleton("wikipedia"));
    }

    proptest! {
        #[test]
        fn any_label_is_read_without_a_panic(label in ".{0,70}", encoded in "xn--[a-z0-9-]{0,66}") {
            let _ = unicode(&label);
            let _ = unicode(&encoded);
            let twice = skeleton(&skeleton(&label));
            prop_assert!(twice.is_ascii());
        }
    }
}
