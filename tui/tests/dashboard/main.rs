//! The dashboard from the outside: its behaviour under scripts, its screens as text, and the
//! whole of it in a real pseudo-terminal.

mod behaviour;
mod calls_and_findings;
mod screens;
mod support;
mod terminal;
