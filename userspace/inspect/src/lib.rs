//! octroi-inspect: bytes to flows and names.
