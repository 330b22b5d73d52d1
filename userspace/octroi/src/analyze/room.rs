//! Bounds of what is kept by lane, so that what is found does not depend on which worker had which
//! lanes.

use octroi_inspect::flow::LANES;

/// Room for so many things in each lane.
#[derive(Debug)]
pub(super) struct Room {
    used: [u32; LANES as usize],
    limit: u32,
}

impl Room {
    pub(super) const fn new(limit: u32) -> Self {
        Self {
            used: [0; LANES as usize],
            limit,
        }
    }

    /// Takes room for one thing; false when its lane has none left.
    pub(super) fn take(&mut self, lane: u8) -> bool {
        let used = &mut self.used[usize::from(lane % LANES)];
        let is_free = *used < self.limit;
        *used += u32::from(is_free);
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_takes_nothing_from_others() {
        let mut room = Room::new(2);
        assert_eq!([3, 3, 3].map(|lane| room.take(lane)), [true, true, false]);
        assert!((0..LANES).all(|lane| room.take(lane) == (lane != 3)));
    }
}
