//! Requests by the names of their operations, held against the document: the path, the status and the body.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use reqwest::Method;
use serde_json::Value;

use crate::{
    schema,
    support::{Answer, Server},
};

/// A server, its document, and the operations that have succeeded.
pub(crate) struct Api {
    pub(crate) server: Server,
    pub(crate) document: Value,
    succeeded: Mutex<BTreeSet<String>>,
}

/// Every operation: its id, method, path and description.
pub(crate) fn operations(document: &Value) -> Vec<(&str, &str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| {
                let id = operation["operationId"].as_str().expect("an operation has an id");
                (id, method.as_str(), path.as_str(), operation)
            })
        })
        .collect()
}

impl Api {
    pub(crate) async fn start() -> Self {
        let server = Server::start().await;
        let document = server.get("/api/v1/openapi.json").await.json();
        Self {
            server,
            document,
            succeeded: Mutex::default(),
        }
    }

    /// Sends a request, and holds it against the document; the status is the first one that succeeds.
    #[track_caller]
    pub(crate) fn ok<'a>(
        &'a self,
        id: &'a str,
        path: &'a str,
        token: &'a str,
        body: Option<Value>,
    ) -> impl Future<Output = Answer> + 'a {
        let (_, method, template, operation) = *operations(&self.document)
            .iter()
            .find(|(name, ..)| *name == id)
            .unwrap_or_else(|| panic!("no operation {id}"));
        assert!(fits(template, path), "{path} is not {template}");
        assert_eq!(
            operation["requestBody"].is_object(),
            body.is_some(),
            "{id} and its body"
        );
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        async move {
            let answer = self.server.call(method, path, token, body.as_ref()).await;
            assert!(answer.status.is_success(), "{id}: {answer:?}");
            let described = &operation["responses"][answer.status.as_str()];
            assert!(described.is_object(), "{id} does not name {}", answer.status);
            let schema = &described["content"]["application/json"]["schema"];
            if schema.is_object() {
                schema::check(&self.document, schema, &answer.json())
                    .unwrap_or_else(|why| panic!("{id}: {why}\n{answer:?}"));
            } else {
                assert_eq!(answer.text, "", "{id} has no body");
            }
            self.succeeded.lock().insert(id.to_owned());
            answer
        }
    }

    /// Operations of REST that have not succeeded yet.
    pub(crate) fn left(&self) -> Vec<&str> {
        let succeeded = self.succeeded.lock();
        operations(&self.document)
            .into_iter()
            .filter(|(_, _, path, _)| path.starts_with("/api/v1/"))
            .map(|(id, ..)| id)
            .filter(|id| !succeeded.contains(*id))
            .collect()
    }
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap();
    let template = template.strip_prefix("/api/v1").unwrap();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w == g || w.starts_with('{') => {}
            _ => return false,
        }
    }
}
