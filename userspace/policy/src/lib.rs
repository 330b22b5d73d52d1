//! octroi-policy: the language in which an administrator says what may leave.
