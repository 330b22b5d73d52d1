//! The catalogue as of a day: what the law was, who owned whom, what was qualified then.

use std::sync::Arc;

use jiff::civil::Date;

use super::Catalogue;

impl Catalogue {
    /// The same facts, read as of another day: laws in force, reach, parents, presence and the
    /// qualifications that hold are those of that day. It shares everything that does not depend
    /// on the day. The facts are what is known on [`Self::as_of`]; what began later is not in it.
    #[must_use]
    pub fn at(&self, day: Date) -> Self {
        Self {
            asked: Some(day),
            facts: Arc::clone(&self.facts),
            operators: Arc::clone(&self.operators),
        }
        .derived()
    }

    /// Computes anew what depends on the day.
    pub(super) fn derived(self) -> Self {
        let operators = self.operators.iter().map(|operator| {
            let mut operator = operator.clone();
            operator.reach = self.derived_reach(&operator);
            operator
        });
        let operators: Arc<[_]> = operators.collect();
        Self { operators, ..self }
    }
}
