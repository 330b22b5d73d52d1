//! Folding: many alerts of one kind told once.
//!
//! The unit is the alert of one flow. The first of a kind is told at once; those that repeat it
//! within the window are counted, and when the window ends one alert tells how many there were
//! (`count`) and what the latest looked like. Counts are never lost: the sum over all alerts told
//! is the number of decisions.
//!
//! Two alerts are of one kind when zone, source address, rule, verdict, operator (else AS) and
//! service are the same. Ports, names and single addresses of one operator's service do not matter:
//! a browser that opens forty connections to one provider is one thing for a SOC.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use octroi_abi::verdict::Verdict;

use crate::model::Alert;

/// How alerts are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldOptions {
    /// Time in which repetitions are counted; zero: every alert is told.
    pub window: Duration,
    /// Kinds that are remembered. Alerts of more kinds than that are told one by one.
    pub kinds: usize,
}

impl Default for FoldOptions {
    /// Ten seconds, 16,384 kinds.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            kinds: 16_384,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Kind {
    zone: Option<Arc<str>>,
    source: IpAddr,
    rule: Arc<str>,
    verdict: Verdict,
    enforced: bool,
    operator: Option<Arc<str>>,
    asn: Option<u32>,
    service: Option<Arc<str>>,
    opaque: Option<Arc<str>>,
}

impl Kind {
    fn of(alert: &Alert) -> Self {
        let residency = &alert.residency;
        Self {
            zone: residency.zone.clone(),
            source: alert.conversation.source,
            rule: Arc::clone(&residency.rule),
            verdict: residency.verdict,
            enforced: residency.enforced,
            operator: residency.operator_id.clone(),
            // An operator has many AS numbers; without one, the AS stands for it.
            asn: residency.asn.filter(|_| residency.operator_id.is_none()),
            service: residency.service.clone(),
            opaque: residency.opaque.clone(),
        }
    }
}

#[derive(Debug)]
struct Window {
    began: Timestamp,
    /// The latest repetition, with the count of all and the time of the first.
    repeated: Option<Alert>,
}

/// Folds alerts.
#[derive(Debug)]
pub struct Folder {
    options: FoldOptions,
    window: SignedDuration,
    kinds: HashMap<Kind, Window>,
}

impl Folder {
    /// An empty folder.
    #[must_use]
    pub fn new(options: FoldOptions) -> Self {
        Self {
            window: SignedDuration::try_from(options.window).unwrap_or(SignedDuration::MAX),
            options,
            kinds: HashMap::new(),
        }
    }

    /// Takes an alert; returns what is to be told now: it, or nothing (it is counted), or it and the
    /// account of the window that it found ended.
    pub fn offer(&mut self, alert: Alert) -> Vec<Alert> {
        if self.window.is_zero() {
            return vec![alert];
        }
        let kind = Kind::of(&alert);
        let now = alert.time;
        if let Some(window) = self.kinds.get_mut(&kind) {
            // A clock that went back ends the window as well.
            let age = now.duration_since(window.began);
            if age < self.window && !age.is_negative() {
                let repeated = match window.repeated.take() {
                    Some(before) => Alert {
                        time: before.time,
                        count: before.count + alert.count,
                        last: alert.last,
                        severity: before.severity.max(alert.severity),
                        ..alert
                    },
                    None => alert,
                };
                window.repeated = Some(repeated);
                return Vec::new();
            }
            let told = window.repeated.take();
            window.began = now;
            return told.into_iter().chain([alert]).collect();
        }
        if self.kinds.len() < self.options.kinds {
            let window = Window {
                began: now,
                repeated: None,
            };
            self.kinds.insert(kind, window);
        }
        vec![alert]
    }

    /// Ends the windows that are over; returns their accounts. To be called about once a second.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Alert> {
        let window = self.window;
        self.take(|began| {
            let age = now.duration_since(began);
            age >= window || age.is_negative()
        })
    }

    /// Ends all windows; returns their accounts.
    pub fn flush(&mut self) -> Vec<Alert> {
        self.take(|_| true)
    }

    fn take(&mut self, over: impl Fn(Timestamp) -> bool) -> Vec<Alert> {
        let mut told: Vec<_> = self
            .kinds
            .extract_if(|_, window| over(window.began))
            .filter_map(|(_, window)| window.repeated)
            .collect();
        told.sort_by_key(|alert| (alert.time, alert.conversation.flow_id));
        told
    }
}
