//! Any bytes from a peer: no panic, memory within its bound, and the same messages and error however reads cut them.
//!
//! Input: one byte for the role (bit 0) and tight or default limits (bit 1), four lengths of reads, then the stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling_fuzz::ws::decode;
use starling_protocol::ws::{Limits, Role};

fuzz_target!(|data: &[u8]| {
    let Some(([options, lengths @ ..], stream)) = data.split_first_chunk::<5>() else {
        return;
    };
    let role = if options & 1 == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let tight = Limits {
        max_frame: 200,
        max_message: 300,
        max_fragments: 4,
    };
    let limits = if options & 2 == 0 {
        Limits::default()
    } else {
        tight
    };

    let whole = decode(role, limits, [stream]);
    assert_eq!(whole, decode(role, limits, stream.chunks(1)), "byte by byte");

    let mut rest = stream;
    let mut lengths = lengths.iter().cycle();
    let reads = std::iter::from_fn(|| {
        let length = usize::from(*lengths.next()?).max(1);
        let (read, left) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = left;
        (!read.is_empty()).then_some(read)
    });
    assert_eq!(
        whole,
        decode(role, limits, reads),
        "in reads of {:?}",
        &data[1..5]
    );
});
