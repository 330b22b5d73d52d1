use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn client(number: u8) -> Client {
    [number; 16]
}

fn weightless() -> Fair<(u8, u32), u32> {
    Fair::of_things(1_000)
}

#[test]
fn of_one_client_the_oldest_are_forgotten() {
    let mut fair: Fair<u32, u32> = Fair::of_things(3);
    for number in 0..10 {
        let evicted = fair.insert(&client(1), number, number);
        assert_eq!(evicted, number.checked_sub(3).map(|old| (old, old)));
    }
    assert_eq!((fair.len(), fair.evicted), (3, 7));
    assert!(!fair.contains(&6) && fair.contains(&7) && fair.contains(&9));
}

#[test]
fn of_clients_with_one_thing_each_the_oldest_are_forgotten_first() {
    let mut fair: Fair<u32, ()> = Fair::of_things(8);
    for number in 0..8_u8 {
        fair.insert(&client(number), u32::from(number), ());
    }
    for number in 8..16_u8 {
        let (evicted, ()) = fair.insert(&client(number), u32::from(number), ()).unwrap();
        assert_eq!(evicted, u32::from(number) - 8);
    }
}

#[test]
fn a_flood_takes_nothing_from_others() {
    let mut fair = weightless();
    for who in 1..=20 {
        for thing in 0..20 {
            fair.insert(&client(who), (who, thing), thing);
        }
    }
    for thing in 0..50_000 {
        fair.insert(&client(99), (99, thing), thing);
    }
    assert_eq!(fair.len(), 1_000);
    for who in 1..=20 {
        for thing in 0..20 {
            assert_eq!(fair.get(&(who, thing)), Some(&thing), "{who} {thing}");
        }
    }
    // One who comes later finds room too.
    for thing in 0..100 {
        let (evicted, _) = fair.insert(&client(50), (50, thing), thing).unwrap();
        assert_eq!(evicted.0, 99);
    }
}

#[test]
fn heavy_things_are_a_flood_too() {
    let mut fair: Fair<(u8, u32), ()> = Fair::new(Bound {
        things: 1_000,
        weight: 10_000,
    });
    for who in 1..=10 {
        for thing in 0..10 {
            fair.insert(&client(who), (who, thing), ());
            fair.weigh(&(who, thing), 10);
        }
    }
    for thing in 0..100 {
        fair.insert(&client(99), (99, thing), ());
        fair.weigh(&(99, thing), 1_000);
        assert!(fair.weight() <= 10_000);
    }
    assert_eq!(fair.len(), 100 + 9);
    assert_eq!(fair.evicted, 91);
    // One that is heavier than all that may be held is not held.
    fair.weigh(&(1, 0), 20_000);
    assert!(!fair.contains(&(1, 0)) && fair.contains(&(2, 0)));
    assert!(fair.weight() <= 10_000);
}

proptest! {
    /// Against a plain map: what is held, what each client's things weigh, and who made room.
    #[test]
    fn it_holds_what_a_map_holds(
        steps in proptest::collection::vec((0_u8..6, 0_u8..12, 0_u8..4, 1_usize..40), 0..400),
    ) {
        let bound = Bound { things: 12, weight: 200 };
        let mut fair: Fair<(u8, u8), usize> = Fair::new(bound);
        let mut held: HashMap<(u8, u8), usize> = HashMap::new();
        for (who, thing, step, weight) in steps {
            let key = (who, thing);
            match step {
                0 => {
                    fair.retain(|other, _| *other != key);
                    held.remove(&key);
                }
                _ if fair.contains(&key) => {
                    *fair.get_mut(&key).unwrap() = weight;
                    held.insert(key, weight);
                    fair.weigh(&key, weight);
                }
                _ => {
                    let of = |held: &HashMap<(u8, u8), usize>, who| -> usize {
                        held.iter().filter(|(key, _)| key.0 == who).map(|(_, weight)| weight).sum()
                    };
                    if let Some((gone, _)) = fair.insert(&client(who), key, 1) {
                        let heaviest = (0..6).map(|who| of(&held, who)).max().unwrap();
                        prop_assert!(of(&held, gone.0) * 2 > heaviest);
                        prop_assert!(held.remove(&gone).is_some());
                    }
                    held.insert(key, 1);
                }
            }
            held.retain(|key, _| fair.contains(key));
            prop_assert_eq!(held.len(), fair.len());
            prop_assert_eq!(held.values().sum::<usize>(), fair.weight());
            prop_assert!(fair.len() <= bound.things && fair.weight() <= bound.weight);
            for (key, weight) in &held {
                prop_assert_eq!(fair.get(key), Some(weight));
            }
        }
        fair.retain(|_, _| false);
        prop_assert_eq!((fair.len(), fair.weight()), (0, 0));
    }
}
