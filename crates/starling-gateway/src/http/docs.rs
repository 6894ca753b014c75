//! The browsable description of the API at `/docs`: Swagger UI, its files inside the program, so that it works offline.

use std::sync::Arc;

use axum::{
    extract::Path,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderValue, header};
use starling_core::Refusal;
use utoipa_swagger_ui::Config;

use super::{Problem, openapi};

/// The files change with the program only.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The page's own addresses are relative to `/docs/`.
pub(super) async fn entry() -> Redirect {
    Redirect::permanent("/docs/")
}

/// The page.
pub(super) async fn page() -> Result<Response, Problem> {
    serve("")
}

/// What the page loads.
pub(super) async fn file(Path(path): Path<String>) -> Result<Response, Problem> {
    serve(&path)
}

fn serve(path: &str) -> Result<Response, Problem> {
    // Without a validator: the page sends the document nowhere.
    let config = Config::from(openapi::PATH)
        .validator_url("none")
        .try_it_out_enabled(true)
        .persist_authorization(false);
    match utoipa_swagger_ui::serve(path, Arc::new(config)) {
        Ok(Some(file)) => {
            let kind = HeaderValue::try_from(file.content_type)
                .unwrap_or(HeaderValue::from_static("application/octet-stream"));
            let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, CACHED)];
            Ok((headers, file.bytes.into_owned()).into_response())
        }
        Ok(None) => Err(Refusal::NotFound("this page").into()),
        Err(error) => {
            tracing::error!(%error, "a page of the API's description cannot be made");
            Err(Refusal::Internal.into())
        }
    }
}
