//! The daemon's end of the socket: each request has one answer, watches have a stream of updates.

use std::sync::Arc;
use std::time::Duration;

use octroi_api::filter::{At, Filter};
use octroi_api::{
    AlertsPage, ApiError, ErrorCode, ExplainRequest, Explained, Handler, HelloReply,
    MAX_ALERT_ROWS, MAX_FLOW_ROWS, MAX_WATCHED_ROWS, MIN_INTERVAL_MS, PROTOCOL, Peer, PolicyCheck,
    Request, Response, Topic, Update, WatchRequest,
};
use octroi_geo_db::catalogue::Language;
use octroi_policy::{Opaque, Policy};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::gate::Gate;
use super::{past, reason, report, rows, watched};
use crate::judge::{self, Named, Question};

const TCP: u8 = 6;
const HTTPS: u16 = 443;

/// What the server asks of the daemon.
pub(super) struct Service(pub(super) Arc<Gate>);

impl Handler for Service {
    fn hello(&self, peer: &Peer) -> HelloReply {
        HelloReply {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.0.origin.host.to_string(),
            role: peer.role,
        }
    }

    async fn handle(&self, peer: &Peer, request: Request) -> Result<Response, ApiError> {
        let gate = Arc::clone(&self.0);
        let peer = peer.clone();
        // Answers take locks and read the kernel: not on the thread that drains the rings.
        tokio::task::spawn_blocking(move || answer(&gate, &peer, request))
            .await
            .map_err(|error| {
                ApiError::new(
                    ErrorCode::Failed,
                    format!("the answer was given up: {error}"),
                )
            })?
    }

    async fn watch(
        &self,
        _peer: &Peer,
        request: WatchRequest,
    ) -> Result<mpsc::Receiver<Update>, ApiError> {
        let filters = Filters::parse(&request)?;
        let (sender, receiver) = mpsc::channel(2);
        tokio::spawn(stream(Arc::clone(&self.0), request, filters, sender));
        Ok(receiver)
    }
}

fn answer(gate: &Arc<Gate>, peer: &Peer, request: Request) -> Result<Response, ApiError> {
    Ok(match request {
        Request::Status => Response::Status(Box::new(report::status(gate)?)),
        Request::Flows {
            filter,
            sort,
            limit,
        } => {
            let filter = parse_filter(filter.as_deref())?;
            let limit = limit.min(MAX_FLOW_ROWS) as usize;
            Response::Flows(rows::flows_page(gate, &filter, sort, limit))
        }
        Request::Flow { id } => {
            let engine = gate.engine();
            let Some(flow) = engine.registry.by_id(id) else {
                return Err(ApiError::new(
                    ErrorCode::NotFound,
                    format!("there is no live flow {id}"),
                )
                .with_remedy("it may have ended: its record is in the event stream"));
            };
            Response::Flow(Box::new(reason::detail(&engine, flow)))
        }
        Request::Past { id } => Response::Past(Box::new(past::find(gate, &id)?)),
        Request::Alerts {
            filter,
            limit,
            after,
        } => {
            let filter = parse_filter(filter.as_deref())?;
            Response::Alerts(alerts_page(gate, &filter, limit, after))
        }
        Request::Calls {
            filter,
            limit,
            after,
        } => {
            let filter = parse_filter(filter.as_deref())?;
            Response::Calls(watched::calls_page(gate, &filter, limit, after))
        }
        Request::Findings {
            filter,
            limit,
            after,
        } => {
            let filter = parse_filter(filter.as_deref())?;
            Response::Findings(watched::findings_page(gate, &filter, limit, after))
        }
        Request::Acknowledge { id } => Response::Done {
            message: watched::acknowledge(gate, peer, id)?,
        },
        Request::Jurisdictions { filter } => {
            let filter = parse_filter(filter.as_deref())?;
            Response::Jurisdictions(rows::jurisdictions_page(gate, &filter))
        }
        Request::Explain(request) => Response::Explained(Box::new(explain(gate, &request)?)),
        Request::PolicyShow => Response::Policy(Box::new(report::policy_view(gate))),
        Request::PolicyCheck { text, file } => Response::PolicyChecked(check(gate, &text, &file)),
        Request::PolicyApply { text, file } => {
            Response::PolicyChecked(gate.apply_policy_text(&text, &file))
        }
        Request::Reload => Response::Done {
            message: gate.reload(),
        },
        Request::Detach => Response::Done {
            message: gate.detach()?,
        },
        Request::Hello { .. } | Request::Watch(_) | Request::Unwatch => {
            return Err(ApiError::new(
                ErrorCode::Protocol,
                format!("{} is answered by the connection itself", request.name()),
            ));
        }
    })
}

fn parse_filter(text: Option<&str>) -> Result<Filter, ApiError> {
    Filter::parse(text.unwrap_or_default())
        .map_err(|error| ApiError::new(ErrorCode::Filter, error.to_string()))
}

fn alerts_page(gate: &Gate, filter: &Filter, limit: u32, after: Option<u64>) -> AlertsPage {
    let now = jiff::Timestamp::now();
    let engine = gate.engine();
    let log = engine.teller.log();
    let rows = log
        .newest_first()
        .take_while(|row| after.is_none_or(|after| row.id > after))
        .filter(|row| filter.matches(&At { row: *row, now }))
        .take(limit.min(MAX_ALERT_ROWS) as usize)
        .cloned()
        .collect();
    AlertsPage {
        now,
        raised: log.raised(),
        kept: log.kept(),
        rows,
    }
}

fn explain(gate: &Gate, request: &ExplainRequest) -> Result<Explained, ApiError> {
    let judge = gate.engine().judge.clone();
    let zone = match (&request.zone, request.source) {
        (Some(name), _) => judge::zone_number(&judge.policy, name)
            .map_err(|error| ApiError::new(ErrorCode::NotFound, error.to_string()))?,
        (None, Some(source)) => judge.policy.zone_of(source),
        (None, None) => 0,
    };
    let protocol = request.protocol.unwrap_or(TCP);
    let port = request.port.unwrap_or(HTTPS);
    let question = Question {
        zone,
        destination: request.destination,
        protocol,
        port,
        named: match request.naming {
            None => Named::asked(request.name.as_deref(), protocol, port),
            Some(naming) => Named {
                name: request.name.as_deref(),
                naming,
                speaks: request.speaks.as_deref(),
                ech: request.ech.unwrap_or_default(),
                ..Named::default()
            },
        },
        opaque: Opaque::None,
        at: judge.day(),
    };
    let residency = judge.residency(&question, Language::En);
    Ok(Explained {
        text: judge.page(&question, &residency, Language::En),
        residency,
    })
}

fn check(gate: &Gate, text: &str, file: &str) -> PolicyCheck {
    let atlas = Arc::clone(&gate.engine().judge.atlas);
    let outcome = Policy::parse(text, file, atlas.catalogue())
        .map_err(|diagnostics| report::lines(&diagnostics))
        .and_then(|policy| {
            let compiled = policy.compile(atlas.as_ref(), atlas.catalogue().day());
            compiled
                .map(|_| policy)
                .map_err(|error| vec![error.to_string()])
        });
    match outcome {
        Ok(policy) => PolicyCheck {
            valid: true,
            name: Some(policy.name.clone()),
            sha256: Some(policy.sha256.clone()),
            generation: None,
            diagnostics: report::lines(&policy.warnings),
            message: format!("{file} is valid; nothing was changed"),
        },
        Err(diagnostics) => report::refused(file, diagnostics),
    }
}

/// The parsed filters of a watch.
struct Filters {
    flows: Filter,
    alerts: Filter,
    calls: Filter,
    findings: Filter,
}

/// What a client was told already.
#[derive(Clone, Copy, Default)]
struct Told {
    alert: Option<u64>,
    policy: Option<u32>,
    /// State of the log of calls and findings; `None`: nothing was told.
    watched: Option<watched::State>,
}

impl Filters {
    fn parse(request: &WatchRequest) -> Result<Self, ApiError> {
        Ok(Self {
            flows: parse_filter(request.filter.as_deref())?,
            alerts: parse_filter(request.alert_filter.as_deref())?,
            calls: parse_filter(request.call_filter.as_deref())?,
            findings: parse_filter(request.finding_filter.as_deref())?,
        })
    }
}

/// Sends updates until the client is gone.
async fn stream(
    gate: Arc<Gate>,
    request: WatchRequest,
    filters: Filters,
    sender: mpsc::Sender<Update>,
) {
    let interval = Duration::from_millis(u64::from(request.interval_ms.max(MIN_INTERVAL_MS)));
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let watched = Arc::new((request, filters));
    let mut sequence = 0;
    let mut skipped = 0;
    let mut told = Told::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = sender.closed() => return,
        }
        if sender.capacity() == 0 {
            skipped += 1;
            continue;
        }
        sequence += 1;
        let (gate, watched) = (Arc::clone(&gate), Arc::clone(&watched));
        let made = tokio::task::spawn_blocking(move || update(&gate, &watched.0, &watched.1, told));
        let Ok((mut update, now_told)) = made.await else {
            return;
        };
        told = now_told;
        update.sequence = sequence;
        update.skipped = skipped;
        if sender.try_send(update).is_err() {
            skipped += 1;
        }
    }
}

fn update(
    gate: &Arc<Gate>,
    request: &WatchRequest,
    filters: &Filters,
    told: Told,
) -> (Update, Told) {
    let wants = |topic| request.topics.contains(&topic);
    let report = report::status(gate).ok();
    let lost = report.as_ref().map_or(0, octroi_api::StatusReport::lost);
    let limit = request.limit.min(MAX_FLOW_ROWS);
    let mut update = Update {
        now: jiff::Timestamp::now(),
        sequence: 0,
        skipped: 0,
        lost,
        status: report.filter(|_| wants(Topic::Status)).map(Box::new),
        flows: None,
        jurisdictions: None,
        alerts: None,
        calls: None,
        findings: None,
        policy: None,
    };
    let mut now_told = told;
    if wants(Topic::Flows) {
        let limit = limit as usize;
        update.flows = Some(rows::flows_page(gate, &filters.flows, request.sort, limit));
    }
    if wants(Topic::Jurisdictions) {
        update.jurisdictions = Some(rows::jurisdictions_page(gate, &filters.flows));
    }
    let (state, generation) = {
        let engine = gate.engine();
        (watched::State::of(&engine), engine.generation)
    };
    // A filter may ask for ages, which change by themselves.
    let changed = told.watched != Some(state);
    if wants(Topic::Calls) && (changed || state.runs() || !filters.calls.is_all()) {
        let (filter, limit) = (&filters.calls, limit.min(MAX_WATCHED_ROWS));
        update.calls = Some(watched::calls_page(gate, filter, limit, None));
    }
    if wants(Topic::Findings) && (changed || !filters.findings.is_all()) {
        let (filter, limit) = (&filters.findings, limit.min(MAX_WATCHED_ROWS));
        update.findings = Some(watched::findings_page(gate, filter, limit, None));
    }
    now_told.watched = Some(state);
    if wants(Topic::Policy) && told.policy != Some(generation) {
        update.policy = Some(Box::new(report::policy_view(gate)));
    }
    now_told.policy = Some(generation);
    if wants(Topic::Alerts) {
        let page = alerts_page(gate, &filters.alerts, limit.min(MAX_ALERT_ROWS), told.alert);
        let newest = page.rows.first().map(|row| row.id);
        now_told.alert = newest.or(told.alert).or(Some(0));
        update.alerts = Some(page);
    }
    (update, now_told)
}
