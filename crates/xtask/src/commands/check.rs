//! `cargo xtask check`: everything that a review should not have to say.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::arrows::{Graph, RULES, violations};
use crate::{say, shell};

/// Check formatting, lints, documentation, dependencies, generated files, shell scripts and what operators deploy.
#[derive(clap::Args)]
pub struct Args {
    /// The steps to run; all by default
    #[arg(value_name = "STEP")]
    steps: Vec<Step>,
    /// Rewrite the generated files that are stale instead of complaining
    #[arg(long)]
    write: bool,
}

/// One thing that is checked.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Step {
    /// cargo fmt --check
    Fmt,
    /// cargo clippy, warnings are errors
    Clippy,
    /// cargo doc, warnings are errors
    Doc,
    /// Which crate may depend on which
    Arrows,
    /// Files that a program of ours writes
    Generated,
    /// Whether the web app inside the gateway is built from the present sources
    Web,
    /// bash -n
    Scripts,
    /// nginx, docker compose, Kubernetes, Prometheus: read by the programs that they are for
    Ops,
}

/// A file in the repository that the program `starling` writes.
struct Generated {
    file: &'static str,
    args: &'static [&'static str],
}

/// The command that makes every generated file.
const REWRITE: &str = "cargo xtask check generated --write";

/// Every generated file. To add one, add a row.
const GENERATED: &[Generated] = &[
    Generated {
        file: "starling.example.toml",
        args: &["config", "--example"],
    },
    Generated {
        file: "docs/openapi.json",
        args: &["openapi"],
    },
];

/// Runs every step, also after one has failed, so that one run tells all.
pub fn run(args: &Args) -> Result<ExitCode> {
    let steps = if args.steps.is_empty() {
        Step::value_variants()
    } else {
        &args.steps
    };
    let mut failed = Vec::new();
    for step in steps {
        say::heading(step.name());
        let started = Instant::now();
        let outcome = step.run(args.write);
        say::line(format_args!(
            "{} took {}",
            step.name(),
            say::seconds(started.elapsed())
        ));
        if let Err(error) = outcome {
            say::line(format_args!("{} FAILED: {error:#}", step.name()));
            failed.push(step.name());
        }
    }
    if failed.is_empty() {
        say::line(format_args!("\ncheck: {} passed", steps.len()));
        return Ok(ExitCode::SUCCESS);
    }
    say::line(format_args!("\ncheck: failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Arrows => "arrows",
            Self::Generated => "generated",
            Self::Web => "web",
            Self::Scripts => "scripts",
            Self::Ops => "ops",
        }
    }

    fn run(self, write: bool) -> Result<()> {
        match self {
            Self::Fmt => fmt(),
            Self::Clippy => {
                let args = [
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--locked",
                    "--",
                    "-D",
                    "warnings",
                ];
                shell::run(&mut shell::cargo(args))
            }
            Self::Doc => {
                let args = ["doc", "--workspace", "--no-deps", "--locked"];
                shell::run(shell::cargo(args).env("RUSTDOCFLAGS", "-D warnings"))
            }
            Self::Arrows => arrows(),
            Self::Generated => generated(write),
            Self::Web => super::web::check(),
            Self::Scripts => scripts(),
            Self::Ops => super::ops::check(),
        }
    }
}

fn fmt() -> Result<()> {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    // The fuzz targets are a workspace of their own, for they need a nightly compiler.
    if shell::root().join("fuzz/Cargo.toml").is_file() {
        shell::run(&mut shell::cargo([
            "fmt",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--check",
        ]))?;
    }
    Ok(())
}

fn arrows() -> Result<()> {
    let found = violations(&Graph::read()?, &RULES);
    if !found.is_empty() {
        bail!(
            "the rules are in crates/xtask/src/arrows/rules.rs\n  {}",
            found.join("\n  ")
        );
    }
    Ok(())
}

fn generated(write: bool) -> Result<()> {
    let mut faults = Vec::new();
    for row in GENERATED {
        if let Err(error) = row.check(write) {
            faults.push(format!("{error:#}"));
        }
    }
    if !faults.is_empty() {
        bail!("\n  {}", faults.join("\n  "));
    }
    Ok(())
}

impl Generated {
    fn command(&self) -> Command {
        let mut command = shell::cargo(["run", "--quiet", "--locked", "--package", "starling-server", "--"]);
        command.args(self.args);
        command
    }

    fn check(&self, write: bool) -> Result<()> {
        let path = shell::root().join(self.file);
        if !write && !path.is_file() {
            bail!("{} does not exist; make it by `{REWRITE}`", self.file);
        }
        let mut command = self.command();
        say::line(format_args!("$ {}", shell::typed(&command)));
        let wanted = shell::read(&mut command)?;
        if write {
            return self.write(&path, &wanted);
        }
        let present = read(&path)?;
        match first_difference(&present, &wanted) {
            None => Ok(()),
            Some(line) => bail!(
                "{} is stale from line {line} on; make it again by `{REWRITE}`",
                self.file
            ),
        }
    }

    fn write(&self, path: &Path, wanted: &str) -> Result<()> {
        if path.is_file() && read(path)? == wanted {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(path, wanted).with_context(|| format!("cannot write {}", self.file))?;
        say::line(format_args!("wrote {}", self.file));
        Ok(())
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The first line, counted from 1, at which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one
        .split('\n')
        .zip(other.split('\n'))
        .take_while(|(one, other)| one == other)
        .count();
    Some(same + 1)
}

fn scripts() -> Result<()> {
    let files = shell::read(shell::command("git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut faults = Vec::new();
    for file in files.split_terminator('\0') {
        if is_script(file) && shell::run(shell::command("bash").args(["-n", file])).is_err() {
            faults.push(file);
        }
    }
    if !faults.is_empty() {
        bail!("not a shell script that bash can read: {}", faults.join(", "));
    }
    Ok(())
}

/// By its name, or by its first line when the name has no ending.
fn is_script(file: &str) -> bool {
    match Path::new(file).extension() {
        Some(ending) => ending == "sh" || ending == "bash",
        None => {
            // A listed file that cannot be read is a deleted one or not text.
            let text = std::fs::read_to_string(shell::root().join(file)).unwrap_or_default();
            is_shebang(text.lines().next().unwrap_or_default())
        }
    }
}

fn is_shebang(line: &str) -> bool {
    let interpreter = line.strip_prefix("#!").and_then(|line| {
        line.split_whitespace()
            .flat_map(|w| w.rsplit('/').next())
            .find(|w| *w != "env")
    });
    matches!(interpreter, Some("sh" | "bash"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_a_line_number() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a"), Some(2));
        assert_eq!(first_difference("", "a"), Some(1));
    }

    #[test]
    fn a_script_is_known_by_its_first_line() {
        assert!(is_shebang("#!/usr/bin/env bash"));
        assert!(is_shebang("#!/bin/sh -eu"));
        assert!(!is_shebang("#!/usr/bin/env python3"));
        assert!(!is_shebang("bash"));
        assert!(is_script(".ci/run"));
        assert!(!is_script("Cargo.toml"));
    }
}
