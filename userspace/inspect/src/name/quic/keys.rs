//! Keys of Initial packets, and how a packet is opened with them (RFC 9001 section 5).

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::{Aes128Gcm, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;

use super::header::Initial;
use super::version::Scheme;

/// Key, initialization vector and header key of the client's Initial packets.
pub(super) struct Secrets {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) header: [u8; 16],
}

impl Secrets {
    /// Derives them from the connection identifier that the client chose for the server.
    pub(super) fn of_client(scheme: &Scheme, destination: &[u8]) -> Self {
        let initial = Hkdf::<Sha256>::new(Some(&scheme.salt), destination);
        let secret: [u8; 32] = expand(&initial, b"client in");
        // A secret of 32 bytes is a pseudorandom key of SHA-256: this cannot fail.
        let client = Hkdf::<Sha256>::from_prk(&secret).unwrap_or(initial);
        Self {
            key: expand(&client, scheme.key_label),
            iv: expand(&client, scheme.iv_label),
            header: expand(&client, scheme.header_label),
        }
    }
}

/// Keys of the client's Initial packets of one connection.
pub(super) struct Keys {
    seal: Aes128Gcm,
    iv: [u8; 12],
    header: Aes128,
}

impl Keys {
    /// See [`Secrets::of_client`].
    pub(super) fn of_client(scheme: &Scheme, destination: &[u8]) -> Self {
        let secrets = Secrets::of_client(scheme, destination);
        Self {
            seal: Aes128Gcm::new(&secrets.key.into()),
            iv: secrets.iv,
            header: Aes128::new(&secrets.header.into()),
        }
    }

    /// The frames of a packet, when it was sealed with these keys.
    pub(super) fn open(&self, initial: &Initial<'_>) -> Option<Vec<u8>> {
        let at = initial.number_at;
        let sample: [u8; 16] = initial.packet.get(at + 4..at + 20)?.try_into().ok()?;
        let mut mask = sample.into();
        self.header.encrypt_block(&mut mask);
        let first = initial.packet.first()? ^ (mask[0] & 0x0f);
        let number_bytes = usize::from(first & 3) + 1;
        let mut associated = initial.packet.get(..at + number_bytes)?.to_vec();
        associated[0] = first;
        let mut number = 0_u64;
        for (byte, mask) in associated[at..].iter_mut().zip(&mask[1..]) {
            *byte ^= mask;
            number = number << 8 | u64::from(*byte);
        }
        let mut nonce = self.iv;
        for (byte, part) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= part;
        }
        let payload = Payload {
            msg: initial.packet.get(at + number_bytes..)?,
            aad: &associated,
        };
        self.seal.decrypt(&Nonce::from(nonce), payload).ok()
    }
}

/// HKDF-Expand-Label of TLS 1.3 without context (RFC 8446 section 7.1).
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let info: [&[u8]; 5] = [
        &[0, u8::try_from(N).unwrap_or(0)],
        &[u8::try_from(6 + label.len()).unwrap_or(0)],
        b"tls13 ",
        label,
        &[0],
    ];
    // Fails only beyond 255 blocks of output.
    if secret.expand_multi_info(&info, &mut out).is_err() {
        out = [0; N];
    }
    out
}
