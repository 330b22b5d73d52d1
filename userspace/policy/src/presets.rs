//! The policies that ship with Octroi: complete, commented, meant to be copied and edited.

use crate::model::Policy;

/// Names of the presets, mildest first.
pub const PRESETS: [&str; 4] = ["observe", "gdpr", "cloud-au-centre", "france-only"];

impl Policy {
    /// Names of the presets, mildest first.
    pub const PRESETS: [&'static str; 4] = PRESETS;

    /// The text of a preset.
    #[must_use]
    pub fn preset(name: &str) -> Option<&'static str> {
        Some(match name {
            "observe" => include_str!("../presets/observe.toml"),
            "gdpr" => include_str!("../presets/gdpr.toml"),
            "cloud-au-centre" => include_str!("../presets/cloud-au-centre.toml"),
            "france-only" => include_str!("../presets/france-only.toml"),
            _ => return None,
        })
    }
}
