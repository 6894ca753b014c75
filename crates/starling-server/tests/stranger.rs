//! A client in Python, written from the protocol's description, against the real binary.

mod support;

use std::process::Command;

use support::{SECRET, Server, free_addr};

/// The interpreter that `cargo xtask test` prepares, or the system's where it has the modules.
fn python() -> String {
    if let Ok(python) = std::env::var("STARLING_TEST_PYTHON") {
        return python;
    }
    let has_modules = Command::new("python3")
        .args(["-c", "import jwt, msgpack, websockets"])
        .output();
    assert!(
        has_modules.is_ok_and(|output| output.status.success()),
        "this test needs Python with the modules of tests/python/requirements.txt: run `cargo xtask test`, which \
         installs them"
    );
    "python3".into()
}

#[test]
fn a_stranger_follows_the_protocol_through_every_command_in_both_codecs() {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    // What limits people must not limit a program that does everything within seconds.
    let variables = [
        ("STARLING_LIMITS__HANDSHAKES_PER_MINUTE", "1000"),
        ("STARLING_LIMITS__COMMANDS_PER_MINUTE", "6000"),
        ("STARLING_MESSAGING__RATE_PER_MINUTE", "6000"),
    ];
    let _server = Server::start(addr, folder.path(), &variables);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/stranger.py");
    let output = Command::new(python())
        .args([script, &format!("ws://{addr}"), SECRET])
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.ends_with("stranger: ok\n"),
        "{out}\n{err}"
    );
}
