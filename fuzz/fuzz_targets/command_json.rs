//! Any payload of a frame in this codec: no panic, and a command that survives being encoded again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use starling_fuzz::command;
use starling_protocol::Codec;

fuzz_target!(|payload: &[u8]| command::check(Codec::Json, payload));
