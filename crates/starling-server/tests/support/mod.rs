//! The real binary, started and ended by a test.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses a part of it"
)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that is expected to happen. Only waited for when a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
/// Signs the tokens of tests.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// `starling`, with no variables but the secret.
pub(crate) fn starling() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_starling"));
    command.env_clear().env("STARLING_AUTH__HS256_SECRET", SECRET);
    command
}

/// An address that nobody listens on.
pub(crate) fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What a process writes, line by line.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Output {
    /// Reads a pipe to its end.
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let writer = output.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                writer.0.0.lock().unwrap().push(line);
                writer.0.1.notify_all();
            }
        });
        output
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits until so many lines are such.
    pub(crate) fn wait_for(&self, what: &str, count: usize) {
        let (lines, changed) = &*self.0;
        let such = |lines: &[String]| lines.iter().filter(|line| line.contains(what)).count() >= count;
        let waiting = changed.wait_timeout_while(lines.lock().unwrap(), DEADLINE, |lines| !such(lines));
        let (lines, timeout) = waiting.unwrap();
        assert!(
            !timeout.timed_out(),
            "waited for {count} times {what:?} in {lines:#?}"
        );
    }
}

/// A server that listens; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) log: Output,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(addr: SocketAddr, data: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = starling();
        command.arg("serve").envs(variables.iter().copied());
        Self::run(command, addr, data)
    }

    /// The same, by a command that gets the options.
    pub(crate) fn run(mut command: Command, addr: SocketAddr, data: &Path) -> Self {
        command
            .arg("--listen")
            .arg(addr.to_string())
            .arg("--data-dir")
            .arg(data);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Output::of(child.stderr.take().unwrap());
        let mut server = Self { child, log };
        server
            .log
            .wait_for_or("listening", || server.child.try_wait().unwrap().is_some());
        TcpStream::connect(addr).unwrap();
        server
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        end_of(&mut self.child)
    }

    /// Waits for an end that comes by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        end_of(&mut self.child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Output {
    /// Waits for a line; a process that has ended writes none.
    fn wait_for_or(&self, what: &str, mut ended: impl FnMut() -> bool) {
        let (lines, changed) = &*self.0;
        let deadline = Instant::now() + DEADLINE;
        let mut guard = lines.lock().unwrap();
        while !guard.iter().any(|line| line.contains(what)) {
            assert!(
                Instant::now() < deadline && !ended(),
                "waited for {what:?} in {guard:#?}"
            );
            guard = changed.wait_timeout(guard, Duration::from_millis(100)).unwrap().0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Before something is asked again.
pub(crate) fn pause(span: Duration) {
    let (lock, never) = (Mutex::new(()), Condvar::new());
    drop(never.wait_timeout(lock.lock().unwrap(), span).unwrap());
}

/// Waits for the end of a process.
pub(crate) fn end_of(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "the process does not end");
        pause(Duration::from_millis(20));
    }
}

/// A user at `starling chat` in a pipe; killed when dropped.
pub(crate) struct Talker {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) out: Output,
    pub(crate) err: Output,
}

impl Talker {
    pub(crate) fn start(addr: SocketAddr, user: &str, arguments: &[&str]) -> Self {
        let mut command = starling();
        command
            .args(["chat", "--user", user, "--url", &format!("ws://{addr}/ws")])
            .args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            out: Output::of(child.stdout.take().unwrap()),
            err: Output::of(child.stderr.take().unwrap()),
            child,
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends the input, and waits for the end of the process.
    pub(crate) fn finish(&mut self) -> ExitStatus {
        drop(self.stdin.take());
        end_of(&mut self.child)
    }

    /// Waits for an end that comes by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        end_of(&mut self.child)
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
