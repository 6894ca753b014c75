//! Resident memory of idle, authenticated connections.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{
    Rig,
    child::{Generator, Server},
    stats::number,
};

const CONNECTIONS: usize = 10_000;

#[derive(Deserialize)]
struct Held {
    server_bytes_per_connection: Option<f64>,
    connections_per_s: f64,
}

pub(super) fn run(rig: &Rig) -> Result<String> {
    let server = Server::starling(rig)?;
    let args = ["idle", "--connections", &CONNECTIONS.to_string(), "--rooms", "1"];
    let mut generator = Generator::start(rig, &server, &args)?;
    let held: Held = generator.hear()?;
    generator.end()?;
    let bytes = held
        .server_bytes_per_connection
        .context("starling-loadtest does not know the server's memory")?;
    Ok(format!(
        "### Idle connections\n\n{} bytes of resident memory for each of {} idle, authenticated connections of as many users, \
         all in one room: growth since the start, without the kernel's about 4 KB for a socket. They were connected, made \
         members and subscribed at {} a second.\n",
        number(bytes),
        number(CONNECTIONS as f64),
        number(held.connections_per_s),
    ))
}
