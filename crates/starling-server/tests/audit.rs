//! The audit log: who came in, who was refused, who changed whose rights, apart from everything else by its target.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use serde_json::{Value, json};
use starling_testkit::{
    client::{Dial, TestClient, http},
    e2e::token,
};
use support::{Server, free_addr};

/// The lines of the audit log, without their times.
fn lines(server: &Server) -> Vec<Value> {
    let lines = server.log.lines();
    let lines = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "starling::audit").collect()
}

async fn client(addr: std::net::SocketAddr, claims: &Value) -> TestClient {
    let dial = Dial {
        bearer: Some(token::sign(claims)),
        ..Dial::default()
    };
    let mut client = TestClient::dial(addr, &dial).await.unwrap();
    client.event("welcome").await;
    client
}

#[tokio::test]
async fn an_auditor_learns_who_did_what() {
    let folder = tempfile::tempdir().unwrap();
    let addr = free_addr();
    let variables = [
        ("STARLING_AUTH__HS256_SECRET", token::SECRET),
        ("STARLING_TELEMETRY__LOG_FORMAT", "json"),
        ("STARLING_TELEMETRY__LOG_LEVEL", "info,starling::audit=debug"),
    ];
    let server = Server::start(addr, folder.path(), &variables);
    let mut owner = client(addr, &token::claims("owner")).await;
    let mut bob = client(addr, &token::claims("bob")).await;
    for who in [&mut owner, &mut bob] {
        who.call("join_room", json!({ "roomId": "r" })).await;
    }
    let on_bob = json!({ "roomId": "r", "userId": "bob" });
    let promoted = json!({ "roomId": "r", "userId": "bob", "role": "moderator" });
    bob.refused("set_role", promoted.clone()).await;
    owner.call("set_role", promoted).await;
    owner.call("kick", on_bob).await;
    let mut admin_claims = token::claims("root");
    admin_claims["roles"] = json!(["admin"]);
    let admin = token::sign(&admin_claims);
    let stranger = Dial {
        bearer: Some("no token".into()),
        ..Dial::default()
    };
    assert!(TestClient::dial(addr, &stranger).await.is_err());
    let drain = http::call(addr, "POST /api/v1/admin/drain", &admin, &json!({})).await;
    assert!(drain.status < 300, "{drain:?}");
    server.log.wait_for("a drain was asked for", 1);

    let lines = lines(&server);
    let one = |such: &dyn Fn(&Value) -> bool| {
        let found: Vec<_> = lines.iter().filter(|line| such(line)).collect();
        assert_eq!(found.len(), 1, "{lines:#?}");
        found[0].clone()
    };
    for user in ["owner", "bob"] {
        let line = one(&|line| line["message"] == "signed in" && line["user.id"] == user);
        assert!(line["session.id"].is_string() && line["timestamp"].is_string());
    }
    let tried = one(&|line| line["message"] == "set_role" && line["actor.id"] == "bob");
    assert_eq!(tried["result"], "forbidden");
    let done = one(&|line| line["message"] == "set_role" && line["actor.id"] == "owner");
    assert_eq!(
        (&done["result"], &done["role"], &done["user.id"], &done["room.id"]),
        (&json!("done"), &json!("moderator"), &json!("bob"), &json!("r"))
    );
    let kicked = one(&|line| line["message"] == "kick");
    assert_eq!(kicked["result"], "done");
    let refused = one(&|line| line["message"] == "refused");
    assert_eq!(
        (&refused["result"], &refused["code"]),
        (&json!("token"), &json!("unauthenticated"))
    );
    let drained = one(&|line| line["message"] == "a drain was asked for");
    assert_eq!(drained["actor.id"], "root");
}
