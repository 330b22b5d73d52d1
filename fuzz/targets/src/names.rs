//! Messages that hold names: DNS, hellos, certificates, requests.

use octroi_inspect::name::{
    Head, MAX_CHAIN, Message, NameEvent, NameSource, Progress, certificate_names, client_hello,
    hostname, http2_request, is_hostname, refusal, request_head,
};

/// What holds for every event.
pub(crate) fn sound(event: &NameEvent) {
    let name = event.name.as_str();
    match event.source {
        NameSource::Nameless => assert!(name.is_empty()),
        NameSource::Query => assert!(!name.is_empty() && name.is_ascii()),
        NameSource::Host => host(name),
        NameSource::Dns | NameSource::Certificate => assert!(is_hostname(name), "{name:?}"),
        NameSource::Quic | NameSource::Sni => {
            assert_eq!(hostname(name.as_bytes()).as_deref(), Some(name), "{name:?}");
        }
    }
    assert!(event.chain.len() <= MAX_CHAIN + 1);
    assert!(event.ja4.as_deref().is_none_or(|ja4| ja4.len() == 36));
}

fn host(name: &str) {
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    assert!(
        is_address || hostname(name.as_bytes()).as_deref() == Some(name),
        "{name:?}"
    );
}

/// A DNS message, and the refusal of it.
///
/// # Panics
/// When a promise is broken.
pub fn dns(data: &[u8]) {
    let read = Message::read(data);
    if let Ok(message) = &read {
        let found = message.resolution();
        assert!(found.chain.len() <= MAX_CHAIN);
        for name in &found.chain {
            assert_eq!(found.chain.iter().filter(|other| *other == name).count(), 1);
        }
        assert!(found.addresses.len() + found.services.len() <= message.answers.len());
    }
    let text = "policy: \u{e9}".repeat(data.len() % 64);
    if let Some(answer) = refusal(data, 15, &text) {
        let answer = Message::read(&answer).expect("a readable answer");
        assert!(answer.is_response && answer.response_code == 5 && !answer.is_cut_short);
        let asked = read.expect("only what can be read is answered");
        assert_eq!(answer.id, asked.id);
        assert_eq!(answer.questions, asked.questions);
    }
}

/// The start of a TLS stream: what is read of a part of it stays when more comes.
///
/// # Panics
/// When a promise is broken.
pub fn tls(data: &[u8]) {
    let name = |bytes: &[u8]| match client_hello(bytes) {
        Progress::Whole(hello) => (true, hello.name),
        Progress::More(hello) => (false, hello.name),
        Progress::Not => (false, None),
    };
    let (is_whole, all) = name(data);
    if let Some(name) = &all {
        assert_eq!(hostname(name.as_bytes()).as_ref(), Some(name));
    }
    if !is_whole {
        return;
    }
    for length in [data.len() / 4, data.len() / 2, data.len().saturating_sub(1)] {
        let (_, part) = name(&data[..length]);
        assert!(part.is_none() || part == all, "{part:?} became {all:?}");
    }
    let longer = [data, b"\x17\x03\x03"].concat();
    assert_eq!(name(&longer), (true, all), "bytes behind it change nothing");
}

/// A certificate.
///
/// # Panics
/// When a promise is broken.
pub fn certificate(data: &[u8]) {
    let names = certificate_names(data);
    let bytes: usize = names.iter().map(String::len).sum();
    assert!(bytes <= data.len(), "names from nowhere");
}

/// The start of an HTTP/1 stream.
///
/// # Panics
/// When a promise is broken.
pub fn http1(data: &[u8]) {
    match request_head(data) {
        Head::Host(name) => {
            host(&name);
            let longer = [data, b"\r\nHost: other.example\r\n\r\n"].concat();
            assert_eq!(request_head(&longer), Head::Host(name));
        }
        Head::More => assert!(data.len() <= 40_000, "waits for ever"),
        Head::WithoutHost | Head::InvalidHost | Head::Not => {}
    }
}

/// The start of an HTTP/2 stream.
///
/// # Panics
/// When a promise is broken.
pub fn http2(data: &[u8]) {
    let (head, speaks) = http2_request(data);
    if let Head::Host(name) = head {
        host(&name);
        let longer = [data, &[0; 9]].concat();
        assert_eq!(http2_request(&longer), (Head::Host(name), speaks));
    }
}
