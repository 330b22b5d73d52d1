//! Signatures of atlas files: minisign's format (Ed25519 over the BLAKE2b-512 digest of the file).
//!
//! `atlas.bin` is signed by `atlas.bin.minisig` beside it. Keys and signatures are made with
//! minisign itself; Octroi only verifies.

use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};

/// A signature that does not hold, or a key that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    /// Neither a key nor a file with one.
    #[error(
        "public key {key}: {problem} (expected: the line that begins with RW, or the path of a \
         minisign.pub)"
    )]
    Key {
        /// What was given.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The signature is not there.
    #[error(
        "{signature}: cannot read the signature of {file}: {source} (sign it: minisign -S -m \
         {file})"
    )]
    Missing {
        /// The signed file.
        file: PathBuf,
        /// The file of the signature.
        signature: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is there and does not hold.
    #[error(
        "{signature}: the signature of {file} does not hold: {problem} (fetch both files again, \
         or sign the file again with the key that `public_key` names)"
    )]
    Wrong {
        /// The signed file.
        file: PathBuf,
        /// The file of the signature.
        signature: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Reads a public key: its line of base64, or a file as `minisign -G` writes it.
pub(crate) fn read_key(text_or_path: &str) -> Result<PublicKey, SignatureError> {
    let wrong = |problem: String| SignatureError::Key {
        key: text_or_path.to_owned(),
        problem,
    };
    if let Ok(key) = PublicKey::from_base64(text_or_path.trim()) {
        return Ok(key);
    }
    let text = std::fs::read_to_string(text_or_path)
        .map_err(|error| wrong(format!("is no key, and no file can be read there: {error}")))?;
    PublicKey::decode(&text)
        .or_else(|_| PublicKey::from_base64(text.trim()))
        .map_err(|error| wrong(format!("the file holds no minisign public key: {error}")))
}

/// Where the signature of a file lies.
pub(crate) fn signature_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}

/// Verifies the signature beside `file` over `bytes`, which were read from it. Returns the trusted
/// comment: signed too, by default the day and the name of the file.
pub(crate) fn verify(file: &Path, bytes: &[u8], key: &PublicKey) -> Result<String, SignatureError> {
    let path = signature_path(file);
    let text = std::fs::read_to_string(&path).map_err(|source| SignatureError::Missing {
        file: file.to_owned(),
        signature: path.clone(),
        source,
    })?;
    let wrong = |problem: minisign_verify::Error| SignatureError::Wrong {
        file: file.to_owned(),
        signature: path.clone(),
        problem: problem.to_string(),
    };
    let signature = Signature::decode(&text).map_err(wrong)?;
    key.verify(bytes, &signature, false).map_err(wrong)?;
    Ok(signature.trusted_comment().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;

    fn sign(pair: &KeyPair, data: &[u8]) -> String {
        minisign::sign(Some(&pair.pk), &pair.sk, data, Some("of a test"), None)
            .unwrap()
            .into_string()
    }

    #[test]
    fn only_the_signed_bytes_under_the_right_key_hold() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("atlas.bin");
        let (pair, other) = (
            KeyPair::generate_unencrypted_keypair().unwrap(),
            KeyPair::generate_unencrypted_keypair().unwrap(),
        );
        let key = read_key(&pair.pk.to_base64()).unwrap();
        let wrong_key = read_key(&other.pk.to_base64()).unwrap();
        let missing = verify(&file, b"data", &key).unwrap_err();
        assert!(missing.to_string().contains("minisign -S"), "{missing}");

        std::fs::write(signature_path(&file), sign(&pair, b"data")).unwrap();
        assert_eq!(verify(&file, b"data", &key).unwrap(), "of a test");
        for (bytes, key) in [(&b"dat4"[..], &key), (b"data", &wrong_key), (b"", &key)] {
            let error = verify(&file, bytes, key).unwrap_err();
            assert!(matches!(error, SignatureError::Wrong { .. }), "{error}");
        }
        for text in ["", "untrusted comment: x\nRWQ=\n", "<html>"] {
            std::fs::write(signature_path(&file), text).unwrap();
            let error = verify(&file, b"data", &key).unwrap_err();
            assert!(matches!(error, SignatureError::Wrong { .. }), "{error}");
        }
    }

    #[test]
    fn a_key_is_a_line_or_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("minisign.pub");
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        std::fs::write(&path, pair.pk.to_box().unwrap().to_string()).unwrap();
        let file = directory.path().join("atlas.bin");
        std::fs::write(signature_path(&file), sign(&pair, b"data")).unwrap();
        for key in [path.to_str().unwrap(), &pair.pk.to_base64()] {
            verify(&file, b"data", &read_key(key).unwrap()).unwrap();
        }
        std::fs::write(&path, "no key").unwrap();
        for bad in [path.to_str().unwrap(), "RWQnokey", "/nonexistent"] {
            let error = read_key(bad).unwrap_err().to_string();
            assert!(
                error.contains(bad) && error.contains("minisign.pub"),
                "{error}"
            );
        }
    }
}
