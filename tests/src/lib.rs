//! octroi-tests: the lab.
