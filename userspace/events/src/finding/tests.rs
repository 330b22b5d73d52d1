use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn hit(second: i64, name: &str, seen_by: &str) -> Hit {
    let catalogue = Catalogue::embedded().unwrap();
    Hit {
        time: at(second),
        times: 1,
        client: "10.1.0.5".parse().unwrap(),
        zone: None,
        name: name.into(),
        seen_by: seen_by.into(),
        destination: None,
        matter: Matter::of(&catalogue, name).unwrap(),
    }
}

#[test]
fn names_are_hits_by_host_and_by_likeness_and_others_are_none() {
    let known = hit(0, "www.grabify.link", "sni").matter;
    assert_eq!((known.kind(), &**known.family()), ("ip_logger", "grabify"));
    assert_eq!(known.severity(), Severity::High);
    let like = hit(0, "grab1fy.example", "sni");
    assert_eq!(like.matter.kind(), "look_alike");
    assert_eq!(like.matter.severity(), Severity::Low);
    let told = Findings::default().hit(like).remove(0);
    assert!(
        told.signature().contains("resembles"),
        "{}",
        told.signature()
    );
    assert!(
        told.signature().contains("distance"),
        "{}",
        told.signature()
    );
    let catalogue = Catalogue::embedded().unwrap();
    assert!(Matter::of(&catalogue, "www.service-public.fr").is_none());
    assert_eq!(
        hit(0, "canarytokens.com", "sni").matter.severity(),
        Severity::Medium
    );
}

#[test]
fn a_finding_is_created_updated_and_closed_and_counts_add_up() {
    let mut findings = Findings::default();
    let created = findings.hit(hit(0, "grabify.link", "query"));
    assert_eq!(created[0].activity, Activity::Create);
    assert!(findings.hit(hit(1, "grabify.link", "sni")).is_empty());
    assert!(findings.expire(at(300)).is_empty());
    let updated = findings.expire(at(UPDATE_S));
    assert_eq!(
        (updated[0].activity, updated[0].count),
        (Activity::Update, 2)
    );
    assert_eq!(updated[0].seen_by, ["query".into(), "sni".into()]);
    assert!(findings.expire(at(2 * UPDATE_S)).is_empty(), "nothing new");
    let again = findings.hit(hit(2 * UPDATE_S, "a.grabify.link", "sni"));
    assert_eq!((again[0].activity, again[0].count), (Activity::Update, 3));
    assert_eq!(again[0].names.len(), 2);
    let closed = findings.expire(at(2 * UPDATE_S + QUIET_S));
    assert_eq!((closed[0].activity, closed[0].count), (Activity::Close, 3));
    assert!(
        [&updated[0], &again[0], &closed[0]]
            .iter()
            .all(|word| word.id == created[0].id)
    );
    assert!(findings.open().is_empty());
    assert_eq!(findings.hits(), 3);
}

#[test]
fn clients_and_hosts_are_findings_of_their_own() {
    let mut findings = Findings::default();
    assert_eq!(findings.hit(hit(0, "grabify.link", "sni")).len(), 1);
    assert_eq!(findings.hit(hit(0, "iplogger.org", "sni")).len(), 1);
    let other = Hit {
        client: "10.1.0.6".parse().unwrap(),
        ..hit(0, "grabify.link", "sni")
    };
    assert_eq!(findings.hit(other).len(), 1);
    let ids: std::collections::HashSet<u64> = findings.flush(at(9)).iter().map(|f| f.id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|&id| id > 0 && id < 1 << 53));
}

#[test]
fn the_number_of_open_findings_is_bounded() {
    let mut findings = Findings::default();
    let seed = hit(0, "grabify.link", "sni");
    for number in 0..u32::try_from(OPEN).unwrap() {
        let client = IpAddr::V4(number.into());
        findings.hit(Hit {
            client,
            time: at(i64::from(number)),
            ..seed.clone()
        });
    }
    let client = IpAddr::V4(u32::MAX.into());
    let told = findings.hit(Hit {
        client,
        time: at(9_999),
        ..seed
    });
    assert_eq!(told.len(), 2);
    assert_eq!(
        (told[0].activity, told[0].client),
        (Activity::Close, IpAddr::V4(0.into()))
    );
    assert_eq!(findings.open().len(), OPEN);
}

#[test]
fn who_looks_into_a_finding_is_told_once_and_to_its_end() {
    let mut findings = Findings::default();
    let created = findings.hit(hit(0, "grabify.link", "query"));
    let id = created[0].id;
    assert_eq!(created[0].state(), "open");
    assert_eq!(
        findings.acknowledge(id + 1, "uid 7", at(5)),
        Acknowledgement::Unknown
    );
    let Acknowledgement::Taken(word) = findings.acknowledge(id, "uid 7", at(5)) else {
        panic!("not taken");
    };
    assert_eq!(
        (word.activity, word.state()),
        (Activity::Update, "acknowledged")
    );
    let by = Acknowledged {
        at: at(5),
        by: "uid 7".into(),
    };
    assert_eq!(
        findings.acknowledge(id, "uid 8", at(6)),
        Acknowledgement::Already(by.clone())
    );
    let listed = findings.open()[0];
    assert_eq!(listed.acknowledged.as_ref(), Some(&by));
    assert_eq!((listed.time, listed.activity), (at(5), Activity::Update));
    let closed = findings.flush(at(9));
    assert_eq!(
        (closed[0].state(), closed[0].acknowledged.as_ref()),
        ("closed", Some(&by))
    );
    assert_eq!(
        findings.acknowledge(id, "uid 7", at(10)),
        Acknowledgement::Unknown
    );
}
