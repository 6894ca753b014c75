//! People without an account.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Server, token};

async fn post(server: &Server, path: &str, body: Value) -> (StatusCode, Value) {
    let answer = server
        .request(Method::POST, &format!("/api/v1/auth/{path}"))
        .json(&body)
        .send()
        .await
        .unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_guest_signs_in_and_stays() {
    let server = Server::start().await;
    let (status, first) = post(&server, "guest", json!({ "name": " Alice " })).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(first["name"], "Alice");
    let user = first["userId"].as_str().unwrap();
    assert!(user.starts_with("guest-"), "{user}");
    let token = first["token"].as_str().unwrap();
    let joined = server
        .call(Method::PUT, "/rooms/general/members/me", token, None)
        .await;
    assert_ne!(joined.status, StatusCode::UNAUTHORIZED, "{}", joined.text);

    let (status, second) = post(
        &server,
        "refresh",
        json!({ "refreshToken": first["refreshToken"] }),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&second["userId"], &second["name"]),
        (&first["userId"], &first["name"])
    );
    let (_, other) = post(&server, "guest", json!({ "name": "Alice" })).await;
    assert_ne!(other["userId"], first["userId"]);
}

#[tokio::test]
async fn neither_token_does_for_the_other() {
    let server = Server::start().await;
    let (_, tokens) = post(&server, "guest", json!({ "name": "Alice" })).await;
    let refresh = tokens["refreshToken"].as_str().unwrap();
    let rooms = server.call(Method::GET, "/rooms", refresh, None).await;
    assert_eq!(rooms.status, StatusCode::UNAUTHORIZED);
    for wrong in [tokens["token"].as_str().unwrap(), &token("bob"), "x.y.z", ""] {
        let (status, problem) = post(&server, "refresh", json!({ "refreshToken": wrong })).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(problem["code"], "unauthenticated");
    }
}

#[tokio::test]
async fn names_have_their_limits() {
    let server = Server::start().await;
    for name in ["", "  ", "a\u{7}", &"x".repeat(65)] {
        let (status, problem) = post(&server, "guest", json!({ "name": name })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name:?}");
        assert!(
            problem["detail"].as_str().unwrap().contains("1 to 64"),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn without_guests_there_is_no_such_page() {
    let server = Server::start_with(|config| config.guests = None).await;
    for (path, body) in [
        ("guest", json!({ "name": "Alice" })),
        ("refresh", json!({ "refreshToken": "x" })),
    ] {
        let (status, problem) = post(&server, path, body).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(problem["code"], "not_found");
    }
}
