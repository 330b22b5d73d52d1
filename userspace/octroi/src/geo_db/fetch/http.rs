//! One conditional request for one file: bounded in time, redirects and bytes; anything that is not
//! the whole file is an error that says what came instead.

use std::io::{self, Read, Write};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use ureq::http::{HeaderMap, StatusCode, header};
use ureq::{Agent, Body};

/// Redirects that are followed.
const MAX_REDIRECTS: u32 = 5;
/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// Bytes of the beginning that are looked at for HTML.
const LOOKED_AT: usize = 512;

/// How patient a request is.
#[derive(Clone, Copy, Debug)]
pub(in crate::geo_db) struct Patience {
    /// For the connection, for the head of the answer, and for each piece of its body.
    pub(in crate::geo_db) silence: Duration,
    /// For all of it.
    pub(in crate::geo_db) whole: Duration,
}

/// What makes a request conditional: what the server said of the copy that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::geo_db) struct Validators {
    /// `ETag`.
    pub(in crate::geo_db) etag: Option<String>,
    /// `Last-Modified`.
    pub(in crate::geo_db) last_modified: Option<String>,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::geo_db) enum Answer {
    /// The copy that is there is still right.
    NotModified,
    /// The whole file was written.
    Written {
        /// Bytes of the file, unpacked.
        bytes: u64,
        /// What the server says of it.
        validators: Validators,
    },
}

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
pub(in crate::geo_db) enum FetchError {
    /// No connection, no answer in time, too many redirects.
    #[error("{url}: no answer: {problem} ({remedy})")]
    Transport {
        /// The address.
        url: String,
        /// What happened.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Another status than 200 or 304.
    #[error("{url}: the server answers {status} ({remedy})")]
    Status {
        /// The address.
        url: String,
        /// The status.
        status: StatusCode,
        /// What to do.
        remedy: &'static str,
    },
    /// A web page instead of data.
    #[error(
        "{url}: the server answers with a web page (HTML) instead of the data: a portal, a \
         moved address or an expired key (open the address in a browser)"
    )]
    Html {
        /// The address.
        url: String,
    },
    /// The connection ended before the file did.
    #[error(
        "{url}: the download broke off after {got} bytes: {problem} (it is tried again at the next update)"
    )]
    Truncated {
        /// The address.
        url: String,
        /// Bytes that came.
        got: u64,
        /// What is missing.
        problem: String,
    },
    /// More bytes than allowed.
    #[error(
        "{url}: more than {limit} bytes (see what the server sends; max_bytes of the source is the bound)"
    )]
    TooLarge {
        /// The address.
        url: String,
        /// The bound.
        limit: u64,
    },
    /// Nothing.
    #[error("{url}: the answer is empty (it is tried again at the next update)")]
    Empty {
        /// The address.
        url: String,
    },
    /// The file cannot be written.
    #[error("{url}: cannot write what came: {source} (see the room and the rights of the cache)")]
    Write {
        /// The address.
        url: String,
        /// Why.
        source: io::Error,
    },
}

/// Asks for `url`; writes what comes to `out`, at most `limit` bytes.
pub(in crate::geo_db) fn get(
    url: &str,
    known: &Validators,
    limit: u64,
    patience: Patience,
    out: &mut impl Write,
) -> Result<Answer, FetchError> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        // A secure address never leads to one that is not.
        .https_only(url.starts_with("https://"))
        .max_redirects(MAX_REDIRECTS)
        .max_redirects_will_error(true)
        .user_agent(concat!("octroi/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(patience.whole))
        .timeout_connect(Some(patience.silence))
        .timeout_recv_response(Some(patience.silence))
        .timeout_per_read(Some(patience.silence))
        .build()
        .into();
    // Unpacked here: the bound holds for packed and unpacked bytes, and a short answer shows.
    let mut request = agent.get(url).header(header::ACCEPT_ENCODING, "gzip");
    if let Some(etag) = &known.etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    if let Some(day) = &known.last_modified {
        request = request.header(header::IF_MODIFIED_SINCE, day);
    }
    let response = request.call().map_err(|error| transport(url, &error))?;
    let (head, body) = response.into_parts();
    match head.status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if *known != Validators::default() => {
            return Ok(Answer::NotModified);
        }
        status => {
            return Err(FetchError::Status {
                url: url.to_owned(),
                status,
                remedy: remedy(status),
            });
        }
    }
    let content_type = text(&head.headers, header::CONTENT_TYPE).unwrap_or_default();
    if content_type.starts_with("text/html") || content_type.starts_with("application/xhtml") {
        return Err(FetchError::Html {
            url: url.to_owned(),
        });
    }
    let bytes = receive(url, &head.headers, body, limit, out)?;
    Ok(Answer::Written {
        bytes,
        validators: Validators {
            etag: text(&head.headers, header::ETAG),
            last_modified: text(&head.headers, header::LAST_MODIFIED),
        },
    })
}

fn receive(
    url: &str,
    headers: &HeaderMap,
    body: Body,
    limit: u64,
    out: &mut impl Write,
) -> Result<u64, FetchError> {
    let announced = text(headers, header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    let too_large = || FetchError::TooLarge {
        url: url.to_owned(),
        limit,
    };
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large());
    }
    let encoding = text(headers, header::CONTENT_ENCODING).unwrap_or_default();
    let mut counted = Counted {
        inner: body.into_with_config().limit(limit + 1).reader(),
        bytes: 0,
    };
    let copied = if encoding.eq_ignore_ascii_case("gzip") {
        copy(url, &mut MultiGzDecoder::new(&mut counted), limit, out)
    } else {
        copy(url, &mut counted, limit, out)
    };
    let got = counted.bytes;
    let bytes = match copied {
        Ok(bytes) => bytes,
        Err(Stopped::TooLarge) => return Err(too_large()),
        Err(Stopped::Refused(error)) => return Err(error),
        Err(Stopped::Read(_)) if got > limit => return Err(too_large()),
        Err(Stopped::Read(error)) => {
            let whole = announced.map_or_else(String::new, |all| format!(" of {all}"));
            return Err(FetchError::Truncated {
                url: url.to_owned(),
                got,
                problem: format!("{error}{whole}"),
            });
        }
    };
    if let Some(announced) = announced.filter(|announced| *announced != got) {
        return Err(FetchError::Truncated {
            url: url.to_owned(),
            got,
            problem: format!("{announced} were announced"),
        });
    }
    if bytes == 0 {
        return Err(FetchError::Empty {
            url: url.to_owned(),
        });
    }
    Ok(bytes)
}

/// Why copying stopped.
enum Stopped {
    TooLarge,
    Read(io::Error),
    Refused(FetchError),
}

fn copy(url: &str, from: &mut impl Read, limit: u64, out: &mut impl Write) -> Result<u64, Stopped> {
    let mut chunk = vec![0; CHUNK];
    let mut begin: Vec<u8> = Vec::with_capacity(LOOKED_AT);
    let mut bytes = 0_u64;
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Stopped::Read(error)),
        };
        let came = chunk.get(..read).unwrap_or_default();
        bytes += read as u64;
        if bytes > limit {
            return Err(Stopped::TooLarge);
        }
        if begin.len() < LOOKED_AT {
            begin.extend(came.iter().take(LOOKED_AT - begin.len()));
            if is_html(&begin) {
                return Err(Stopped::Refused(FetchError::Html {
                    url: url.to_owned(),
                }));
            }
        }
        out.write_all(came).map_err(|source| {
            Stopped::Refused(FetchError::Write {
                url: url.to_owned(),
                source,
            })
        })?;
    }
    Ok(bytes)
}

/// Does the beginning of a file look like a web page?
fn is_html(begin: &[u8]) -> bool {
    let text = String::from_utf8_lossy(begin);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let begins = |word: &str| {
        text.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    begins("<!doctype html") || begins("<html") || begins("<head") || begins("<body")
}

struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.trim().to_owned())
}

fn transport(url: &str, error: &ureq::Error) -> FetchError {
    let remedy = match error {
        ureq::Error::Timeout(_) => {
            "the server hangs or the network is slow: --timeout gives it more time"
        }
        ureq::Error::TooManyRedirects => {
            "the address leads in a circle: correct it in the declaration"
        }
        ureq::Error::HostNotFound => "see the name in the address, and the resolver",
        ureq::Error::RequireHttpsOnly(_) => {
            "a secure address redirects to one that is not: correct it in the declaration"
        }
        _ => "see whether the server can be reached from here",
    };
    FetchError::Transport {
        url: url.to_owned(),
        problem: error.to_string(),
        remedy,
    }
}

fn remedy(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "the server wants a key or refuses this machine",
        404 | 410 => "the file has moved or is gone: correct the address in the declaration",
        429 => "asked too often: update less often",
        500..=599 => "the server is in trouble: it is tried again at the next update",
        _ => "correct the address in the declaration",
    }
}
