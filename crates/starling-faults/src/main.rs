//! `starling-faults`: breaks a real cluster while real clients use it, and checks what they were promised.
//! `cargo xtask faults` builds what it needs and runs it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`plan`] | what is done when, made from a seed |
//! | [`world`] | the cluster: gateways of the real binary, Redis, Postgres, nginx, proxies on every link |
//! | [`tap`] | a proxy that can lose, repeat, delay or withhold one message on the wire |
//! | [`client`] | devices that use the cluster and write down what they saw |
//! | [`faults`] | what is broken, each fault a small type |
//! | [`checks`] | what must hold, each check pure over the evidence |
//! | [`story`] | the smallest story of a violation |
//! | [`report`] | what a run says |
//! | [`mod@run`] | one run from its beginning to its end |

mod checks;
mod client;
mod faults;
mod plan;
mod report;
mod run;
mod story;
mod tap;
mod world;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    client::Size,
    plan::Wish,
    report::line,
    run::{Order, run},
};

/// Break a cluster and check its promises.
#[derive(Debug, Parser)]
#[command(
    name = "starling-faults",
    version,
    max_term_width = 110,
    after_help = "Exit code 1: a promise was broken, or the run showed nothing. 130, 143: ended by a signal."
)]
struct Cli {
    /// Of the plan and of all dice; a random one where none is given
    #[arg(long)]
    seed: Option<u64>,
    /// For how long there are faults; without it each comes once
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// This fault alone; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Not this fault; may be repeated
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Name every fault, and do nothing
    #[arg(long)]
    list: bool,
    /// Show the plan, and do nothing
    #[arg(long)]
    plan: bool,
    /// Seconds without faults, with clients at work, before all is checked again
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    calm: u64,
    /// Gateways
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Users, each with two devices
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(3..=500))]
    users: u16,
    /// Rooms
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=100))]
    rooms: u8,
    /// Milliseconds between two acts of a device, on average
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(5..=60_000))]
    pace: u64,
    /// The gateway
    #[arg(long, value_name = "FILE", default_value = "target/debug/starling")]
    binary: PathBuf,
    /// Where the gateways' logs are kept
    #[arg(long, value_name = "FOLDER", default_value = "target/faults")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        list();
        return ExitCode::SUCCESS;
    }
    let seed = cli.seed.unwrap_or_else(|| rand::random_range(1..1_000_000));
    let order = Order {
        wish: Wish {
            seed,
            nodes: cli.nodes.into(),
            budget: cli
                .minutes
                .map(|minutes| Duration::from_secs_f64(minutes.max(0.0) * 60.0)),
            only: cli.only,
            without: cli.without,
        },
        size: Size {
            users: cli.users.into(),
            rooms: cli.rooms.into(),
            pace: Duration::from_millis(cli.pace),
        },
        calm: Duration::from_secs(cli.calm),
        binary: cli.binary,
        folder: cli.folder.join(format!("seed-{seed}")),
    };
    line(format_args!("seed {seed}"));
    let outcome = if cli.plan {
        show(&order.wish)
    } else {
        perform(&order)
    };
    outcome.unwrap_or_else(|error| {
        line(format_args!("error: {error:#} (seed {seed})"));
        ExitCode::FAILURE
    })
}

fn perform(order: &Order) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            held = run(order) => {
                let held = held?;
                let verdict = if held { "all held" } else { "NOT all held" };
                line(format_args!("seed {}: {verdict}; logs in {}", order.wish.seed, order.folder.display()));
                Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            // What was started ends with what is dropped here.
            code = interrupted() => code,
        }
    })
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() -> anyhow::Result<ExitCode> {
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(tokio::select! {
        told = tokio::signal::ctrl_c() => told.map(|()| ExitCode::from(130))?,
        _ = terminated.recv() => ExitCode::from(143),
    })
}

fn list() {
    for (kind, faults) in faults::all() {
        line(kind);
        for fault in faults {
            line(format_args!(
                "  {:<26} {:>3} s  {}",
                fault.name(),
                fault.lasts().as_secs(),
                fault.about()
            ));
        }
    }
}

fn show(wish: &Wish) -> anyhow::Result<ExitCode> {
    for step in plan::make(wish)? {
        let faults = step.faults.iter();
        let faults: Vec<_> = faults
            .map(|chosen| format!("{} (node-{})", chosen.fault.name(), chosen.target))
            .collect();
        line(faults.join(" + "));
    }
    Ok(ExitCode::SUCCESS)
}
