//! The web app at `/`: files inside the program, compressed when it was built.
//!
//! `cargo xtask web` builds them from `clients/web` and writes the table in [`files`].

mod files;

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use starling_core::Refusal;

use self::files::FILES;
use super::Problem;
use crate::node::Node;

/// A file, once for each coding.
struct File {
    /// Below `/`.
    path: &'static str,
    /// Of the uncompressed content.
    etag: &'static str,
    identity: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

const INDEX: &str = "index.html";
/// The name of an asset holds a hash of its content.
const ASSETS: &str = "assets/";
const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Asked for each time, and sent only when it is another one.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// Stricter than for other pages: nothing of this page is inline. `ws:` and `wss:`: not every browser counts a socket
/// of this host as `'self'`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'",
);

pub(super) fn routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/", get(index))
        .route("/assets/{file}", get(asset))
}

async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    serve(INDEX, &headers)
}

async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    serve(&format!("{ASSETS}{file}"), &headers)
}

fn serve(path: &str, request: &HeaderMap) -> Result<Response, Problem> {
    let file = FILES
        .iter()
        .find(|file| file.path == path)
        .ok_or(Refusal::NotFound("this page"))?;
    let (coding, bytes) = file.encoded(request);
    // Each coding is a representation of its own, so it has a tag of its own.
    let tag = match coding {
        None => format!("\"{}\"", file.etag),
        Some(coding) => format!("\"{}-{coding}\"", file.etag),
    };
    let is_known = listed(request, header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.kind())], bytes).into_response()
    };
    let headers = response.headers_mut();
    if let Some(coding) = coding.filter(|_| !is_known) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let caching = if path.starts_with(ASSETS) {
        FOREVER
    } else {
        REVALIDATE
    };
    headers.insert(header::CACHE_CONTROL, caching);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    Ok(response)
}

impl File {
    /// The smallest form that the client takes, and its name.
    fn encoded(&self, request: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
        let takes = |coding| {
            listed(request, header::ACCEPT_ENCODING).any(|accepted| {
                let (name, weight) = accepted.split_once(';').unwrap_or((accepted, "q=1"));
                let refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
                name.trim().eq_ignore_ascii_case(coding) && !refused
            })
        };
        if takes("br") {
            (Some("br"), self.brotli)
        } else if takes("gzip") {
            (Some("gzip"), self.gzip)
        } else {
            (None, self.identity)
        }
    }

    fn kind(&self) -> HeaderValue {
        HeaderValue::from_static(
            match self.path.rsplit_once('.').map_or("", |(_, ending)| ending) {
                "html" => "text/html; charset=utf-8",
                "js" => "text/javascript; charset=utf-8",
                "css" => "text/css; charset=utf-8",
                "svg" => "image/svg+xml",
                _ => "application/octet-stream",
            },
        )
    }
}

/// The items of a header that is a list.
fn listed(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    fn asked(path: &str, headers: &[(header::HeaderName, &str)]) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        serve(path, &headers).unwrap_or_else(IntoResponse::into_response)
    }

    async fn text(response: Response) -> String {
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_and_all_that_it_names_are_there() {
        let page = asked(INDEX, &[]);
        assert_eq!(page.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(page.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
        let page = text(page).await;
        let named: Vec<_> = page
            .split('"')
            .filter_map(|part| part.strip_prefix('/'))
            .filter(|path| path.starts_with(ASSETS))
            .collect();
        assert!(named.len() >= 2, "{page}");
        for path in named {
            let asset = asked(path, &[]);
            assert_eq!(asset.status(), StatusCode::OK, "{path}");
            assert_eq!(asset.headers()[header::CACHE_CONTROL], FOREVER);
        }
        // What the policy of the page would refuse.
        assert!(!page.contains("style="), "{page}");
        assert!(!page.contains("<script>"), "{page}");
    }

    #[test]
    fn the_smallest_form_that_the_client_takes_is_sent() {
        let rows = [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, gzip;q=0.5", Some("gzip")),
            ("identity", None),
            ("", None),
        ];
        for (accepts, coding) in rows {
            let response = asked(INDEX, &[(header::ACCEPT_ENCODING, accepts)]);
            let sent = response.headers().get(header::CONTENT_ENCODING);
            assert_eq!(sent.map(|coding| coding.to_str().unwrap()), coding, "{accepts}");
            assert_eq!(response.headers()[header::VARY], "accept-encoding");
        }
    }

    #[tokio::test]
    async fn what_the_client_has_is_not_sent_again() {
        let accepts = (header::ACCEPT_ENCODING, "br");
        let first = asked(INDEX, std::slice::from_ref(&accepts));
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = asked(
            INDEX,
            &[accepts, (header::IF_NONE_MATCH, &format!("\"x\", W/{tag}"))],
        );
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[header::ETAG], tag.as_str());
        assert_eq!(text(again).await, "");
        let other = asked(INDEX, &[(header::IF_NONE_MATCH, &tag)]);
        assert_eq!(
            other.status(),
            StatusCode::OK,
            "another coding is another representation"
        );
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        assert_eq!(asked("assets/none.js", &[]).status(), StatusCode::NOT_FOUND);
        assert_eq!(asked("../Cargo.toml", &[]).status(), StatusCode::NOT_FOUND);
    }
}
