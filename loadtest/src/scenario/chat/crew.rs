//! The parent: starts the workers, lets them begin together, and adds up what they say.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::{
    spec::Spec,
    tally::{Account, Counts, Latencies, Said, Tick},
};
use crate::{live::Live, report::number};

/// Lines that wait for the parent: it has nothing else to do. A worker whose line finds no room waits.
const LINES: usize = 64;

/// No worker is silent for longer while it works.
const PATIENCE: Duration = Duration::from_secs(120);

/// A second of all workers together.
pub(super) struct Second {
    pub(super) live: u64,
    pub(super) counts: Counts,
    pub(super) latencies: Latencies,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) seconds: Vec<Second>,
    pub(super) account: Account,
}

/// A worker; it is ended with this value.
struct Worker {
    child: Child,
    input: ChildStdin,
    connections: usize,
    is_ready: bool,
    /// Seconds that it has told of.
    seconds: usize,
    is_done: bool,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a worker for each part.
pub(super) fn run(specs: &[Spec]) -> Result<Outcome> {
    let (sender, lines) = sync_channel(LINES);
    let mut crew = Crew {
        workers: Vec::new(),
        lines,
        live: Live::on_stderr(),
        seconds: Vec::new(),
        account: Account::default(),
        shown: 0,
    };
    for (at, spec) in specs.iter().enumerate() {
        crew.workers.push(start(at, spec, sender.clone())?);
    }
    drop(sender);
    let clients = specs.iter().map(|spec| spec.rooms * spec.members).sum();
    crew.until(clients, |worker| worker.is_ready)?;
    for worker in &mut crew.workers {
        writeln!(worker.input, "begin").context("a worker has ended")?;
    }
    crew.until(clients, |worker| worker.is_done)?;
    crew.live.end();
    Ok(Outcome {
        seconds: crew.seconds,
        account: crew.account,
    })
}

fn start(at: usize, spec: &Spec, sender: SyncSender<(usize, Option<String>)>) -> Result<Worker> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command.arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start a worker")?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        bail!("a worker has neither input nor output");
    };
    writeln!(input, "{}", serde_json::to_string(spec)?).context("a worker has ended")?;
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Without a receiver the parent has ended.
            if sender.send((at, Some(line))).is_err() {
                return;
            }
        }
        let _ = sender.send((at, None));
    });
    Ok(Worker {
        child,
        input,
        connections: 0,
        is_ready: false,
        seconds: 0,
        is_done: false,
    })
}

struct Crew {
    workers: Vec<Worker>,
    /// Of which worker; none at the end of its output.
    lines: Receiver<(usize, Option<String>)>,
    live: Live<std::io::Stderr>,
    seconds: Vec<Second>,
    account: Account,
    /// Seconds that were shown.
    shown: usize,
}

impl Crew {
    /// Listens until all workers have come so far.
    fn until(&mut self, clients: usize, is_there: fn(&Worker) -> bool) -> Result<()> {
        while !self.workers.iter().all(is_there) {
            let line = self.lines.recv_timeout(PATIENCE);
            let (at, line) = line.context("the workers are silent: is the server?")?;
            match line {
                Some(line) => {
                    let said = serde_json::from_str(&line);
                    self.hear(
                        at,
                        clients,
                        said.with_context(|| format!("a worker says {line:?}"))?,
                    )?;
                }
                None if self.workers[at].is_done => {}
                // It has said why.
                None => bail!("worker {at} ended with {}", self.workers[at].child.wait()?),
            }
        }
        Ok(())
    }

    fn hear(&mut self, at: usize, clients: usize, said: Said) -> Result<()> {
        let worker = &mut self.workers[at];
        match said {
            Said::Connecting { connections } => {
                worker.connections = connections;
                let connected: usize = self.workers.iter().map(|worker| worker.connections).sum();
                self.live.show(&format!(
                    "connecting: {} of {}",
                    number(connected as f64),
                    number(clients as f64)
                ));
            }
            Said::Ready => worker.is_ready = true,
            Said::Second(tick) => {
                let second = worker.seconds;
                worker.seconds += 1;
                self.add(second, &tick)?;
            }
            Said::Done(account) => {
                worker.is_done = true;
                self.account.add(&account);
            }
        }
        self.show(clients);
        Ok(())
    }

    fn add(&mut self, second: usize, tick: &Tick) -> Result<()> {
        if self.seconds.len() <= second {
            self.seconds.push(Second {
                live: 0,
                counts: Counts::default(),
                latencies: Latencies::new()?,
            });
        }
        let sum = &mut self.seconds[second];
        sum.live += tick.live;
        sum.counts.add(&tick.counts);
        sum.latencies.add(&tick.recorded);
        Ok(())
    }

    /// Shows the seconds that all have told of.
    fn show(&mut self, clients: usize) {
        let told = self.workers.iter().filter(|worker| !worker.is_done);
        let told = told.map(|worker| worker.seconds).min().unwrap_or(self.shown);
        while self.shown < told {
            let Second {
                live,
                counts,
                latencies,
            } = &self.seconds[self.shown];
            self.shown += 1;
            let p99 = |latency: &crate::latency::Latency| latency.summary().p99_ms;
            self.live.show(&format!(
                "{:>4} s  live {} of {}  sent {}/s  acked {}/s  delivered {}/s  p99 ms: ack {:.1}, deliver {:.1}  cut {}  ended {}  back {}  moved {}",
                self.shown,
                number(*live as f64),
                number(clients as f64),
                number(counts.sent as f64),
                number(counts.acked as f64),
                number(counts.delivered as f64),
                p99(&latencies.ack),
                p99(&latencies.deliver),
                counts.cut,
                counts.ended,
                counts.resumed,
                counts.moved,
            ));
        }
    }
}
