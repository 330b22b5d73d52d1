//! The real `openssl s_client`: a handshake, and what came of it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use super::{Attempt, PATIENCE, Seen};
use crate::lab::{LabError, Namespace, Result};

/// Shakes hands from a namespace with an address under a name, and fetches a page.
///
/// # Errors
/// openssl cannot start.
pub fn fetch(from: &Namespace, to: SocketAddr, name: &str, authority: &Path) -> Result<Attempt> {
    let begun = Instant::now();
    // It has no patience of its own.
    let mut command = from.command("timeout");
    command
        .arg((PATIENCE * 2).as_secs_f32().to_string())
        .args([
            "openssl",
            "s_client",
            "-brief",
            "-ign_eof",
            "-verify_return_error",
        ])
        .args(["-connect", &to.to_string(), "-servername", name])
        .arg("-CAfile")
        .arg(authority)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let failed = |source| LabError::Start {
        program: "openssl".to_owned(),
        source,
    };
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // When it is cut off there is nobody to read this.
        let _ = write!(input, "GET / HTTP/1.1\r\nHost: {name}\r\n\r\n");
    }
    let output = child.wait_with_output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let seen = if said.contains("200 OK") {
        Seen::Answered
    } else if words.contains("Connection refused") {
        Seen::Refused
    } else {
        Seen::Cut
    };
    Ok(Attempt {
        seen,
        took: begun.elapsed(),
        local_port: None,
        words,
    })
}
