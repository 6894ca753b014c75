//! `starling openapi`.

use std::io::{self, Write};

/// Prints the description of the HTTP API: what a server has at `/api/v1/openapi.json`.
pub(crate) fn run() -> anyhow::Result<()> {
    Ok(io::stdout().write_all(starling_gateway::openapi().as_bytes())?)
}
