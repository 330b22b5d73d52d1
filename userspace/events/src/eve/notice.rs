//! `event_type: engine`: the life of the gateway itself.

use serde::Serialize;

use super::{Metadata, OWN, Stamp, Var, event_id};
use crate::identity::Origin;
use crate::notice::{Level, Notice};

#[derive(Serialize)]
pub(super) struct Line<'a> {
    timestamp: Stamp,
    event_type: &'static str,
    host: &'a str,
    log_level: &'static str,
    engine: Body<'a>,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

pub(super) fn line<'a>(notice: &'a Notice, origin: &'a Origin, id: &'a str) -> Line<'a> {
    let kind = notice.kind.name();
    let level = notice.kind.level();
    let mut flowvars = vec![
        event_id(id),
        Var::Text {
            gid: OWN,
            key: "notice",
            value: kind,
        },
    ];
    flowvars.extend(notice.facts.iter().map(|(key, value)| Var::Text {
        gid: OWN,
        key,
        value,
    }));
    Line {
        timestamp: Stamp(notice.time),
        event_type: "engine",
        host: &origin.host,
        log_level: match level {
            Level::Info => "Info",
            Level::Warning => "Warning",
            Level::Error => "Error",
        },
        engine: Body {
            message: &notice.message,
            error: (level == Level::Error).then_some(kind),
        },
        metadata: Metadata { flowvars },
    }
}
