//! `cargo xtask cluster`: a whole cluster as processes of this machine. [`crate::bench`] measures one.
//!
//! | module | what it holds |
//! |---|---|
//! | `place` | ports, and the files in target/cluster |
//! | `services` | how Redis, Postgres, a gateway and nginx are started, and when each is ready |
//! | `child` | one process: started, watched, stopped |
//! | `status` | the line that is written again every second |

mod child;
mod place;
mod services;
mod status;

use std::{
    fs::{File, TryLockError},
    path::Path,
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use self::{child::Child, status::Status};
use crate::{arrows::Graph, say, shell};

pub(crate) use self::place::{Place, Settings};

/// Between two status lines, and between two looks whether a process has ended.
const TICK: Duration = Duration::from_secs(1);

/// Run a whole cluster here until Ctrl-C: Redis, Postgres, gateways, and nginx in front of them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many gateways
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=50))]
    nodes: u16,
    /// Port of nginx on 127.0.0.1; the gateways take those after it
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..=65_000))]
    port: u16,
    /// Build the gateways with optimisations
    #[arg(long)]
    release: bool,
}

/// Runs it to the first SIGINT or SIGTERM.
pub fn run(args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let target = Graph::read()?.target_directory;
    std::fs::create_dir_all(&target)?;
    let _lock = lock(&target.join("cluster.lock"))?;
    build(args.release)?;
    let place = Place::fresh(
        &target,
        &Settings {
            folder: "cluster",
            nodes: args.nodes,
            port: Some(args.port),
            release: args.release,
            // Nobody waits for a balancer here.
            drain: "readiness_delay = \"0s\"\nwindow = \"1s\"",
            gateways: &[],
            postgres: &[],
        },
    )?;
    let mut cluster = Cluster::start(&place, &interrupt)?;
    say::line(place.welcome());
    let any_died = cluster.watch(&place, &interrupt);
    cluster.stop();
    if any_died {
        place.remove_data()?;
        say::line(format_args!(
            "the logs are kept: {}/*.log",
            place.shown().display()
        ));
    } else {
        place.remove()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Two clusters would share the folder.
fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another `cargo xtask cluster` runs in this checkout: end it first")
        }
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the folder of the cluster"),
    }
}

fn build(release: bool) -> Result<()> {
    let mut build = shell::cargo(["build", "--locked", "--package", "starling-server"]);
    if release {
        build.arg("--release");
    }
    shell::run(&mut build)
}

/// SIGINT or SIGTERM, once there was one.
pub(crate) struct Interrupt(mpsc::Receiver<()>);

impl Interrupt {
    pub(crate) fn listen() -> Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for Ctrl-C")?;
        // One is enough; the second finds the place taken and says nothing new.
        let (tell, told) = mpsc::sync_channel(1);
        thread::Builder::new().name("signals".into()).spawn(move || {
            for _ in signals.forever() {
                let _ = tell.try_send(());
            }
        })?;
        Ok(Self(told))
    }

    /// None comes while the other half is held.
    #[cfg(test)]
    fn never() -> (mpsc::SyncSender<()>, Self) {
        let (tell, told) = mpsc::sync_channel(1);
        (tell, Self(told))
    }

    /// Waits so long; `true` when there was one.
    pub(crate) fn within(&self, span: Duration) -> bool {
        !matches!(self.0.recv_timeout(span), Err(RecvTimeoutError::Timeout))
    }
}

/// The processes, in the order in which they were started: each tier needs those before it. What is dropped is
/// stopped, also after a start that failed half-way.
pub(crate) struct Cluster {
    tiers: Vec<Vec<Child>>,
}

impl Cluster {
    /// Starts all of it, and waits until it is ready.
    pub(crate) fn start(place: &Place, interrupt: &Interrupt) -> Result<Self> {
        let mut cluster = Self { tiers: Vec::new() };
        cluster.tier(
            vec![services::postgres(place)?, services::redis(place)?],
            interrupt,
        )?;
        let gateways = place
            .gateways
            .iter()
            .map(|gateway| services::gateway(place, gateway));
        cluster.tier(gateways.collect::<Result<_>>()?, interrupt)?;
        cluster.tier(vec![services::nginx(place)?], interrupt)?;
        Ok(cluster)
    }

    /// The process id of `redis`, `postgres`, `nginx` or a gateway.
    pub(crate) fn pid(&self, name: &str) -> Result<u32> {
        let child = self.tiers.iter().flatten().find(|child| child.name() == name);
        Ok(child.with_context(|| format!("no {name} runs"))?.pid())
    }

    fn child(&mut self, name: &str) -> Result<&mut Child> {
        let mut all = self.tiers.iter_mut().flatten();
        let child = all.find(|child| child.name() == name);
        child.with_context(|| format!("no {name} runs"))
    }

    /// Asks a process to end, and waits until it has; an end out of order is an error.
    pub(crate) fn end(&mut self, name: &str) -> Result<()> {
        let child = self.child(name)?;
        child.ask_to_end();
        child.end_in_order()
    }

    /// Ends a process with SIGKILL.
    pub(crate) fn kill(&mut self, name: &str) -> Result<()> {
        self.child(name)?.kill();
        Ok(())
    }

    /// Starts a gateway again that has ended, and waits until it is ready.
    pub(crate) fn start_again(&mut self, place: &Place, name: &str, interrupt: &Interrupt) -> Result<()> {
        let gateway = place.gateways.iter().find(|gateway| gateway.name == name);
        let gateway = gateway.with_context(|| format!("no gateway is called {name}"))?;
        let child = self.child(name)?;
        *child = services::gateway(place, gateway)?;
        child.ready(interrupt)
    }

    /// Takes processes that were started, and waits until all are ready.
    fn tier(&mut self, tier: Vec<Child>, interrupt: &Interrupt) -> Result<()> {
        self.tiers.push(tier);
        for child in self.tiers.last_mut().into_iter().flatten() {
            child.ready(interrupt)?;
        }
        Ok(())
    }

    /// Shows the status until there is an interrupt; whether a process died before.
    fn watch(&mut self, place: &Place, interrupt: &Interrupt) -> bool {
        let (mut status, mut live) = (Status::new(&place.gateways), say::Live::new());
        let mut any_died = false;
        while !interrupt.within(TICK) {
            for child in self.tiers.iter_mut().flatten() {
                if let Some(death) = child.death() {
                    any_died = true;
                    live.line(death);
                    if let Some(command) = place.again(child.name()) {
                        live.line(format_args!("  to start it again: {command}"));
                    }
                }
            }
            live.show(status.now());
        }
        live.end();
        any_died
    }

    /// Stops the last first: no more clients come in, the gateways write what they have, and then their services go.
    pub(crate) fn stop(&mut self) {
        for mut tier in self.tiers.drain(..).rev() {
            for child in tier.iter_mut().filter(|child| child.runs()) {
                say::line(format_args!("stopping {}", child.name()));
                child.ask_to_end();
            }
            for child in &mut tier {
                child.end();
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}
