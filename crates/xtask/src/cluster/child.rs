//! One process of the cluster.

use std::{
    fs::{self, OpenOptions},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::Interrupt;
use crate::shell;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether it has happened.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// So many lines of a log say why a process has ended.
const LAST_WORDS: usize = 8;

/// How to end a process in order.
#[derive(Clone, Copy)]
pub(super) enum End {
    Term,
    /// Postgres: without waiting for clients.
    Int,
}

impl End {
    fn signal(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
        }
    }
}

/// See the module.
pub(super) struct Child {
    name: String,
    process: process::Child,
    log: PathBuf,
    end: End,
    is_ready: Box<dyn Fn() -> bool>,
    ended: Option<ExitStatus>,
}

impl Child {
    /// Starts a program under these options of `setpriv`; it writes to this log.
    ///
    /// It gets a process group of its own, since the Ctrl-C of a terminal goes to the whole group and the order of
    /// the end is ours. Should this process be killed, the kernel ends it.
    pub(super) fn start(
        name: &str,
        privileges: &[&str],
        program: &Command,
        log: PathBuf,
        end: End,
    ) -> Result<Self> {
        // One that is started again goes on in its log.
        let output = OpenOptions::new().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = shell::command("setpriv");
        command
            .args(privileges)
            .args(["--pdeathsig", end.signal(), "--"])
            .arg(program.get_program())
            .args(program.get_args())
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            // Not a folder that the user postgres may be unable to enter.
            .current_dir("/")
            .process_group(0)
            .stdout(output.try_clone()?)
            .stderr(output);
        let process = command.spawn().with_context(|| {
            format!("cannot start {name}: it is started by `setpriv`, of the package util-linux")
        })?;
        Ok(Self {
            name: name.to_owned(),
            process,
            log,
            end,
            is_ready: Box::new(|| true),
            ended: None,
        })
    }

    /// Sets how to tell that it is ready.
    pub(super) fn ready_when(mut self, is_ready: impl Fn() -> bool + 'static) -> Self {
        self.is_ready = Box::new(is_ready);
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has not ended, as far as it was looked.
    pub(super) fn runs(&self) -> bool {
        self.ended.is_none()
    }

    /// Waits until it is ready.
    pub(super) fn ready(&mut self, interrupt: &Interrupt) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !(self.is_ready)() {
            if let Some(death) = self.death() {
                bail!("{death}");
            }
            if Instant::now() > deadline {
                bail!(
                    "{} is not ready after {} s; the last lines of its log:\n{}",
                    self.name,
                    PATIENCE.as_secs(),
                    last_words(&self.log)
                );
            }
            if interrupt.within(LOOK_AGAIN) {
                bail!("interrupted while {} was starting", self.name);
            }
        }
        Ok(())
    }

    /// What is to be said when it has ended by itself; said once.
    pub(super) fn death(&mut self) -> Option<String> {
        if self.ended.is_some() {
            return None;
        }
        // An error would mean that it is not our child.
        let status = self.process.try_wait().ok().flatten()?;
        self.ended = Some(status);
        Some(format!(
            "{} ended with {status}; the last lines of its log:\n{}",
            self.name,
            last_words(&self.log)
        ))
    }

    /// Asks it to end in order.
    pub(super) fn ask_to_end(&self) {
        let mut kill = shell::command("kill");
        kill.args(["-s", self.end.signal(), &self.process.id().to_string()]);
        // It may have ended in this moment; its id stays its own until it is waited for.
        shell::succeeds(&mut kill);
    }

    /// As [`Self::end`], and says when it was no end in order.
    pub(super) fn end_in_order(&mut self) -> Result<()> {
        self.end();
        match self.ended {
            Some(status) if status.success() => Ok(()),
            _ => bail!(
                "{} did not end in order{}; the last lines of its log:\n{}",
                self.name,
                self.ended
                    .map(|status| format!(" ({status})"))
                    .unwrap_or_default(),
                last_words(&self.log)
            ),
        }
    }

    /// Waits for its end; a process that does not end is killed.
    pub(super) fn end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.runs() && Instant::now() < deadline {
            self.ended = self.process.try_wait().ok().flatten();
            if self.runs() {
                thread::park_timeout(LOOK_AGAIN);
            }
        }
        if self.runs() {
            self.kill();
        }
    }

    /// Ends it at once: it cannot refuse this.
    pub(super) fn kill(&mut self) {
        let _ = self.process.kill();
        self.ended = self.process.wait().ok();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.runs() {
            self.ask_to_end();
            self.end();
        }
    }
}

fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LAST_WORDS));
    last.map(|line| format!("  | {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, folder: &tempfile::TempDir) -> Child {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]);
        Child::start("a shell", &[], &sh, folder.path().join("log"), End::Term).expect("it starts")
    }

    #[test]
    fn a_death_is_told_once_with_the_last_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_listening, interrupt) = Interrupt::never();
        let mut child = sh("seq 100; echo the end >&2; exit 3", &folder).ready_when(|| false);
        let death = child.ready(&interrupt).expect_err("it ends").to_string();
        assert!(death.starts_with("a shell ended with exit status: 3;"), "{death}");
        assert!(
            death.ends_with("  | 99\n  | 100\n  | the end") && !death.contains("| 93\n"),
            "{death}"
        );
        assert!(child.death().is_none() && !child.runs());
    }

    #[test]
    fn an_end_out_of_order_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (_listening, interrupt) = Interrupt::never();
        for (status, is_in_order) in [(0, true), (3, false)] {
            let ready = folder.path().join(format!("ready-{status}"));
            let script = format!(
                "trap 'exit {status}' TERM; touch {}; while :; do sleep 0.01; done",
                ready.display()
            );
            let mut child = sh(&script, &folder).ready_when(move || ready.exists());
            child.ready(&interrupt).expect("it is ready");
            child.ask_to_end();
            assert_eq!(child.end_in_order().is_ok(), is_in_order);
        }
    }

    #[test]
    fn what_is_dropped_is_asked_to_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let (asked, ready) = (folder.path().join("asked"), folder.path().join("ready"));
        let script = format!(
            "trap 'echo asked > {}; exit' TERM; touch {}; while :; do sleep 0.01; done",
            asked.display(),
            ready.display()
        );
        let (_listening, interrupt) = Interrupt::never();
        let mut child = sh(&script, &folder).ready_when(move || ready.exists());
        child.ready(&interrupt).expect("it is ready");
        drop(child);
        assert_eq!(fs::read_to_string(&asked).expect("it was asked"), "asked\n");
    }
}
