//! `starling-loadtest`: see the library for the map, and the README beside it for how to read the figures.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use starling_loadtest::{
    baseline::Baseline,
    report,
    scenario::{chat, fanout, handshake, idle, publish, rooms},
};

/// Load generator for Starling: many sockets in one process, and an account of every delivery.
#[derive(Debug, Parser)]
#[command(
    name = "starling-loadtest",
    version,
    max_term_width = 110,
    after_help = "Exit code 1: a delivery was lost, repeated or reordered, or the test could not run."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Chat(chat::Args),
    Fanout(fanout::Args),
    Idle(idle::Args),
    Handshake(handshake::Args),
    Publish(publish::Args),
    Rooms(rooms::Args),
    /// One process of `chat`: reads its part from standard input
    #[command(hide = true)]
    Worker,
    /// Run the server of the comparison: a loop of send()
    #[command(hide = true)]
    Baseline {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Chat(args) => chat::run(&args),
        Command::Fanout(args) => fanout::run(&args),
        Command::Idle(args) => idle::run(&args),
        Command::Handshake(args) => handshake::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Rooms(args) => rooms::run(&args),
        Command::Worker => chat::work(),
        Command::Baseline { listen } => serve(listen),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => complain(&error),
    }
}

/// Serves until the process is ended; the first line of output says where.
fn serve(listen: SocketAddr) -> Result<bool> {
    let mut baseline = Baseline::bind(listen)?;
    report::line(&baseline.addr()?.to_string())?;
    baseline.run()?;
    Ok(true)
}

#[expect(clippy::print_stderr, reason = "standard error is where a command complains")]
fn complain(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
