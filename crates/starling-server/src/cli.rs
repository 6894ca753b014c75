//! The command line. To add a command: a file in `commands`, and a variant of [`Command`] with its line in
//! [`Cli::run`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::{chat, config, health, nodes, openapi, serve, token};

/// Chat and live rooms over WebSockets, for one node or many.
#[derive(Debug, Parser)]
#[command(name = "starling", version, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do; `serve` when nothing is said.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server (the default).
    Serve,
    /// Talk in a room from this terminal.
    Chat(chat::Chat),
    /// Print a token for a user, signed with the configured or generated secret.
    Token(token::Token),
    /// List the live nodes.
    Nodes(nodes::Nodes),
    /// Print the effective configuration with secrets hidden, check it, or print an example.
    Config(config::Show),
    /// Ask the server that this configuration starts whether it is ready; exit with 1 when it is not.
    Health(health::Health),
    /// Print the description of the HTTP API (OpenAPI 3.1).
    Openapi,
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match &self.command {
            None | Some(Command::Serve) => serve::run(self),
            Some(Command::Chat(chat)) => chat.run(self),
            Some(Command::Token(token)) => token.run(self),
            Some(Command::Nodes(nodes)) => nodes.run(self),
            Some(Command::Config(show)) => show.run(self),
            Some(Command::Health(health)) => health.run(self),
            Some(Command::Openapi) => openapi::run(),
        }
    }
}

/// Options of every command. They are texts here: the configuration checks them together with all other sources.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Options {
    /// Configuration file in TOML (or STARLING_CONFIG); `starling config --example` prints one
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where messages, rooms and presence live: embedded or cluster
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// Address and port to listen on
    #[arg(long, global = true, value_name = "IP:PORT")]
    pub(crate) listen: Option<String>,
    /// Name of this node
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) node_id: Option<String>,
    /// Folder of the embedded backend
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// Which log lines are written: off, error, warn, info, debug, trace, or "info,starling_gateway=debug"
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log_level: Option<String>,
    /// How log lines are written: text or json
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

impl Options {
    /// The keys that flags set: key, flag, value.
    pub(crate) fn settings(&self) -> [(&'static str, &'static str, Option<&str>); 6] {
        [
            ("backend", "--backend", self.backend.as_deref()),
            ("server.listen", "--listen", self.listen.as_deref()),
            ("server.node_id", "--node-id", self.node_id.as_deref()),
            ("embedded.data_dir", "--data-dir", self.data_dir.as_deref()),
            ("telemetry.log_level", "--log-level", self.log_level.as_deref()),
            ("telemetry.log_format", "--log-format", self.log_format.as_deref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_may_stand_before_and_after_the_command() {
        let args = [
            "starling",
            "--listen",
            "[::1]:1",
            "config",
            "--log-level",
            "warn",
            "--config",
            "a.toml",
        ];
        let options = Cli::try_parse_from(args).unwrap().options;
        assert_eq!(options.listen.as_deref(), Some("[::1]:1"));
        assert_eq!(options.log_level.as_deref(), Some("warn"));
        assert_eq!(options.config, Some("a.toml".into()));
    }
}
