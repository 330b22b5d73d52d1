//! Framing: one message is its length (`u32`, big endian, bytes) and that many bytes of JSON.
//!
//! A frame is at most [`MAX_FRAME_BYTES`] long. A longer one, or one that is no message, is an
//! error after which the connection cannot be trusted any more: the reader closes it.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest message, bytes, without the length.
pub const MAX_FRAME_BYTES: usize = 4 << 20;

/// Bytes of the length.
const LENGTH_BYTES: usize = 4;

/// A frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length says more than the limit.
    #[error(
        "a message of {bytes} bytes is over the limit of {MAX_FRAME_BYTES} bytes (ask for fewer \
         rows; if this is the first message, the other side does not speak this protocol)"
    )]
    TooLong {
        /// The length.
        bytes: u64,
    },
    /// The connection ended inside a frame.
    #[error("the connection ended inside a message: {got} of {expected} bytes came")]
    Truncated {
        /// Bytes that came.
        got: usize,
        /// Bytes that were announced.
        expected: usize,
    },
    /// Not JSON, or not a message of this protocol.
    #[error("not a message of this protocol: {0} (is the other side of the same version?)")]
    Message(#[source] serde_json::Error),
    /// The socket failed.
    #[error("socket: {0}")]
    Io(#[from] io::Error),
}

/// Appends the frame of `value` to `out`.
///
/// # Errors
/// [`FrameError::TooLong`]; [`FrameError::Message`] when the value cannot be JSON. `out` is then as
/// it was.
pub fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    if let Err(error) = serde_json::to_writer(&mut *out, value) {
        out.truncate(start);
        return Err(FrameError::Message(error));
    }
    let bytes = out.len() - start - LENGTH_BYTES;
    match u32::try_from(bytes) {
        Ok(length) if bytes <= MAX_FRAME_BYTES => {
            out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(FrameError::TooLong {
                bytes: bytes as u64,
            })
        }
    }
}

/// The first message in `bytes` and how many bytes it took; `None` when it has not all come yet.
///
/// # Errors
/// [`FrameError::TooLong`] as soon as the length is there; [`FrameError::Message`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<(T, usize)>, FrameError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let length = checked_length(*length)?;
    match rest.get(..length) {
        Some(body) => Ok(Some((parse(body)?, LENGTH_BYTES + length))),
        None => Ok(None),
    }
}

/// Writes one message and flushes.
///
/// # Errors
/// Those of [`encode`]; [`FrameError::Io`].
pub async fn write<T: Serialize, W: AsyncWrite + Unpin>(
    writer: &mut W,
    value: &T,
) -> Result<(), FrameError> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes)?;
    writer.write_all(&bytes).await?;
    writer.flush().await?;
    Ok(())
}

/// Reads one message; `None` when the other side closed between two messages. Not cancel-safe: a
/// dropped call loses the frame it was in.
///
/// # Errors
/// All of [`FrameError`].
pub async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(
    reader: &mut R,
) -> Result<Option<T>, FrameError> {
    match read_length(reader).await? {
        Some(length) => Ok(Some(parse(&read_body(reader, length).await?)?)),
        None => Ok(None),
    }
}

/// Reads the length of the next frame; `None` when the other side closed before it.
///
/// # Errors
/// All of [`FrameError`] but `Message`.
pub(crate) async fn read_length<R: AsyncRead + Unpin>(
    reader: &mut R,
) -> Result<Option<usize>, FrameError> {
    let mut length = [0; LENGTH_BYTES];
    let mut got = 0;
    while got < LENGTH_BYTES {
        match reader.read(&mut length[got..]).await? {
            0 if got == 0 => return Ok(None),
            0 => {
                return Err(FrameError::Truncated {
                    got,
                    expected: LENGTH_BYTES,
                });
            }
            count => got += count,
        }
    }
    checked_length(length).map(Some)
}

/// Reads the body of a frame. Memory grows with what came, not with what was announced.
///
/// # Errors
/// [`FrameError::Truncated`], [`FrameError::Io`].
pub(crate) async fn read_body<R: AsyncRead + Unpin>(
    reader: &mut R,
    length: usize,
) -> Result<Vec<u8>, FrameError> {
    let mut body = Vec::new();
    let got = reader.take(length as u64).read_to_end(&mut body).await?;
    if got < length {
        return Err(FrameError::Truncated {
            got,
            expected: length,
        });
    }
    Ok(body)
}

/// The message in a body.
///
/// # Errors
/// [`FrameError::Message`].
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(FrameError::Message)
}

fn checked_length(length: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
    let bytes = u32::from_be_bytes(length);
    usize::try_from(bytes)
        .ok()
        .filter(|length| *length <= MAX_FRAME_BYTES)
        .ok_or(FrameError::TooLong {
            bytes: u64::from(bytes),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Request, Response, Sort};
    use proptest::prelude::*;

    #[test]
    fn a_message_survives_the_way() {
        let request = Request::Flows {
            filter: Some("verdict:block".to_owned()),
            sort: Sort::default(),
            limit: 7,
        };
        let mut bytes = Vec::new();
        encode(&request, &mut bytes).unwrap();
        encode(&Request::Status, &mut bytes).unwrap();
        let (first, used) = decode::<Request>(&bytes).unwrap().unwrap();
        assert_eq!(first, request);
        let (second, rest) = decode::<Request>(&bytes[used..]).unwrap().unwrap();
        assert_eq!(second, Request::Status);
        assert_eq!(used + rest, bytes.len());
    }

    #[test]
    fn every_cut_is_incomplete_and_nothing_else() {
        let mut bytes = Vec::new();
        encode(&Request::Reload, &mut bytes).unwrap();
        for cut in 0..bytes.len() {
            assert!(decode::<Request>(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_the_body_comes() {
        let error = decode::<Request>(b"GET / HTTP/1.1").unwrap_err();
        assert!(matches!(error, FrameError::TooLong { bytes } if bytes == 0x4745_5420));
        assert!(error.to_string().contains("does not speak this protocol"));
    }

    #[test]
    fn a_value_over_the_limit_leaves_the_buffer_as_it_was() {
        let mut bytes = vec![1, 2, 3];
        let error = encode(&"x".repeat(MAX_FRAME_BYTES), &mut bytes).unwrap_err();
        assert!(matches!(error, FrameError::TooLong { .. }));
        assert_eq!(bytes, [1, 2, 3]);
    }

    #[tokio::test]
    async fn an_end_between_messages_is_an_end_and_inside_one_an_error() {
        let mut bytes = Vec::new();
        encode(&Request::Status, &mut bytes).unwrap();
        let mut whole = &bytes[..];
        assert_eq!(
            read::<Request, _>(&mut whole).await.unwrap(),
            Some(Request::Status)
        );
        assert_eq!(read::<Request, _>(&mut whole).await.unwrap(), None);
        for cut in 1..bytes.len() {
            let error = read::<Request, _>(&mut &bytes[..cut]).await.unwrap_err();
            assert!(matches!(error, FrameError::Truncated { .. }), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_to_something_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode::<Request>(&bytes);
            let _ = decode::<Response>(&bytes);
        }

        #[test]
        fn any_body_decodes_to_something_or_an_error(body in ".{0,200}") {
            let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
            bytes.extend_from_slice(body.as_bytes());
            if let Ok(Some((_, used))) = decode::<serde_json::Value>(&bytes) {
                prop_assert_eq!(used, bytes.len());
            }
            let _ = decode::<Request>(&bytes);
        }
    }
}
