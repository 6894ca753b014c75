//! What goes around every answer.

use std::time::Duration;

use reqwest::{
    Method, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, ORIGIN},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Server, answer, token};

#[tokio::test]
async fn every_answer_is_guarded() {
    let server = Server::start().await;
    for path in [
        "/healthz",
        "/stats",
        "/metrics",
        "/api/v1/rooms",
        "/docs/",
        "/api/v1/openapi.json",
        "/nowhere",
    ] {
        let answer = server.get(path).await;
        let is = |name: &str, value: &str| assert_eq!(answer.header(name), Some(value), "{path}");
        is("x-content-type-options", "nosniff");
        is("x-frame-options", "DENY");
        is("referrer-policy", "no-referrer");
        let policy = answer.header("content-security-policy").unwrap();
        for rule in [
            "default-src 'self'",
            "frame-ancestors 'none'",
            "object-src 'none'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        if !path.starts_with("/docs") {
            is("cache-control", "no-store");
        }
    }
}

#[tokio::test]
async fn requests_have_an_id() {
    let server = Server::start().await;
    let ask = async |id: &str| {
        let request = server.request(Method::GET, "/healthz").header("x-request-id", id);
        answer(request).await.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(ask("mine-7").await, "mine-7");
    let (one, two) = (ask("has a space").await, ask(&"x".repeat(200)).await);
    assert_eq!((one.len(), two.len()), (36, 36), "ids of our own");
    assert_ne!(one, two);
}

#[tokio::test]
async fn pages_of_known_origins_may_call() {
    let server = Server::start_with(|config| config.cors_origins = vec!["https://app.example/".into()]).await;
    let from = async |method: Method, origin: &str| {
        let request = server
            .request(method, "/api/v1/rooms")
            .header(ORIGIN, origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        answer(request).await
    };
    let known = from(Method::OPTIONS, "https://app.example").await;
    assert_eq!(known.status, StatusCode::OK);
    assert_eq!(
        known.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    let methods = known.header("access-control-allow-methods").unwrap();
    assert!(
        ["GET", "POST", "PUT", "PATCH", "DELETE"]
            .iter()
            .all(|method| methods.contains(method)),
        "{methods}"
    );
    let headers = known.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("authorization"), "{headers}");
    // An error must be readable too.
    let refused = from(Method::GET, "https://app.example").await;
    refused.problem(401, "unauthenticated");
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    let exposed = refused.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("retry-after"), "{exposed}");

    let unknown = from(Method::OPTIONS, "https://evil.example").await;
    assert_eq!(unknown.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn all_origins_may_be_allowed() {
    let server = Server::start_with(|config| config.cors_origins = vec!["*".into()]).await;
    let request = server
        .request(Method::GET, "/stats")
        .header(ORIGIN, "https://any.example");
    let answer = answer(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn large_answers_are_compressed_on_request() {
    let server = Server::start().await;
    let ask = async |path: &str| {
        let request = server.request(Method::GET, path).header(ACCEPT_ENCODING, "gzip");
        request.send().await.unwrap()
    };
    let small = ask("/healthz").await;
    assert!(!small.headers().contains_key(CONTENT_ENCODING));
    let large = ask("/api/v1/openapi.json").await;
    assert_eq!(large.headers()[CONTENT_ENCODING], "gzip");
    let bytes = large.bytes().await.unwrap();
    let plain = server.get("/api/v1/openapi.json").await.text;
    assert!(
        bytes.len() * 5 < plain.len(),
        "{} of {} bytes",
        bytes.len(),
        plain.len()
    );
    assert_eq!(bytes[..2], [0x1f, 0x8b], "gzip (RFC 1952)");
}

/// A client that sends its body drop by drop keeps a connection for no longer than its head could.
#[tokio::test]
async fn a_body_must_arrive_in_time() {
    let server = Server::start_with(|config| config.header_timeout = Duration::from_millis(100)).await;
    let mut stream = TcpStream::connect(server.gateway.addr()).await.unwrap();
    let head = format!(
        "POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        token("alice")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    let read = stream.read_to_end(&mut text);
    tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .expect("the connection ends")
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(text.contains("did not arrive in time"), "{text}");
}

/// A node that stops answers what it has begun.
#[tokio::test]
async fn a_request_outlives_the_stop() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.gateway.addr()).await.unwrap();
    let head = format!(
        "POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
        token("alice")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The handler has begun to read: the node asks for the body.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let rest = async {
        server.gateway.stopped().await;
        stream.write_all(br#"{"name":"x"}"#).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    let (text, ()) = tokio::join!(rest, server.gateway.shut_down());
    // Stored before the lanes closed, or refused after: either is the truth.
    let answers = ["HTTP/1.1 201", "HTTP/1.1 503"];
    assert!(answers.iter().any(|answer| text.starts_with(answer)), "{text}");
    assert!(text.contains("connection: close"), "{text}");
}

/// The socket's own route has none of it: only what it needs.
#[tokio::test]
async fn the_handshake_stands_apart() {
    let server = Server::start().await;
    let request = server.request(Method::GET, "/ws").header("x-request-id", "7");
    let answer = answer(request).await;
    answer.problem(426, "invalid_message");
    assert_eq!(answer.header("x-request-id"), None);
}

#[tokio::test]
async fn the_description_is_browsable_without_a_network() {
    let server = Server::start().await;
    let entry = server.get("/docs").await;
    assert_eq!(
        (entry.status, entry.header("location")),
        (StatusCode::PERMANENT_REDIRECT, Some("/docs/"))
    );
    let page = server.get("/docs/").await;
    assert!(
        page.header("content-type").unwrap().starts_with("text/html"),
        "{page:?}"
    );
    let mut loaded = 0;
    for part in page
        .text
        .split('"')
        .filter(|part| [".js", ".css", ".png"].iter().any(|end| part.ends_with(end)))
    {
        let path = format!("/docs/{}", part.trim_start_matches("./"));
        assert!(!part.contains("://"), "{part} comes from elsewhere");
        let response = server.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(!response.bytes().await.unwrap().is_empty(), "{path}");
        loaded += 1;
    }
    assert!(loaded >= 5, "{}", page.text);
    let start = server.get("/docs/swagger-initializer.js").await.text;
    assert!(start.contains("/api/v1/openapi.json"), "{start}");
    assert!(!start.contains("https://"), "{start}");
}

#[tokio::test]
async fn probes_say_how_the_node_is() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.text, "ok\n");
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert_eq!(
        ready.json(),
        json!({ "status": "ready", "nodeId": "node-1", "services": { "sqlite": "ok" } })
    );
    server
        .call(
            Method::POST,
            "/users/bob/messages",
            &token("alice"),
            Some(&json!({ "content": "x" })),
        )
        .await;
    let stats = server.get("/stats").await.json();
    assert_eq!(
        stats["connections"],
        json!({ "current": 0, "peak": 0, "total": 0 })
    );
    assert_eq!(stats["messages"]["in"], 1);
    assert!(stats["latencyMs"]["p99"].as_f64().unwrap() > 0.0);
    assert!(stats["memory"]["residentBytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_node_listens_on_several_ports() {
    // Free when it was asked for; whoever takes it meanwhile fails this test, not another.
    let also = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = Server::start_with(|config| config.listen_also = vec![also]).await;
    for addr in [server.gateway.addr(), also] {
        let answer = server
            .client
            .get(format!("http://{addr}/healthz"))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{addr}");
    }
}
