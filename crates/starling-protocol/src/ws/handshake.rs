use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// Section 1.3: shows that the server speaks WebSocket and did not merely echo the key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (section 4.2.2, step 5.4).
#[must_use]
pub fn accept_key(sec_websocket_key: &str) -> String {
    let digest = Sha1::new()
        .chain_update(sec_websocket_key)
        .chain_update(GUID)
        .finalize();
    STANDARD.encode(digest)
}

/// Whether a `Sec-WebSocket-Key` is the base64 of 16 bytes (section 4.2.1, item 5): 22 letters of the alphabet and the
/// padding. The four bits that the last letter has too many are not looked at, as in other servers.
#[must_use]
pub fn is_valid_key(sec_websocket_key: &str) -> bool {
    sec_websocket_key.strip_suffix("==").is_some_and(|letters| {
        letters.len() == 22
            && letters
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
    })
}
