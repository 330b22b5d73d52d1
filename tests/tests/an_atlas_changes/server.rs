//! A web server in the gateway's namespace that answers each path as it is told, rightly or wrongly.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use octroi_tests::lab::{Namespace, Result};

/// What is sent for a path.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These bytes, then the end.
    Raw(Vec<u8>),
    /// Nothing, and no end.
    Silence,
}

impl Answer {
    /// A file, whole.
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self::with("200 OK", "", body)
    }

    /// A status, more headers (each with its line end), a body.
    pub(crate) fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        Self::announcing(status, headers, body, body.len())
    }

    /// The same with another length than the body has.
    pub(crate) fn announcing(status: &str, headers: &str, body: &[u8], length: usize) -> Self {
        let mut raw = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        )
        .into_bytes();
        raw.extend_from_slice(body);
        Self::Raw(raw)
    }
}

/// The server; it ends with the test's process.
pub(crate) struct Server {
    base: String,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Server {
    /// Starts on the loopback of a namespace.
    pub(crate) fn start(namespace: &Namespace) -> Result<Self> {
        let listener = namespace.within(|| TcpListener::bind("127.0.0.1:0").unwrap())?;
        let base = format!("http://{}", listener.local_addr().unwrap());
        let answers: Arc<Mutex<HashMap<String, Answer>>> = Arc::default();
        let served = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let served = Arc::clone(&served);
                std::thread::spawn(move || serve(stream, &served));
            }
        });
        Ok(Self { base, answers })
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn base(&self) -> String {
        self.base.clone()
    }

    /// Sets what is sent for a path.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }
}

fn serve(mut stream: TcpStream, answers: &Mutex<HashMap<String, Answer>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if lines.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let answer = answers.lock().unwrap().get(path).cloned();
    let answer = answer.unwrap_or_else(|| Answer::with("404 Not Found", "", b""));
    match answer {
        // A client that leaves early is part of the game.
        Answer::Raw(raw) => drop(stream.write_all(&raw)),
        Answer::Silence => {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
            let _ = stream.read(&mut [0; 1]);
        }
    }
}
