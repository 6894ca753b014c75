//! Chat as it is: clients in rooms over several processes, who speak at a pace, lose their connections and come back; an
//! account of every delivery, second by second.
//!
//! | module | what it holds |
//! |---|---|
//! | `spec` | what a worker is told |
//! | `crew` | the parent: starts the workers and adds up what they say |
//! | `worker` | one process: its loop, its sockets, what is due |
//! | `clients` | the clients: who they are, how far they have come with their connections |
//! | `book` | what was said, and its place in its room |
//! | `timers` | what is to happen at which time |
//! | `tally` | what is counted |
//! | `outcome` | the result for people, for programs and for the page |

mod book;
mod clients;
mod crew;
mod outcome;
mod spec;
mod tally;
mod timers;
mod worker;

pub use outcome::{Chatted, Row};
pub use tally::{Account, Counts};

use std::{
    io::{self, BufRead},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use self::spec::{Cut, Spec};
use super::{Common, seconds};
use crate::{page, report};

/// Connections that fit into one process: below the 20,000 descriptors that many systems allow, with room for those that
/// are opened while old ones close.
const PER_WORKER: usize = 17_000;

/// Chat in rooms, over several processes: many connections, cuts, restarts, and an account of every delivery
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Clients, spread evenly over the rooms
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Rooms; every client is in one
    #[arg(long, default_value_t = 100)]
    rooms: usize,
    /// Messages a second in each room, said by its clients in turn
    #[arg(long, default_value_t = 1.0, value_name = "PER_SECOND")]
    rate: f64,
    /// Length of a message
    #[arg(long, default_value_t = 200, value_name = "CHARACTERS")]
    content: usize,
    /// Seconds that messages are said
    #[arg(long, default_value = "30", value_parser = seconds, value_name = "SECONDS")]
    seconds: Duration,
    /// Cut every connection after about so long, over and over
    #[arg(long, value_parser = seconds, value_name = "SECONDS")]
    cut_every: Option<Duration>,
    /// How long a client stays away after a cut
    #[arg(long, default_value = "2", value_parser = seconds, value_name = "SECONDS")]
    offline: Duration,
    /// Of 100 clients, those that move when the server says `migrate`; the others wait until it closes
    #[arg(long, default_value_t = 100, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    migrate: u8,
    /// Processes; as many as the connections need by default
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
    /// Write a page with plots into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs it; whether every message was acknowledged, and delivered once to everybody.
pub fn run(args: &Args) -> Result<bool> {
    let specs = specs(args)?;
    let outcome = crew::run(&specs)?;
    let result = Chatted::new(args, specs.len(), &outcome)?;
    if let Some(path) = &args.html {
        std::fs::write(path, page::render(&result))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    report::write(&result, args.common.json)?;
    Ok(report::Report::is_exact(&result))
}

/// Runs one part: the first line of standard input says which.
pub fn work() -> Result<bool> {
    let mut first = String::new();
    io::stdin().lock().read_line(&mut first)?;
    let spec: Spec = serde_json::from_str(&first).context("expected the part of a worker")?;
    worker::run(&spec, io::BufReader::new(io::stdin()), &mut |said| {
        report::line(&serde_json::to_string(said)?)
    })?;
    Ok(true)
}

fn specs(args: &Args) -> Result<Vec<Spec>> {
    let Args {
        common,
        rooms,
        connections,
        ..
    } = args;
    if *rooms == 0 || *connections == 0 || !connections.is_multiple_of(*rooms) {
        bail!("--connections must be a multiple of --rooms: every room gets the same number of clients");
    }
    if args.rate <= 0.0 || !args.rate.is_finite() {
        bail!("--rate must be more than 0");
    }
    let workers = args.workers.unwrap_or_else(|| connections.div_ceil(PER_WORKER));
    if workers == 0 || workers > *rooms {
        bail!("--workers must be 1 to {rooms}: a room is in one process, which keeps its account");
    }
    let cut = args.cut_every.map(|every| Cut {
        every,
        offline: args.offline,
    });
    // A connection that the server closed keeps its port for a minute: many addresses keep them from running out.
    let sources = common.sources.unwrap_or(2 + connections / 5_000).clamp(1, 250);
    let spec = |worker: usize| -> Result<Spec> {
        Ok(Spec {
            urls: common.url.clone(),
            secret: common.secret()?,
            sources,
            prefix: format!("{}-w{worker}", common.prefix),
            rooms: rooms / workers + usize::from(worker < rooms % workers),
            members: connections / rooms,
            rate: args.rate,
            content: args.content,
            time: args.seconds,
            drain: common.drain,
            cut,
            migrate: args.migrate,
        })
    };
    (0..workers).map(spec).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parts(line: &str) -> Result<Vec<Spec>> {
        let words = ["chat", "--secret", "s"]
            .into_iter()
            .chain(line.split_whitespace());
        specs(&Line::try_parse_from(words)?.args)
    }

    #[test]
    fn rooms_are_shared_out_and_none_is_left() {
        let all = parts("--connections 50000 --rooms 500 --url ws://a:1,ws://b:2").unwrap();
        let rooms: Vec<_> = all.iter().map(|spec| spec.rooms).collect();
        assert_eq!(rooms, [167, 167, 166]);
        assert!(all.iter().all(|spec| spec.members == 100 && spec.urls.len() == 2));
        assert_ne!(all[0].prefix, all[1].prefix);
        assert_eq!(parts("--connections 300 --rooms 3 --workers 2").unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_reason() {
        for (line, reason) in [
            ("--connections 10 --rooms 3", "multiple of --rooms"),
            ("--rooms 0", "multiple of --rooms"),
            ("--rate 0", "--rate must be"),
            (
                "--connections 4 --rooms 2 --workers 3",
                "--workers must be 1 to 2",
            ),
        ] {
            let error = parts(line).unwrap_err().to_string();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }
}
