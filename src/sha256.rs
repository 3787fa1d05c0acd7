//! Hashes that stand for contents, as people and AWS see them.

use sha2::{Digest, Sha256};

/// The first characters of the SHA-256 of some bytes, as hexadecimal digits; there are 64.
pub fn hex(bytes: &[u8], length: usize) -> String {
    let mut text: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(length);
    text
}
