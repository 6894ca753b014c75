//! `cargo xtask bench`: what one node can do, measured with `starling-loadtest` (its README says how to read the
//! figures).
//!
//! | module | what it holds |
//! |---|---|
//! | `child` | the programs that are measured and that measure, each ended with its value |
//! | `fanout`, `idle`, `handshake`, `publish` | one scenario each: a run, and its part of the page |
//! | `stats` | medians, numbers for people |
//! | `host` | what the figures were measured on |
//! | `page` | docs/benchmarks.md |
//!
//! To add a scenario: a file with its `run`, and a variant of [`Name`].

mod child;
mod fanout;
mod handshake;
mod host;
mod idle;
mod page;
mod publish;
mod stats;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{arrows::Graph, say, shell};

/// Measure one node in this run beside a plain loop of send().
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenarios to run; all by default
    #[arg(value_name = "NAME")]
    names: Vec<Name>,
    /// Fewer and shorter rounds: under 3 minutes instead of 12
    #[arg(long)]
    quick: bool,
    /// Write the result into docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Pin the servers to the first core and the generators to the second
    #[arg(long)]
    pin: bool,
}

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// Deliveries per CPU-second, beside the loop of send()
    Fanout,
    /// Memory of idle connections
    Idle,
    /// Handshakes per CPU-second
    Handshake,
    /// Durable messages acknowledged a second
    Publish,
}

impl Name {
    fn run(self, rig: &Rig) -> Result<String> {
        match self {
            Self::Fanout => fanout::run(rig),
            Self::Idle => idle::run(rig),
            Self::Handshake => handshake::run(rig),
            Self::Publish => publish::run(rig),
        }
    }
}

/// What every scenario works with.
pub(crate) struct Rig {
    /// Folder of the release programs.
    programs: PathBuf,
    /// Folder for databases: on the same disk as the repository, since a commit is as fast as its disk.
    scratch: PathBuf,
    quick: bool,
    pin: bool,
}

impl Rig {
    /// The command that makes this run again.
    fn typed(&self) -> String {
        let flags = [(self.quick, " --quick"), (self.pin, " --pin")];
        let given = flags.iter().filter(|(given, _)| *given).map(|(_, flag)| *flag);
        std::iter::once("cargo xtask bench").chain(given).collect()
    }

    /// Rounds of each measurement; the median counts.
    fn rounds(&self) -> usize {
        if self.quick { 2 } else { 5 }
    }

    /// Seconds of each measurement.
    fn seconds(&self) -> f64 {
        if self.quick { 0.7 } else { 3.0 }
    }

    /// Seconds before each measurement.
    fn warm_up(&self) -> f64 {
        if self.quick { 0.2 } else { 0.4 }
    }
}

/// Builds, measures, and shows the page.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.write && (args.quick || !args.names.is_empty()) {
        bail!("--write keeps the figures of a whole run: leave --quick and the names out");
    }
    let build = [
        "build",
        "--release",
        "--locked",
        "-p",
        "starling-server",
        "-p",
        "starling-loadtest",
    ];
    shell::run(&mut shell::cargo(build))?;
    let target = Graph::read()?.target_directory;
    let rig = Rig {
        programs: target.join("release"),
        scratch: target.join("bench"),
        quick: args.quick,
        pin: args.pin,
    };
    std::fs::create_dir_all(&rig.scratch)?;
    let names = if args.names.is_empty() {
        Name::value_variants()
    } else {
        &args.names
    };
    let started = Instant::now();
    let mut parts = vec![host::describe(&rig)?];
    for name in names {
        say::heading(format_args!("{name:?}").to_string().to_lowercase());
        parts.push(name.run(&rig)?);
    }
    let page = parts.join("\n");
    say::line(format_args!("\n{page}"));
    if args.write {
        page::write(&page)?;
    }
    say::line(format_args!(
        "bench: {} passed in {}",
        names.len(),
        say::seconds(started.elapsed())
    ));
    Ok(ExitCode::SUCCESS)
}
