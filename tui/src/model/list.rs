//! A sorted list whose rows stay in place while their values move, with a cursor that follows a
//! row and never a position.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::row::RowId;

/// How long cursor movement holds the order of a list, in milliseconds.
pub const HOLD_MS: u64 = 3_000;

/// What a list can show.
pub trait Row: Clone + PartialEq {
    /// Names of the columns to sort by, and whether each begins with the greatest.
    const SORTS: &'static [(&'static str, bool)];

    /// Identity.
    fn id(&self) -> &RowId;

    /// Order by a column of `SORTS`. Ties are broken by identity in the list.
    fn compare(&self, other: &Self, column: usize) -> Ordering;
}

/// The column a list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sort {
    /// Index into `Row::SORTS`.
    pub column: usize,
    /// Greatest first.
    pub descending: bool,
}

/// A sorted list with a cursor.
#[derive(Clone, Debug)]
pub struct List<R> {
    rows: HashMap<RowId, R>,
    order: Vec<RowId>,
    /// `None` follows the first row, whichever it is.
    selected: Option<RowId>,
    /// The selected row, when the daemon no longer lists it.
    ghost: Option<RowId>,
    top: usize,
    sort: Sort,
    hold_until_ms: Option<u64>,
    pinned: bool,
}

impl<R: Row> List<R> {
    /// An empty list.
    #[must_use]
    pub fn new(sort: Sort) -> Self {
        Self {
            rows: HashMap::new(),
            order: Vec::new(),
            selected: None,
            ghost: None,
            top: 0,
            sort,
            hold_until_ms: None,
            pinned: false,
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The rows in the order shown.
    pub fn iter(&self) -> impl Iterator<Item = &R> {
        self.order.iter().filter_map(|id| self.rows.get(id))
    }

    /// The ids in the order shown.
    #[must_use]
    pub fn order(&self) -> &[RowId] {
        &self.order
    }

    /// A row by its id.
    #[must_use]
    pub fn get(&self, id: &RowId) -> Option<&R> {
        self.rows.get(id)
    }

    /// Index of the first row shown.
    #[must_use]
    pub const fn top(&self) -> usize {
        self.top
    }

    /// The column sorted by.
    #[must_use]
    pub const fn sort(&self) -> Sort {
        self.sort
    }

    /// Whether the user pinned the order.
    #[must_use]
    pub const fn pinned(&self) -> bool {
        self.pinned
    }

    /// When the hold of the last movement ends, on the model's clock.
    #[must_use]
    pub const fn hold_until_ms(&self) -> Option<u64> {
        self.hold_until_ms
    }

    /// Whether the order is held now.
    #[must_use]
    pub const fn held(&self) -> bool {
        self.pinned || self.hold_until_ms.is_some()
    }

    /// The row under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<&R> {
        self.selected_id().and_then(|id| self.rows.get(id))
    }

    /// The id under the cursor.
    #[must_use]
    pub fn selected_id(&self) -> Option<&RowId> {
        self.selected.as_ref().or_else(|| self.order.first())
    }

    /// Whether the cursor was put on a row by hand, rather than following the first one.
    #[must_use]
    pub const fn chosen(&self) -> bool {
        self.selected.is_some()
    }

    /// Whether a row is only kept because the cursor is on it.
    #[must_use]
    pub fn is_ghost(&self, id: &RowId) -> bool {
        self.ghost.as_ref() == Some(id)
    }

    /// The position of the cursor.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.selected
            .as_ref()
            .and_then(|id| self.order.iter().position(|other| other == id))
            .unwrap_or(0)
    }

    /// Takes all rows of an update. Rows that are gone leave, except the one under the cursor.
    /// Answers whether anything shown may have changed.
    pub fn replace(&mut self, rows: Vec<R>) -> bool {
        let mut next: HashMap<RowId, R> = HashMap::with_capacity(rows.len());
        let mut arrived = Vec::new();
        for row in rows {
            let id = row.id().clone();
            if next.insert(id.clone(), row).is_none() && !self.rows.contains_key(&id) {
                arrived.push(id);
            }
        }
        self.ghost = None;
        if let Some(id) = &self.selected
            && !next.contains_key(id)
            && let Some(row) = self.rows.remove(id)
        {
            next.insert(id.clone(), row);
            self.ghost = Some(id.clone());
        }
        if arrived.is_empty() && next == self.rows {
            return false;
        }
        self.rows = next;
        self.order.retain(|id| self.rows.contains_key(id));
        if self.held() {
            self.sort_ids(&mut arrived);
            self.order.append(&mut arrived);
        } else {
            self.order.append(&mut arrived);
            self.resort();
        }
        true
    }

    /// Adds or changes some rows and drops the least of `limit`, by `age` (greater is younger).
    pub fn merge(&mut self, rows: Vec<R>, limit: usize, age: impl Fn(&R) -> i64) -> bool {
        if rows.is_empty() {
            return false;
        }
        let mut all = std::mem::take(&mut self.rows);
        let before = all.clone();
        for row in rows {
            all.insert(row.id().clone(), row);
        }
        let mut all: Vec<R> = all.into_values().collect();
        if all.len() > limit {
            all.sort_by(|a, b| age(b).cmp(&age(a)).then_with(|| a.id().cmp(b.id())));
            all.truncate(limit);
        }
        self.rows = before;
        self.replace(all)
    }

    /// Moves the cursor. The order is held for [`HOLD_MS`] from `now_ms`.
    pub fn move_by(&mut self, delta: isize, now_ms: u64) {
        let last = self.order.len().saturating_sub(1);
        let index = self.cursor().saturating_add_signed(delta).min(last);
        if let Some(id) = self.order.get(index).cloned() {
            self.select(id, now_ms);
        }
    }

    /// Puts the cursor on a row and holds the order. An unknown id changes nothing.
    pub fn select(&mut self, id: RowId, now_ms: u64) {
        if !self.rows.contains_key(&id) {
            return;
        }
        self.leave(&id);
        self.selected = self.rows.contains_key(&id).then_some(id);
        self.hold_until_ms = Some(now_ms.saturating_add(HOLD_MS));
    }

    /// Puts the cursor back on the first row, whichever it becomes, and lets the order go.
    pub fn follow_first(&mut self) {
        if let Some(ghost) = self.ghost.take() {
            self.forget(&ghost);
        }
        self.selected = None;
        self.top = 0;
        self.release();
    }

    /// Puts the cursor on the last row.
    pub fn select_last(&mut self, now_ms: u64) {
        if let Some(id) = self.order.last().cloned() {
            self.select(id, now_ms);
        }
    }

    /// Drops the ghost when the cursor goes elsewhere.
    fn leave(&mut self, next: &RowId) {
        if let Some(ghost) = self.ghost.take() {
            if &ghost == next {
                self.ghost = Some(ghost);
            } else {
                self.forget(&ghost);
            }
        }
    }

    fn forget(&mut self, id: &RowId) {
        self.rows.remove(id);
        self.order.retain(|other| other != id);
    }

    /// Pins the order, or lets it go.
    pub fn toggle_pin(&mut self) {
        if self.held() {
            self.release();
        } else {
            self.pinned = true;
        }
    }

    /// Lets the order go now.
    pub fn release(&mut self) {
        self.pinned = false;
        self.hold_until_ms = None;
        self.resort();
    }

    /// Lets the order go when its time has come. Answers whether the order was held until now.
    pub fn expire_hold(&mut self, now_ms: u64) -> bool {
        match self.hold_until_ms {
            Some(until) if until <= now_ms => {
                self.hold_until_ms = None;
                if !self.pinned {
                    self.resort();
                }
                true
            }
            _ => false,
        }
    }

    /// Sorts by the next column, in that column's own direction.
    pub fn next_sort(&mut self) {
        let column = (self.sort.column + 1) % R::SORTS.len().max(1);
        self.choose_sort(column);
    }

    fn choose_sort(&mut self, column: usize) {
        if let Some(&(_, descending)) = R::SORTS.get(column) {
            self.sort = Sort { column, descending };
            self.release();
        }
    }

    /// Sorts by a column; the same column again turns the direction.
    pub fn sort_by(&mut self, column: usize) {
        if self.sort.column == column {
            self.turn_sort();
        } else {
            self.choose_sort(column);
        }
    }

    /// Turns the direction.
    pub fn turn_sort(&mut self) {
        self.sort.descending = !self.sort.descending;
        self.release();
    }

    /// Scrolls so that the cursor is among `height` rows.
    pub fn fit(&mut self, height: usize) {
        let cursor = self.cursor();
        let height = height.max(1);
        if cursor < self.top {
            self.top = cursor;
        } else if cursor >= self.top + height {
            self.top = cursor + 1 - height;
        }
        self.top = self.top.min(self.order.len().saturating_sub(height));
    }

    fn resort(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        self.sort_ids(&mut order);
        self.order = order;
    }

    fn sort_ids(&self, ids: &mut [RowId]) {
        let Sort { column, descending } = self.sort;
        ids.sort_by(|a, b| {
            let (Some(left), Some(right)) = (self.rows.get(a), self.rows.get(b)) else {
                return a.cmp(b);
            };
            let by_column = left.compare(right, column);
            let by_column = if descending {
                by_column.reverse()
            } else {
                by_column
            };
            by_column.then_with(|| a.cmp(b))
        });
    }

    /// The ids shown twice: none, ever. For tests of the list's own promise.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let unique: HashSet<&RowId> = self.order.iter().collect();
        unique.len() == self.order.len()
            && self.order.len() == self.rows.len()
            && self.order.iter().all(|id| self.rows.contains_key(id))
            && self
                .selected
                .as_ref()
                .is_none_or(|id| self.rows.contains_key(id))
    }
}
