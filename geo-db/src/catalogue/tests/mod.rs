//! The catalogue under test: the embedded facts, bad files, look-ups against naive ones.

mod facts;
