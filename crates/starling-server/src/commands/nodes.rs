//! `starling nodes`.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use starling_core::{Clock, SystemClock, Timestamp, UserId, ports::NodeCard};

use crate::{
    cli::Cli,
    commands::token::{Token, TokenError},
    config::Config,
    secret::{self, TokenKey},
    telemetry,
};

/// Where to ask, and by what right.
#[derive(Debug, Args)]
pub(crate) struct Nodes {
    /// Address of any node, or of what stands before them [default: the configured server.listen]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// An administrator's token; without one, one is signed with the configured or generated secret
    #[arg(long, env = "STARLING_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print JSON, for scripts
    #[arg(long)]
    json: bool,
}

/// The caller of a token that is signed here; nobody sees it but the server's audit log.
const OPERATOR: &str = "starling-cli";
/// A node that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Answer {
    nodes: Vec<NodeCard>,
}

impl Nodes {
    pub(crate) fn run(&self, cli: &Cli) -> anyhow::Result<()> {
        let config = Config::load(cli)?;
        telemetry::logs::init(&config.telemetry)?;
        let token = self.token(&config)?;
        let base = match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", super::reachable(config.server.listen)),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let body = runtime.block_on(ask(&base, &token))?;
        if self.json {
            return Ok(writeln!(io::stdout(), "{body}")?);
        }
        let answer: Answer = serde_json::from_str(&body)
            .with_context(|| format!("{base} is no Starling node of this version"))?;
        Ok(io::stdout().write_all(table(&answer.nodes, SystemClock.now()).as_bytes())?)
    }

    fn token(&self, config: &Config) -> anyhow::Result<SecretString> {
        if let Some(token) = &self.token {
            return Ok(token.as_str().into());
        }
        match secret::token_key(config, getrandom::fill)? {
            TokenKey::Shared(secret) => {
                let token = Token::of_admin(UserId::parse(OPERATOR)?);
                Ok(token.sign(&config.auth, &secret, SystemClock.now())?.into())
            }
            TokenKey::Public(path) => {
                Err(TokenError::SignedElsewhere(path)).context("give an administrator's token by --token")
            }
        }
    }
}

async fn ask(base: &str, token: &SecretString) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let answer = client
        .get(format!("{base}/api/v1/admin/nodes"))
        .bearer_auth(token.expose_secret())
        .send()
        .await
        .with_context(|| format!("{base} does not answer; name a node by --url"))?;
    let status = answer.status();
    let body = answer.text().await.context("the answer broke off")?;
    if !status.is_success() {
        bail!("{base} answered {status}: {body}");
    }
    Ok(body)
}

fn table(nodes: &[NodeCard], now: Timestamp) -> String {
    let mut rows = vec![
        [
            "NODE",
            "ADDRESS",
            "VERSION",
            "UPTIME",
            "CONNECTIONS",
            "USERS",
            "ROOMS",
            "STATE",
        ]
        .map(str::to_owned),
    ];
    rows.extend(nodes.iter().map(|node| {
        let uptime = now.as_millis().saturating_sub(node.started_at.as_millis()) / 1000;
        [
            node.node_id.to_string(),
            node.address.clone(),
            node.version.clone(),
            format!("{}h{:02}m", uptime / 3600, uptime / 60 % 60),
            node.connections.to_string(),
            node.users.to_string(),
            node.rooms.to_string(),
            if node.draining { "draining" } else { "live" }.to_owned(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |row: &[String; 8]| {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use starling_core::{NodeId, ports::LatencySummary};

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let card = |node: &str, connections| NodeCard {
            node_id: NodeId::parse(node).unwrap(),
            address: "10.0.0.1:8080".into(),
            version: "0.1.0".into(),
            started_at: Timestamp::from_millis(0),
            reported_at: Timestamp::from_millis(0),
            connections,
            users: 2,
            rooms: 3,
            messages_in: 4,
            messages_out: 5,
            latency_ms: LatencySummary {
                average: 0.25,
                p95: 0.5,
                p99: 1.0,
            },
            memory_bytes: Some(6),
            draining: connections == 0,
        };
        let now = Timestamp::from_millis(3_725_000);
        let text = table(&[card("a", 12_345), card("gateway-2", 0)], now);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "NODE       ADDRESS        VERSION  UPTIME  CONNECTIONS  USERS  ROOMS  STATE",
                "a          10.0.0.1:8080  0.1.0    1h02m   12345        2      3      live",
                "gateway-2  10.0.0.1:8080  0.1.0    1h02m   0            2      3      draining",
            ]
        );
    }
}
