//! octroi-api: what the daemon and its clients say to each other.
