//! `starling chat`: a client for people, in a terminal or in a pipe.
//!
//! | module | what it holds |
//! |---|---|
//! | [`session`] | what outlives a connection: places in rooms, lines without an answer. No I/O |
//! | [`connection`] | the socket under it: dial, pump, notice silence, dial again |
//! | [`model`] | what the user sees and types |
//! | [`text`] | what others wrote, made safe to be shown |
//! | [`plain`] | lines in, lines out: for pipes and scripts |
//! | [`terminal`] | a prompt at the bottom of a terminal |
//! | [`editor`] | the line that is being typed |

mod connection;
mod editor;
mod model;
mod plain;
mod session;
mod terminal;
mod text;

use std::io::{self, IsTerminal as _};

use anyhow::Context;
use clap::Args;
use jiff::tz::TimeZone;
use rand::{SeedableRng as _, rngs::StdRng};
use secrecy::{ExposeSecret as _, SecretString};
use starling_core::{RoomId, Timestamp, UserId};

use self::{connection::Connection, model::Chat as Model, session::Session};
use crate::{
    cli::Cli,
    commands::token::{Token, TokenError},
    config::{AuthConfig, Config},
    secret::{self, TokenKey},
    telemetry,
};

/// Where to talk, and as whom.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The room to talk in; a public one is made when it does not exist
    #[arg(long, value_name = "ID", default_value = "general")]
    room: RoomId,
    /// Your user id
    #[arg(long, value_name = "ID")]
    user: UserId,
    /// Address of the server's WebSocket [default: the configured server.listen]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A token of the user; without one, one is signed with the configured or generated secret
    #[arg(long, env = "STARLING_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// Where tokens come from.
enum Credentials {
    /// From the command line.
    Given(SecretString),
    /// Signed here, a new one for each connection.
    Signer(Box<(Token, AuthConfig, SecretString)>),
}

impl Credentials {
    fn token(&self, now: Timestamp) -> anyhow::Result<String> {
        match self {
            Self::Given(token) => Ok(token.expose_secret().to_owned()),
            Self::Signer(signer) => {
                let (token, auth, secret) = &**signer;
                Ok(token.sign(auth, secret, now)?)
            }
        }
    }
}

impl Chat {
    pub(crate) fn run(&self, cli: &Cli) -> anyhow::Result<()> {
        let config = Config::load(cli)?;
        telemetry::logs::init(&config.telemetry)?;
        let credentials = self.credentials(&config)?;
        let url = self
            .url
            .clone()
            .unwrap_or_else(|| format!("ws://{}/ws", super::reachable(config.server.listen)));
        anyhow::ensure!(
            !url.starts_with("wss:"),
            "--url {url}: this client speaks ws:// only; go through a local TLS tunnel"
        );
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).context("the operating system gives no random bytes")?;
        let run = uuid::Uuid::now_v7().simple().to_string();
        let session = Session::new(self.room.clone(), run);
        let connection = Connection::new(url, credentials, session, StdRng::from_seed(seed));
        let model = Model::new(self.user.clone(), self.room.clone());
        let zone = TimeZone::system();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let ended = if io::stdin().is_terminal() && io::stdout().is_terminal() {
            runtime.block_on(terminal::run(connection, model, &zone))
        } else {
            runtime.block_on(plain::run(connection, model, &zone))
        };
        // A read of standard input that is still under way must not keep the process.
        runtime.shutdown_background();
        ended
    }

    fn credentials(&self, config: &Config) -> anyhow::Result<Credentials> {
        if let Some(token) = &self.token {
            return Ok(Credentials::Given(token.as_str().into()));
        }
        match secret::token_key(config, getrandom::fill)? {
            TokenKey::Shared(secret) => {
                let signer = (Token::of(self.user.clone()), config.auth.clone(), secret);
                Ok(Credentials::Signer(Box::new(signer)))
            }
            TokenKey::Public(path) => {
                Err(TokenError::SignedElsewhere(path)).context("give a token by --token")
            }
        }
    }
}
