//! A row of the one table: what was measured, beside what, against which budget.

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// The measured value at most.
    AtMost(f64),
    /// The measured value at least.
    AtLeast(f64),
    /// The ratio at least.
    RatioAtLeast(f64),
}

/// How many times something else a value is.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// The number.
    pub times: f64,
    /// What of, as in "40 times the LPM trie".
    pub of: &'static str,
}

/// What came of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// A number and its unit.
    Value(f64, &'static str),
    /// Not measured, and why.
    Missing(String),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Stands above the rows that share it.
    pub group: &'static str,
    /// What was measured.
    pub what: String,
    /// The outcome.
    pub measured: Measured,
    /// Beside what.
    pub ratio: Option<Ratio>,
    /// Against what.
    pub budget: Option<Budget>,
    /// What a reader must know.
    pub note: String,
}

impl Row {
    /// A value.
    pub fn new(
        group: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            group,
            what: what.into(),
            measured: Measured::Value(value, unit),
            ratio: None,
            budget: None,
            note: String::new(),
        }
    }

    /// Nothing, and why.
    pub fn missing(group: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            measured: Measured::Missing(why.into()),
            ..Self::new(group, what, 0.0, "")
        }
    }

    /// Beside something else.
    #[must_use]
    pub fn times(mut self, times: f64, of: &'static str) -> Self {
        if times.is_finite() {
            self.ratio = Some(Ratio { times, of });
        }
        self
    }

    /// Against a budget.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// With a remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The value, when there is one.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self.measured {
            Measured::Value(value, _) => Some(value),
            Measured::Missing(_) => None,
        }
    }

    /// Whether the budget holds; `None`: there is no budget or no number.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        let value = self.value()?;
        match self.budget? {
            Budget::AtMost(limit) => Some(value <= limit),
            Budget::AtLeast(limit) => Some(value >= limit),
            Budget::RatioAtLeast(limit) => Some(self.ratio.as_ref()?.times >= limit),
        }
    }
}

/// The middle one of some numbers (of an even count the mean of the two in the middle); 0 of none.
#[must_use]
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The lowest of some numbers; 0 of none.
#[must_use]
pub fn lowest(numbers: &[f64]) -> f64 {
    numbers
        .iter()
        .copied()
        .min_by(f64::total_cmp)
        .unwrap_or(0.0)
}

/// A count as a number to reckon with: counts here stay far below 2^52.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of packets and bytes stay below 2^52"
)]
pub fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_middle() {
        let of = |numbers: &[f64]| median(numbers).to_bits();
        assert_eq!(of(&[]), 0.0_f64.to_bits());
        assert_eq!(of(&[3.0]), 3.0_f64.to_bits());
        assert_eq!(of(&[9.0, 1.0, 3.0]), 3.0_f64.to_bits());
        assert_eq!(of(&[9.0, 1.0, 3.0, 4.0]), 3.5_f64.to_bits());
        assert_eq!(lowest(&[9.0, 1.0, 3.0]).to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn a_budget_is_about_the_value_or_the_ratio() {
        let row = Row::new("group", "what", 80.0, "ns").times(0.9, "nothing");
        let holds = |budget| row.clone().budget(budget).holds();
        assert_eq!(row.holds(), None);
        assert_eq!(holds(Budget::AtMost(80.0)), Some(true));
        assert_eq!(holds(Budget::AtMost(79.9)), Some(false));
        assert_eq!(holds(Budget::AtLeast(80.1)), Some(false));
        assert_eq!(holds(Budget::RatioAtLeast(0.9)), Some(true));
        assert_eq!(holds(Budget::RatioAtLeast(0.95)), Some(false));
        let missing = Row::missing("group", "what", "why").budget(Budget::AtMost(1.0));
        assert_eq!(missing.holds(), None);
    }

    #[test]
    fn a_division_by_zero_is_no_ratio() {
        assert_eq!(
            Row::new("g", "w", 1.0, "ns").times(1.0 / 0.0, "x").ratio,
            None
        );
    }
}
