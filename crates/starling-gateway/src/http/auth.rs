//! Who calls: the token of a request, and what the request costs its user.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use http::{HeaderMap, Uri, header, request::Parts};
use serde::Deserialize;
use starling_core::Refusal;

use super::Problem;
use crate::{
    audit,
    auth::Identity,
    node::Node,
    ops::{self, Cost},
    session::Actor,
};

/// The token may come in the address: browsers cannot set headers on a WebSocket.
#[derive(Deserialize)]
struct TokenParam {
    token: Option<String>,
}

/// Whom the request's token names; `None` without a token.
pub(crate) fn authenticate(node: &Node, headers: &HeaderMap, uri: &Uri) -> Result<Option<Identity>, Problem> {
    let verified = match bearer(headers) {
        Some(token) => node.verifier.verify(token),
        None => match Query::<TokenParam>::try_from_uri(uri) {
            Ok(Query(TokenParam { token: Some(token) })) => node.verifier.verify(&token),
            Ok(Query(TokenParam { token: None })) => return Ok(None),
            Err(_) => {
                let why = "the query string is not valid; name the token once, percent-encoded";
                return Err(Refusal::InvalidMessage(why.into()).into());
            }
        },
    };
    verified.map(Some).map_err(|refusal| {
        audit::refused("token", refusal.code());
        Problem::from(refusal)
    })
}

/// The token of the header; the scheme's name is not case-sensitive (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The caller of a REST route. One command was taken from their budget.
pub(crate) struct Caller(pub(crate) Actor);

/// The sender of a message. One command and one message were taken from their budgets.
pub(crate) struct Sender(pub(crate) Actor);

impl FromRequestParts<Arc<Node>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        admit(node, parts, Cost::Command).await.map(Self)
    }
}

impl FromRequestParts<Arc<Node>> for Sender {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        admit(node, parts, Cost::Message).await.map(Self)
    }
}

/// Before the body is read: whoever may not call costs nothing more than this.
async fn admit(node: &Node, parts: &Parts, cost: Cost) -> Result<Actor, Problem> {
    const NO_TOKEN: Refusal =
        Refusal::Unauthenticated("send a token: Authorization: Bearer <token>, or ?token=<token>");
    let identity = authenticate(node, &parts.headers, &parts.uri)?.ok_or(NO_TOKEN)?;
    tracing::Span::current().record("user.id", identity.user.as_str());
    ops::charge(node, &identity.user, cost).await?;
    Ok(Actor {
        identity: Arc::new(identity),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let rows = [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("", None),
        ];
        for (value, token) in rows {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(bearer(&headers), token, "{value:?}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
