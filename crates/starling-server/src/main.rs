//! The binary `starling`.
//!
//! | module | what it holds |
//! |---|---|
//! | [`backend`], [`backend_metrics`] | the backend that the configuration names; what it counts |
//! | [`canary`] | a client inside the node that watches the whole stack |
//! | [`cli`] | the command line: options of all commands, and the list of commands |
//! | [`commands`] | one file a command |
//! | [`config`] | the configuration: sources, sections, errors |
//! | [`secret`] | the key that tokens are verified by |
//! | [`wire`] | what a server says, and what it is told: for `chat` and the canary |
//! | [`telemetry`] | logs; traces and metrics to a collector |
//!
//! Exit codes: 0 when all went well, 64 when the command line, the configuration or the secret has to be changed
//! (`EX_USAGE`), 1 for everything else.

mod backend;
mod backend_metrics;
mod canary;
mod cli;
mod commands;
mod config;
mod secret;
mod telemetry;
mod wire;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};

use crate::{cli::Cli, commands::token::TokenError, config::ConfigErrors, secret::SecretError};

/// `EX_USAGE` of `sysexits.h`.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nobody is left to tell when the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if is_answer { 0 } else { USAGE });
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "starling: {error:#}");
            ExitCode::from(if is_for_operator(&error) { USAGE } else { 1 })
        }
    }
}

/// Whether the way out is another command line, configuration or secret.
fn is_for_operator(error: &anyhow::Error) -> bool {
    error.is::<ConfigErrors>()
        || error.is::<SecretError>()
        || matches!(error.downcast_ref(), Some(TokenError::SignedElsewhere(_)))
        || error.downcast_ref().is_some_and(backend::is_misconfigured)
}
