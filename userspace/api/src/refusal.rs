//! Refusals: why a request failed, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame was too long, or no JSON, or no request. The server closes the connection.
    BadFrame,
    /// Another protocol version, or no hello.
    Protocol,
    /// The filter does not parse.
    Filter,
    /// The client's role is not enough.
    Forbidden,
    /// No such flow, zone...
    NotFound,
    /// The policy has errors.
    Policy,
    /// Too many connections or watches.
    Busy,
    /// The daemon could not do it.
    Failed,
}

impl ErrorCode {
    /// The word used in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::Protocol => "protocol",
            Self::Filter => "filter",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Policy => "policy",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

/// A refusal, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct ApiError {
    /// Kind.
    pub code: ErrorCode,
    /// What failed, on what.
    pub message: String,
    /// What to do, when something can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl ApiError {
    /// An error without remedy.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: None,
        }
    }

    /// With what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.remedy {
            Some(remedy) => write!(f, " ({remedy})"),
            None => Ok(()),
        }
    }
}
