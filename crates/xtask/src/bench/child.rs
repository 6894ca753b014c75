//! The programs that are measured and that measure. Each ends with the value that stands for it.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use super::Rig;
use crate::{http, shell};

/// How long a server may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two questions whether it is.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Signs the tokens of this run; the server listens on loopback only and is gone afterwards.
const SECRET: &str = "the-secret-of-a-benchmark-is-none";

/// The server's limits protect it from single users. Here a few users stand for many.
pub(super) const LIMITS: &[(&str, &str)] = &[
    ("STARLING_LIMITS__COMMANDS_PER_MINUTE", "1000000"),
    ("STARLING_LIMITS__COMMAND_BURST", "1000000"),
    ("STARLING_MESSAGING__RATE_PER_MINUTE", "1000000"),
    ("STARLING_MESSAGING__BURST", "1000000"),
    ("STARLING_MESSAGING__MAX_UNACKED", "10000"),
];

/// Where a program runs when it is pinned.
#[derive(Clone, Copy)]
pub(super) enum Core {
    Server,
    Generator,
}

impl Rig {
    /// A program of this run, on its core.
    fn program(&self, name: &str, core: Core) -> Command {
        let program = self.programs.join(name);
        if !self.pin {
            return shell::command(program);
        }
        let core = match core {
            Core::Server => "0",
            Core::Generator => "1",
        };
        let mut command = shell::command("taskset");
        command.args(["--cpu-list", core]).arg(program);
        command
    }

    /// The generator.
    pub(super) fn loadtest(&self) -> Command {
        self.program("starling-loadtest", Core::Generator)
    }

    /// The generator, to be run against a server with a scenario's arguments.
    pub(super) fn generator(&self, server: &Server, args: &[&str]) -> Command {
        let mut command = self.loadtest();
        command
            .args(args)
            .args(["--json", "--server-pid", &server.child.0.id().to_string()])
            .env("STARLING_AUTH__HS256_SECRET", SECRET);
        match server.kind {
            Kind::Starling => command.args(["--url", &format!("ws://{}/ws", server.addr)]),
            Kind::Baseline => command.args(["--plain", &server.addr.to_string()]),
        };
        command
    }

    /// Runs the generator to its end; its last line of output.
    pub(super) fn measure<T: DeserializeOwned>(&self, server: &Server, args: &[&str]) -> Result<T> {
        last_line(&mut self.generator(server, args))
    }
}

/// Runs the generator to its end; its last line of output.
pub(super) fn last_line<T: DeserializeOwned>(generator: &mut Command) -> Result<T> {
    let output = shell::read(generator)?;
    parse(output.lines().last().unwrap_or_default())
}

/// A process that is ended with this value.
pub(super) struct Ended(pub(super) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Starling,
    Baseline,
}

/// A server that is measured.
pub(super) struct Server {
    child: Ended,
    addr: SocketAddr,
    kind: Kind,
    /// Its database, removed with it.
    data: Option<PathBuf>,
}

impl Server {
    /// Starts a Starling server with the embedded backend and an empty database.
    pub(super) fn starling(rig: &Rig) -> Result<Self> {
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let data = rig.scratch.join(format!("data-{}", free.port()));
        let mut command = rig.program("starling", Core::Server);
        command
            .arg("serve")
            .envs(LIMITS.iter().copied())
            .env("STARLING_AUTH__HS256_SECRET", SECRET)
            .env("STARLING_SERVER__LISTEN", free.to_string())
            .env("STARLING_EMBEDDED__DATA_DIR", &data)
            .env("STARLING_TELEMETRY__LOG_LEVEL", "warn")
            .stdout(Stdio::null());
        let mut server = Self {
            child: Ended(command.spawn().context("cannot start `starling serve`")?),
            addr: free,
            kind: Kind::Starling,
            data: Some(data),
        };
        server.wait()?;
        Ok(server)
    }

    /// Starts the loop of send().
    pub(super) fn baseline(rig: &Rig) -> Result<Self> {
        let mut command = rig.program("starling-loadtest", Core::Server);
        command.arg("baseline").stdout(Stdio::piped());
        let mut child = Ended(command.spawn().context("cannot start the baseline server")?);
        let output = child
            .0
            .stdout
            .take()
            .context("the baseline server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let addr = line.trim();
        Ok(Self {
            addr: addr
                .parse()
                .with_context(|| format!("the baseline server says {addr:?}"))?,
            child,
            kind: Kind::Baseline,
            data: None,
        })
    }

    /// Asks until the server is ready.
    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // Nobody listens yet, or is not ready to answer.
        while !http::get(self.addr, "/readyz").is_ok_and(|answer| answer.status == 200) {
            if let Some(status) = self.child.0.try_wait()? {
                bail!("`starling serve` ended with {status}");
            }
            if Instant::now() > deadline {
                bail!("`starling serve` is not ready after {} s", PATIENCE.as_secs());
            }
            std::thread::park_timeout(ASK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(data) = &self.data {
            remove(&mut self.child, data);
        }
    }
}

/// Ends a server and removes its database. What cannot be removed lies in the target folder and harms nobody.
fn remove(child: &mut Ended, data: &Path) {
    let _ = child.0.kill();
    let _ = child.0.wait();
    let _ = std::fs::remove_dir_all(data);
}

/// A generator that stays: it does what it is told, line by line.
pub(super) struct Generator {
    child: Ended,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Generator {
    /// Starts it.
    pub(super) fn start(rig: &Rig, server: &Server, args: &[&str]) -> Result<Self> {
        Self::spawn(rig.generator(server, args))
    }

    /// Starts it with all its arguments.
    pub(super) fn spawn(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start starling-loadtest")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("starling-loadtest has no output")?;
        Ok(Self {
            child: Ended(child),
            input,
            output: BufReader::new(output),
        })
    }

    /// Tells it a line.
    pub(super) fn tell(&mut self, line: &impl serde::Serialize) -> Result<()> {
        let input = self.input.as_mut().context("starling-loadtest has no input")?;
        let line = serde_json::to_string(line)?;
        writeln!(input, "{line}").context("starling-loadtest has ended")
    }

    /// The next line that it says.
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.is_empty() {
            bail!("starling-loadtest ended with {}", self.child.0.wait()?);
        }
        parse(&line)
    }

    /// Ends its input and waits for its end; a failing exit code is an error.
    pub(super) fn end(mut self) -> Result<()> {
        drop(self.input.take());
        let status = self.child.0.wait()?;
        if !status.success() {
            bail!("starling-loadtest ended with {status}");
        }
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).with_context(|| format!("starling-loadtest says {line:?}"))
}
