//! octroi-tui: the dashboard.
