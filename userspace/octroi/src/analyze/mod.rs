//! `octroi analyze`: captures through the same parser, names, atlas and evaluator as live traffic.
//!
//! A capture becomes flows ([`octroi_inspect::survey`]), each flow a verdict
//! ([`judged`]), the verdicts a report ([`report`]) that is printed as text or JSON. Needs neither
//! root nor a daemon. Memory does not grow with the capture: tables and lists are bounded, and
//! what was left out is told.

mod arguments;
mod eve;
mod flow_line;
mod json;
mod judged;
mod names;
mod report;
mod run;
mod summary;
mod text;

pub(crate) use arguments::AnalyzeArguments;
pub(crate) use run::run;
