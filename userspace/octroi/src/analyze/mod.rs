//! `octroi analyze`: captures through the same parser, names, atlas and evaluator as live traffic.
//!
//! A capture ([`input`], [`source`]) becomes flows ([`octroi_inspect::survey`]) in one or more
//! threads ([`pipeline`], [`batch`]), each flow a verdict ([`judged`], [`desk`]), the verdicts lines
//! as they come ([`teller`], [`outlet`]) and a report ([`report`]). Needs neither root nor a
//! daemon. Memory does not grow with the capture: tables, queues and lists are bounded, and what
//! was left out is told.

mod arguments;
mod batch;
mod csv;
mod desk;
mod eve;
mod filtered;
mod flow_line;
mod html;
mod input;
mod json;
mod judged;
mod names;
mod outlet;
mod pipeline;
mod places;
mod progress;
mod report;
mod room;
mod run;
mod source;
mod summary;
mod teller;
mod text;
mod watch;

pub(crate) use arguments::AnalyzeArguments;
pub(crate) use run::run;
