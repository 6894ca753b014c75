//! `cargo xtask bench`: what one node and what a cluster can do, measured with `starling-loadtest` (its README says how
//! to read the figures).
//!
//! | module | what it holds |
//! |---|---|
//! | `child` | the programs that are measured and that measure, each ended with its value |
//! | `fanout`, `idle`, `handshake`, `publish` | one scenario each: a run, and its part of the page |
//! | `cluster` | three gateways behind nginx, with Redis and Postgres |
//! | `stats` | medians, numbers for people |
//! | `usage` | CPU time of processes |
//! | `host` | what the figures were measured on |
//! | `page` | docs/benchmarks.md |
//!
//! To add a scenario: a file with its `run`, and a variant of [`Name`].

mod child;
mod cluster;
mod fanout;
mod handshake;
mod host;
mod idle;
mod page;
mod publish;
mod stats;
mod usage;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;

use self::child::LIMITS;
use crate::{arrows::Graph, say, shell};

/// Measure one node beside a plain loop of send(), and a cluster.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenarios to run; all by default
    #[arg(value_name = "NAME")]
    names: Vec<Name>,
    /// Fewer and shorter rounds: under 10 minutes instead of 25
    #[arg(long)]
    quick: bool,
    /// Write the result into docs/benchmarks.md, for the sections of which every scenario is run
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
    /// Three gateways behind nginx: messages, rooms, and what they cost when nobody speaks
    Cluster,
    /// 50,000 clients on three gateways
    Crowd,
    /// 10,000 clients whose connections are cut over and over, while a gateway is restarted
    Jitter,
    /// Three gateways behind nginx that are replaced one after the other, driven by the generator and k6
    Restart,
}

/// A part of the page, written as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Node,
    Cluster,
    Crowd,
    Jitter,
    Restart,
}

impl Section {
    const ALL: [Self; 5] = [
        Self::Node,
        Self::Cluster,
        Self::Crowd,
        Self::Jitter,
        Self::Restart,
    ];

    /// In the marks of the page.
    fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Cluster => "cluster",
            Self::Crowd => "crowd",
            Self::Jitter => "jitter",
            Self::Restart => "restart",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Node => "One node",
            Self::Cluster => "A cluster",
            Self::Crowd => "50,000 clients",
            Self::Jitter => "Jitter",
            Self::Restart => "A rolling restart",
        }
    }

    fn scenarios(self) -> impl Iterator<Item = Name> {
        Name::value_variants()
            .iter()
            .copied()
            .filter(move |name| name.section() == self)
    }
}

impl Name {
    fn run(self, rig: &Rig) -> Result<String> {
        match self {
            Self::Fanout => fanout::run(rig),
            Self::Idle => idle::run(rig),
            Self::Handshake => handshake::run(rig),
            Self::Publish => publish::run(rig),
            Self::Cluster => cluster::run(rig),
            Self::Crowd => cluster::crowd::run(rig),
            Self::Jitter => cluster::jitter::run(rig),
            Self::Restart => cluster::restart::run(rig),
        }
    }

    fn section(self) -> Section {
        match self {
            Self::Fanout | Self::Idle | Self::Handshake | Self::Publish => Section::Node,
            Self::Cluster => Section::Cluster,
            Self::Crowd => Section::Crowd,
            Self::Jitter => Section::Jitter,
            Self::Restart => Section::Restart,
        }
    }

    /// Whether it is measured once, since a run is long.
    fn is_one_run(self) -> bool {
        matches!(self, Self::Crowd | Self::Jitter | Self::Restart)
    }

    fn typed(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// What every scenario works with.
pub(crate) struct Rig {
    /// Folder of the release programs.
    programs: PathBuf,
    target: PathBuf,
    /// Folder for databases: on the same disk as the repository, since a commit is as fast as its disk.
    scratch: PathBuf,
    quick: bool,
    pin: bool,
}

impl Rig {
    /// The command that makes these figures again.
    fn typed(&self, names: &[Name]) -> String {
        let flags = [(self.quick, " --quick"), (self.pin, " --pin")];
        let given = flags.iter().filter(|(given, _)| *given).map(|(_, flag)| *flag);
        let names = names
            .iter()
            .map(|name| name.typed())
            .collect::<Vec<_>>()
            .join(" ");
        std::iter::once(format!("cargo xtask bench {names}"))
            .chain(given.map(str::to_owned))
            .collect()
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
    let names = if args.names.is_empty() {
        Name::value_variants()
    } else {
        &args.names
    };
    let is_whole = |section: &Section| section.scenarios().all(|name| names.contains(&name));
    let begun = |section: &Section| names.iter().any(|name| name.section() == *section);
    let sections: Vec<Section> = Section::ALL.into_iter().filter(begun).collect();
    if args.write && (args.quick || !sections.iter().all(is_whole)) {
        bail!("--write keeps whole sections: leave --quick out, and name all scenarios of a section or none");
    }
    let rig = build(args)?;
    let started = Instant::now();
    for section in sections {
        let names: Vec<Name> = section.scenarios().filter(|name| names.contains(name)).collect();
        let mut parts = vec![format!("## {}\n", section.title()), host::describe(&rig, &names)?];
        for name in &names {
            say::heading(name.typed());
            parts.push(name.run(&rig)?);
        }
        let figures = parts.join("\n");
        say::line(format_args!("\n{figures}"));
        if args.write {
            page::write(section, &figures)?;
        }
    }
    say::line(format_args!(
        "bench: {} passed in {}",
        names.len(),
        say::seconds(started.elapsed())
    ));
    Ok(ExitCode::SUCCESS)
}

fn build(args: &Args) -> Result<Rig> {
    let mut build = shell::cargo(["build", "--release", "--locked"]);
    build.args(["-p", "starling-server", "-p", "starling-loadtest"]);
    shell::run(&mut build)?;
    let target = Graph::read()?.target_directory;
    let rig = Rig {
        programs: target.join("release"),
        scratch: target.join("bench"),
        target,
        quick: args.quick,
        pin: args.pin,
    };
    std::fs::create_dir_all(&rig.scratch)?;
    Ok(rig)
}
