//! octroi-events: what a SOC and an auditor see.
