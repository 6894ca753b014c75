//! `cargo xtask …`: see the crate's library for the map.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::commands::{check, faults, fuzz, test, web};
use xtask::say;
use xtask::{bench, cluster};

/// Developer commands of Starling.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Test(test::Args),
    Check(check::Args),
    Faults(faults::Args),
    Fuzz(fuzz::Args),
    Bench(bench::Args),
    Cluster(cluster::Args),
    Web(web::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Faults(args) => faults::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Cluster(args) => cluster::run(&args),
        Command::Web(args) => web::run(&args),
    };
    outcome.unwrap_or_else(|error| {
        say::error(&error);
        ExitCode::FAILURE
    })
}
