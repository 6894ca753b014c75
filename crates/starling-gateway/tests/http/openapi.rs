//! The document describes what is there, all of it, and refers to nothing that is not.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    answers::{Api, operations},
    schema::{check, resolve},
    support::{Server, answer, token},
};

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(target) if name == "$ref" => found.push(target),
                    value => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_the_printed_one_and_refers_to_what_is_there() {
    let server = Server::start().await;
    let served = server.get("/api/v1/openapi.json").await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(served.text, starling_gateway::openapi());
    assert_eq!(starling_gateway::openapi(), starling_gateway::openapi());
    let document = served.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        resolve(&document, reference);
    }
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
}

#[tokio::test]
async fn operations_are_complete() {
    let document: Value = serde_json::from_str(&starling_gateway::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    let tags: BTreeSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    for (id, method, path, operation) in operations(&document) {
        assert!(ids.insert(id), "{id} is there twice");
        assert!(operation["summary"].is_string(), "{id}");
        assert!(tags.contains(operation["tags"][0].as_str().unwrap()), "{id}");
        let named: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let templated: BTreeSet<&str> = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect();
        assert_eq!(named, templated, "{method} {path}");
        let statuses = operation["responses"].as_object().unwrap();
        if path.starts_with("/api/v1/") {
            let security = if operation["tags"][0] == "guests" {
                Value::Null
            } else {
                json!([{ "bearer": [] }])
            };
            assert_eq!(operation["security"], security, "{id}");
            for status in ["400", "401", "429", "500", "503"] {
                assert!(statuses.contains_key(status), "{id} {status}");
            }
            assert_eq!(
                statuses.contains_key("413"),
                operation["requestBody"].is_object(),
                "{id}"
            );
        }
    }
    assert!(ids.len() >= 36, "{ids:?}");
}

/// Without a token a described route says 401, never 404 or 405: the document and the routes are one.
#[tokio::test]
async fn every_described_route_is_there() {
    let server = Server::start().await;
    let document: Value = serde_json::from_str(&starling_gateway::openapi()).unwrap();
    for (id, method, path, operation) in operations(&document) {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let path = path.replace(['{', '}'], "");
        let got = answer(server.request(method, &path)).await;
        match path.as_str() {
            "/ws" => assert_eq!(got.status, 426),
            _ if operation["tags"][0] == "guests" => {
                got.problem(400, "invalid_message");
            }
            path if path.starts_with("/api/v1/") => {
                got.problem(401, "unauthenticated");
            }
            _ => assert_eq!(got.status, 200, "{id}"),
        }
    }
}

#[tokio::test]
async fn problems_and_probes_fit_their_descriptions() {
    let api = Api::start().await;
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let problem = api.server.get("/api/v1/rooms").await.json();
    check(&api.document, &schema("Problem"), &problem).unwrap();
    let limited = Server::start_with(|config| {
        config.limits.commands.per_minute = 1;
        config.limits.commands.burst = 1;
    })
    .await;
    limited.call(Method::GET, "/rooms", &token("a"), None).await;
    let problem = limited.call(Method::GET, "/rooms", &token("a"), None).await;
    check(&api.document, &schema("Problem"), &problem.json()).unwrap();
    assert!(problem.json()["retryAfterMs"].is_u64());
    for (path, name) in [("/readyz", "Readiness"), ("/stats", "Stats")] {
        let body = api.server.get(path).await.json();
        check(&api.document, &schema(name), &body).unwrap_or_else(|why| panic!("{path}: {why}"));
    }
}
