//! `starling health`, as a container's health check runs it: the same settings as the server, nothing else.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

use support::{Server, free_addr, starling};

/// Exit code, standard output and standard error.
fn health(listen: SocketAddr) -> (Option<i32>, String, String) {
    let output = starling()
        .args(["health", "--listen", &listen.to_string()])
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Answers one request with this, and ends.
fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    addr
}

#[test]
fn a_server_that_is_ready_is_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    let server = Server::start(addr, folder.path(), &[]);
    let everywhere = SocketAddr::from(([0, 0, 0, 0], addr.port()));
    for listen in [addr, everywhere] {
        let (code, out, err) = health(listen);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("\"status\":\"ready\""), "{out}");
    }
    server.kill();
    let (code, _, err) = health(addr);
    assert_eq!(code, Some(1));
    assert!(err.contains("no answer from http://"), "{err}");
}

#[test]
fn a_server_that_is_not_ready_is_not_healthy() {
    let addr = answering("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"status\":\"draining\"}");
    let (code, out, err) = health(addr);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("not ready: {\"status\":\"draining\"}"), "{err}");
}

#[test]
fn another_program_on_the_port_is_not_healthy() {
    let addr = answering("SSH-2.0-OpenSSH\r\n");
    let (code, _, err) = health(addr);
    assert_eq!(code, Some(1));
    assert!(err.contains("is no gateway: SSH-2.0-OpenSSH"), "{err}");
}
