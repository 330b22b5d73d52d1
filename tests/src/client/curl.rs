//! The real `curl`: HTTP and TLS as users' programs speak them.

use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;

use super::{Attempt, PATIENCE, Seen};
use crate::lab::{LabError, Namespace, Result};

/// The part of curl's `--write-out %{json}` that tells what happened.
#[derive(Debug, Deserialize)]
struct Report {
    exitcode: i32,
    #[serde(default)]
    errormsg: Option<String>,
    /// Seconds until TCP stood; 0 when it never did.
    time_connect: f64,
    time_total: f64,
    #[serde(default)]
    local_port: Option<i64>,
}

/// curl's exit codes (`man curl`, EXIT CODES).
const RESOLVE_FAILED: i32 = 6;
const CONNECT_FAILED: i32 = 7;
const TIMED_OUT: i32 = 28;

/// A request of curl.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is fetched.
    pub url: String,
    /// Connect to this address, whatever the name resolves to.
    pub address: Option<IpAddr>,
    /// The authority that signed the servers.
    pub authority: &'a Path,
}

impl Request<'_> {
    /// Fetches from a namespace whose `/etc/resolv.conf` is the lab's.
    ///
    /// # Errors
    /// curl cannot start or prints no report.
    pub fn fetch(&self, from: &Namespace) -> Result<Attempt> {
        let mut curl = from.command_with_names("curl");
        // Settings (first, or it is ignored) and proxies of this machine are not the lab's.
        curl.args(["--disable", "--noproxy", "*"])
            .args([
                "--silent",
                "--output",
                "/dev/null",
                "--write-out",
                "%{json}",
            ])
            .args(["--connect-timeout", &PATIENCE.as_secs_f32().to_string()])
            .args(["--max-time", &(PATIENCE * 2).as_secs_f32().to_string()])
            .arg("--cacert")
            .arg(self.authority);
        if let Some(address) = self.address {
            let address = match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            curl.args(["--connect-to", &format!("::{address}:")]);
        }
        curl.arg(&self.url).stdin(Stdio::null());
        let output = curl.output().map_err(|source| LabError::Start {
            program: "curl".to_owned(),
            source,
        })?;
        let report: Report =
            serde_json::from_slice(&output.stdout).map_err(|error| LabError::Failed {
                command: format!("curl {}", self.url),
                status: output.status.to_string(),
                output: format!(
                    "{error}: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                ),
            })?;
        Ok(Attempt {
            seen: report.seen(),
            took: Duration::from_secs_f64(report.time_total.max(0.0)),
            local_port: report
                .local_port
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port != 0),
            words: report.errormsg.unwrap_or_default(),
        })
    }
}

impl Report {
    fn seen(&self) -> Seen {
        // A handshake of TLS that ends in silence leaves the time at 0: the words tell.
        let connected = self.time_connect > 0.0 || self.says("ssl connection timeout");
        match self.exitcode {
            0 => Seen::Answered,
            RESOLVE_FAILED => Seen::NoName,
            _ if connected => Seen::Cut,
            CONNECT_FAILED if self.says("refused") => Seen::Refused,
            CONNECT_FAILED if self.says("unreachable") || self.says("denied") => Seen::Prohibited,
            // Older versions say no more than "couldn't connect"; a silence is told by its length.
            CONNECT_FAILED if self.time_total < PATIENCE.as_secs_f64() / 2.0 => Seen::Refused,
            CONNECT_FAILED | TIMED_OUT => Seen::Timeout,
            _ => Seen::Cut,
        }
    }

    fn says(&self, word: &str) -> bool {
        self.errormsg
            .as_deref()
            .is_some_and(|text| text.to_lowercase().contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_as_a_user_would_see_them() {
        for (exitcode, errormsg, time_connect, time_total, seen) in [
            (0, "", 0.001, 0.1, Seen::Answered),
            (6, "Could not resolve host: x", 0.0, 0.1, Seen::NoName),
            (
                7,
                "Failed to connect: Connection refused",
                0.0,
                0.01,
                Seen::Refused,
            ),
            (
                7,
                "Failed to connect: Couldn't connect to server",
                0.0,
                0.01,
                Seen::Refused,
            ),
            (
                7,
                "connect: No route to host; Host is unreachable",
                0.0,
                0.01,
                Seen::Prohibited,
            ),
            (28, "Connection timed out", 0.0, 2.0, Seen::Timeout),
            (28, "Operation timed out", 0.01, 4.0, Seen::Cut),
            (28, "SSL connection timeout", 0.0, 2.0, Seen::Cut),
            (
                35,
                "OpenSSL SSL_connect: Connection reset by peer",
                0.01,
                0.05,
                Seen::Cut,
            ),
            (56, "Recv failure", 0.01, 0.05, Seen::Cut),
        ] {
            let text = format!(
                r#"{{"exitcode":{exitcode},"errormsg":"{errormsg}","time_connect":{time_connect},"time_total":{time_total},"local_port":4,"more":1}}"#
            );
            let report: Report = serde_json::from_str(&text).unwrap();
            assert_eq!(report.seen(), seen, "{text}");
        }
    }
}
