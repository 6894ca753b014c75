//! A node that listens, tokens for it, and requests to it.

use std::sync::Arc;

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::{Value, json};
use starling_core::{NodeId, SystemClock};
use starling_embedded::EmbeddedConfig;
use starling_gateway::{AuthConfig, AuthKey, Gateway, NodeConfig};
use tempfile::TempDir;

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

/// A token of this user, with these claims beside.
pub(crate) fn token_with(user: &str, claims: &Value) -> String {
    let mut all = json!({ "sub": user, "exp": 4_000_000_000_u64 });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    encode(&Header::default(), &all, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// An ordinary user's token.
pub(crate) fn token(user: &str) -> String {
    token_with(user, &json!({ "name": user.to_uppercase() }))
}

/// An administrator's token.
pub(crate) fn admin() -> String {
    token_with("root", &json!({ "roles": ["admin"] }))
}

/// A node that listens; its folder goes with it.
pub(crate) struct Server {
    pub(crate) gateway: Gateway,
    pub(crate) client: Client,
    _folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let id = NodeId::parse("node-1").unwrap();
        let mut config = NodeConfig::new(id.clone());
        // The tests of limits set their own.
        config.limits.commands.per_minute = 0;
        config.messages.rate.per_minute = 0;
        change(&mut config);
        let backend = starling_embedded::open(EmbeddedConfig::new(folder.path()), id)
            .await
            .unwrap();
        let auth = AuthConfig {
            key: AuthKey::Hs256(SECRET.to_vec()),
            issuer: None,
            audience: None,
            leeway_seconds: 0,
        };
        let gateway = Gateway::start(config, backend, &auth, Arc::new(SystemClock))
            .await
            .unwrap();
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            gateway,
            client,
            _folder: folder,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.addr())
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// A request of REST by a user, with a body where one is given.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, &format!("/api/v1{path}")).bearer_auth(token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        answer(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// The value of a metric, by its name with labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
            .parse()
            .unwrap()
    }
}

/// Sends a request and reads its answer.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    Answer {
        status: response.status(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Holds the answer to be a problem of this status and code, and gives its message.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["code"], code, "{self:?}");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("urn:starling:error:{code}"));
        assert_eq!(body["detail"], body["message"]);
        assert!(body["title"].is_string());
        body["message"].as_str().unwrap().to_owned()
    }
}
