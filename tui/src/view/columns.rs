//! Which columns fit: a pure function of the width. Whole columns go, in a fixed order, and
//! never because of what the rows hold.

/// One column of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Column {
    /// The title.
    pub title: &'static str,
    /// Least width.
    pub least: u16,
    /// Share of the room that is left over, 0 for none.
    pub grow: u16,
    /// Numbers stand at the right.
    pub right: bool,
    /// Index of the sort a click chooses.
    pub sort: Option<usize>,
    /// The highest goes first; 0 stays.
    pub rank: u8,
}

impl Column {
    /// A column of text.
    pub(crate) const fn text(title: &'static str, least: u16, rank: u8) -> Self {
        Self {
            title,
            least,
            grow: 0,
            right: false,
            sort: None,
            rank,
        }
    }

    /// A column of numbers.
    pub(crate) const fn count(title: &'static str, least: u16, rank: u8) -> Self {
        Self {
            right: true,
            ..Self::text(title, least, rank)
        }
    }

    /// Takes a share of what is left over.
    pub(crate) const fn growing(self, grow: u16) -> Self {
        Self { grow, ..self }
    }

    /// Sorts when its title is clicked.
    pub(crate) const fn sorting(self, sort: usize) -> Self {
        Self {
            sort: Some(sort),
            ..self
        }
    }
}

/// Columns between two columns.
const GAP: u16 = 1;

/// The columns shown in `width`, by index, and how wide each is.
pub(crate) fn solve(columns: &[Column], width: u16) -> Vec<(usize, u16)> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let needed = |shown: &[usize]| {
        let gaps = u16::try_from(shown.len().saturating_sub(1)).unwrap_or(0) * GAP;
        shown.iter().map(|&index| columns[index].least).sum::<u16>() + gaps
    };
    while needed(&shown) > width {
        let weakest = shown
            .iter()
            .enumerate()
            .filter(|&(_, &index)| columns[index].rank > 0)
            .max_by_key(|&(_, &index)| columns[index].rank);
        let Some((position, _)) = weakest else { break };
        shown.remove(position);
    }
    let spare = width.saturating_sub(needed(&shown));
    let shares: u16 = shown.iter().map(|&index| columns[index].grow).sum();
    let mut left = spare;
    let last_growing = shown.iter().rposition(|&index| columns[index].grow > 0);
    shown
        .iter()
        .enumerate()
        .map(|(position, &index)| {
            let Column { least, grow, .. } = columns[index];
            let more = if Some(position) == last_growing {
                left
            } else {
                // At most `spare`: the shares are part of a whole.
                let part = u32::from(spare) * u32::from(grow);
                let part = part.checked_div(u32::from(shares)).unwrap_or(0);
                u16::try_from(part).unwrap_or(left)
            };
            left -= more;
            (index, least + more)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::text("A", 5, 2),
        Column::text("B", 10, 0).growing(1),
        Column::count("C", 5, 1),
    ];

    #[test]
    fn columns_leave_by_rank_and_the_rest_takes_the_room() {
        assert_eq!(solve(&COLUMNS, 30), [(0, 5), (1, 18), (2, 5)]);
        assert_eq!(solve(&COLUMNS, 22), [(0, 5), (1, 10), (2, 5)]);
        assert_eq!(solve(&COLUMNS, 21), [(1, 15), (2, 5)]);
        assert_eq!(solve(&COLUMNS, 12), [(1, 12)]);
        assert_eq!(solve(&COLUMNS, 1), [(1, 10)]);
        assert_eq!(solve(&[], 10), []);
    }

    #[test]
    fn what_a_narrow_terminal_shows_a_wider_one_shows_too() {
        for width in 0..200 {
            let narrow: Vec<usize> = solve(&COLUMNS, width).into_iter().map(|c| c.0).collect();
            let wide: Vec<usize> = solve(&COLUMNS, width + 1)
                .into_iter()
                .map(|c| c.0)
                .collect();
            assert!(narrow.iter().all(|index| wide.contains(index)), "{width}");
        }
    }
}
