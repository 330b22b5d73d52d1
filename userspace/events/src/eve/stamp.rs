//! Time as EVE writes it: `2026-11-21T19:31:02.123456+0000`.

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Serialize, Serializer};

/// A moment, in UTC with microseconds.
#[derive(Clone, Copy)]
pub(super) struct Stamp(pub(super) Timestamp);

const SHAPE: &[u8; 31] = b"0000-00-00T00:00:00.000000+0000";

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Offset::UTC.to_datetime(self.0);
        let mut text = *SHAPE;
        // Years before 0 have no place in the shape; no event is that old.
        digits(&mut text[0..4], u32::from(time.year().unsigned_abs()));
        digits(&mut text[5..7], u32::from(time.month().unsigned_abs()));
        digits(&mut text[8..10], u32::from(time.day().unsigned_abs()));
        digits(&mut text[11..13], u32::from(time.hour().unsigned_abs()));
        digits(&mut text[14..16], u32::from(time.minute().unsigned_abs()));
        digits(&mut text[17..19], u32::from(time.second().unsigned_abs()));
        digits(
            &mut text[20..26],
            time.subsec_nanosecond().unsigned_abs() / 1_000,
        );
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Writes a number, right-aligned, over zeros.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_known_moment() {
        let time: Timestamp = "2026-11-21T19:31:02.0000017Z".parse().unwrap();
        let text = serde_json::to_string(&Stamp(time)).unwrap();
        assert_eq!(text, "\"2026-11-21T19:31:02.000001+0000\"");
    }

    proptest! {
        #[test]
        fn it_is_what_jiff_formats(nanoseconds in 0_i64..i64::MAX) {
            let time = Timestamp::from_nanosecond(nanoseconds.into()).unwrap();
            let text = serde_json::to_string(&Stamp(time)).unwrap();
            let expected = time.strftime("\"%Y-%m-%dT%H:%M:%S.%6f+0000\"").to_string();
            prop_assert_eq!(text, expected);
        }
    }
}
