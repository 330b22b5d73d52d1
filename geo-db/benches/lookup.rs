//! Look-ups in the embedded atlas, opening it, and compiling it for the kernel.

use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use octroi_geo_db::Atlas;
use octroi_geo_db::atlas::range::Address;

const ADDRESSES: usize = 1 << 16;

/// xorshift64: the same addresses in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn wide(&mut self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }
}

/// Addresses anywhere in IPv4.
fn anywhere(random: &mut Random) -> Vec<IpAddr> {
    (0..ADDRESSES)
        .map(|_| u32::try_from(random.next() >> 32).unwrap_or(0).to_ip())
        .collect()
}

/// Addresses uniform over the pieces of a table: each piece as likely as any.
fn in_pieces<A: Address>(starts: &[A], random: &mut Random) -> Vec<IpAddr> {
    (0..ADDRESSES)
        .map(|_| {
            let index = usize::try_from(random.next() >> 1).unwrap_or(0) % starts.len();
            let first = starts[index].to_u128();
            let next = starts.get(index + 1).map_or(first, |next| next.to_u128());
            let address = first + random.wide() % next.saturating_sub(first).max(1);
            A::from_u128(address).unwrap_or(A::MIN).to_ip()
        })
        .collect()
}

fn lookup(criterion: &mut Criterion) {
    let atlas = match Atlas::embedded() {
        Ok(atlas) => atlas,
        Err(error) => {
            eprintln!("{error}");
            return;
        }
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let sets = [
        ("v4_anywhere", anywhere(&mut random)),
        (
            "v4_in_pieces",
            in_pieces(atlas.classes_v4().starts(), &mut random),
        ),
        (
            "v6_in_pieces",
            in_pieces(atlas.classes_v6().starts(), &mut random),
        ),
    ];
    let mut group = criterion.benchmark_group("class_of");
    group.throughput(Throughput::Elements(1));
    for (name, addresses) in &sets {
        group.bench_function(*name, |bencher| {
            let mut at = 0;
            bencher.iter(|| {
                at = (at + 1) % ADDRESSES;
                black_box(atlas.class_of(addresses[at]))
            });
        });
    }
    group.finish();
    criterion.bench_function("dossier", |bencher| {
        let mut at = 0;
        bencher.iter(|| {
            at = (at + 1) % ADDRESSES;
            black_box(atlas.dossier(sets[2].1[at]))
        });
    });
    let mut group = criterion.benchmark_group("whole");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(2));
    group.bench_function("open", |bencher| {
        bencher.iter(|| black_box(Atlas::embedded().is_ok()));
    });
    group.bench_function("kernel_tables", |bencher| {
        bencher.iter(|| black_box(atlas.kernel_tables().is_ok()));
    });
    group.finish();
}

fn configuration() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20)
}

criterion_group! {
    name = benches;
    config = configuration();
    targets = lookup
}
criterion_main!(benches);
