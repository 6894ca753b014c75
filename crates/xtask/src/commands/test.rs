//! `cargo xtask test`: everything from a fresh clone to one closing line.

use std::collections::HashMap;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::arrows::Graph;
use crate::libtest::{Reader, Scores, Tally};
use crate::{machine, python, say, shell};

/// Crates that use these fixtures need the programs of [`machine::PACKAGES`].
const FIXTURES: &str = "starling-testkit";

/// Run every test of the workspace, after installing what they need.
#[derive(clap::Args)]
pub struct Args {
    /// Test this crate alone
    #[arg(long, value_name = "CRATE")]
    only: Option<String>,
    /// Run the tests whose name contains one of these
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

/// Runs the tests. The last line is `starling: 123 passed, 0 failed, 2 skipped`.
pub fn run(args: &Args) -> Result<ExitCode> {
    let graph = Graph::read()?;
    let scope = scope(&graph, args.only.as_deref())?;
    // A filter or a crate asks about the Rust tests.
    let clients = if args.only.is_none() && args.filters.is_empty() {
        clients()?
    } else {
        None
    };
    let mut python = None;
    if needs_fixtures(&graph, args.only.as_deref()) {
        machine::ensure()?;
        python = Some(python::interpreter(&graph.target_directory)?);
    }

    say::heading("build");
    let owners = build(&graph, &scope)?;

    say::heading("test");
    let mut test = shell::cargo(["test", "--locked", "--no-fail-fast"]);
    test.args(&scope)
        .arg("--")
        .args(&args.filters)
        .env("CARGO_TERM_COLOR", "never");
    if let Some(python) = python {
        test.env(python::VARIABLE, python);
    }
    let mut reader = Reader::new(&owners);
    let status = shell::stream(&mut test, |line| reader.line(line, Instant::now()))?;
    let mut scores = reader.finish(status.success(), Instant::now());
    if let Some(folder) = clients {
        say::heading(folder);
        run_clients(folder, &graph.target_directory, &mut scores);
    }
    Ok(close(&scores))
}

fn scope(graph: &Graph, only: Option<&str>) -> Result<Vec<String>> {
    match only {
        None => Ok(vec!["--workspace".to_owned()]),
        Some(name) if graph.is_member(name) => Ok(vec!["--package".to_owned(), name.to_owned()]),
        Some(name) => {
            let names: Vec<_> = graph.members.iter().map(|member| member.name.as_str()).collect();
            bail!("there is no crate {name} here; there are {}", names.join(", "));
        }
    }
}

fn needs_fixtures(graph: &Graph, only: Option<&str>) -> bool {
    let Some(only) = only else { return true };
    let uses = |name: &str| {
        graph
            .members
            .iter()
            .any(|m| m.name == name && m.direct.iter().any(|edge| edge.name == FIXTURES))
    };
    only == FIXTURES || uses(only)
}

/// Builds the tests and the programs that they start, and returns the crate of each test program by file name.
fn build(graph: &Graph, scope: &[String]) -> Result<HashMap<String, String>> {
    let started = Instant::now();
    let mut build = shell::cargo(["build", "--locked", "--bins", "--tests", "--examples"]);
    build.args(scope).arg("--message-format=json-render-diagnostics");
    say::line(format_args!("$ {}", shell::typed(&build)));
    let messages = shell::read(&mut build).context("the tests do not compile")?;
    say::line(format_args!("built in {}", say::seconds(started.elapsed())));
    let crates: HashMap<_, _> = graph
        .members
        .iter()
        .map(|m| (m.id.as_str(), m.name.as_str()))
        .collect();
    let mut owners = HashMap::new();
    for message in messages.lines() {
        let message: Message = serde_json::from_str(message).context("cannot read cargo's messages")?;
        let (Some(program), Some(package)) = (message.executable, message.package_id) else {
            continue;
        };
        if let (Some(name), Some(file)) = (crates.get(package.as_str()), program.rsplit('/').next()) {
            owners.insert(file.to_owned(), (*name).to_owned());
        }
    }
    Ok(owners)
}

/// One line of cargo's JSON; the other fields and kinds of message do not matter here.
#[derive(Deserialize)]
struct Message {
    package_id: Option<String>,
    executable: Option<String>,
}

/// The folder of the TypeScript clients, where there is one.
fn clients() -> Result<Option<&'static str>> {
    const FOLDER: &str = "clients";
    if !shell::root().join(FOLDER).join("package.json").is_file() {
        return Ok(None);
    }
    if shell::find("npm", &[]).is_none() {
        bail!("the tests of {FOLDER}/ need npm: install Node.js 20.19 or later, and run this again");
    }
    Ok(Some(FOLDER))
}

/// A fault here is a failure like any other, so that the closing line still comes.
fn run_clients(folder: &str, target: &Path, scores: &mut Scores) {
    let started = Instant::now();
    let mut tally = Tally::default();
    let fault = match npm_test(folder, target, &mut tally) {
        Ok(status) if tally.failed > 0 || !status.success() => Some(format!("npm test ended with {status}")),
        Ok(_) if tally.passed == 0 => Some("npm test ran no test".to_owned()),
        Ok(_) => None,
        Err(error) => Some(format!("{error:#}")),
    };
    if let Some(fault) = fault {
        tally.failed = tally.failed.max(1);
        scores.failures.push(format!("{folder}: {fault}"));
    }
    scores.add(folder, tally, started.elapsed());
}

fn npm_test(folder: &str, target: &Path, tally: &mut Tally) -> Result<ExitStatus> {
    let npm = |args: &[&str]| {
        let mut npm = shell::command("npm");
        npm.args(args)
            .current_dir(shell::root().join(folder))
            .env("NO_COLOR", "1")
            // Built above; what needs it must not be skipped.
            .env("STARLING_BINARY", target.join("debug/starling"));
        npm
    };
    shell::run(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    shell::stream(&mut npm(&["test"]), |line| {
        if let Some(counts) = vitest(line) {
            *tally += counts;
        }
    })
}

/// The closing line of vitest: `      Tests  1 failed | 12 passed | 2 skipped (15)`.
fn vitest(line: &str) -> Option<Tally> {
    let counts = line.trim_start().strip_prefix("Tests  ")?;
    let counts = counts.split(" (").next()?;
    let mut tally = Tally::default();
    for part in counts.split(" | ") {
        let (count, word) = part.trim().split_once(' ')?;
        let count = count.parse().ok()?;
        match word {
            "passed" => tally.passed = count,
            "failed" => tally.failed = count,
            _ => tally.skipped += count,
        }
    }
    Some(tally)
}

/// Writes the summary; its last line is the closing line.
fn close(scores: &Scores) -> ExitCode {
    say::heading("summary");
    for score in scores
        .crates
        .iter()
        .filter(|score| score.tally != Tally::default())
    {
        let Tally {
            passed,
            failed,
            skipped,
        } = score.tally;
        let wall = say::seconds(score.wall);
        let name = &score.name;
        say::line(format_args!(
            "{wall:>9}  {name:<20} {passed} passed, {failed} failed, {skipped} skipped"
        ));
    }
    let wall: Duration = scores.crates.iter().map(|score| score.wall).sum();
    say::line(format_args!("{:>9}  all", say::seconds(wall)));
    if !scores.failures.is_empty() {
        say::line("\nfailed:");
    }
    for failure in &scores.failures {
        say::line(format_args!("  {failure}"));
    }
    let Tally {
        passed,
        failed,
        skipped,
    } = scores.total();
    if passed + failed == 0 {
        say::line("\nno test ran: that is a failure too");
    }
    say::line(format_args!(
        "\nstarling: {passed} passed, {failed} failed, {skipped} skipped"
    ));
    if failed > 0 || passed == 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_vitest_is_read() {
        let tally = |passed, failed, skipped| {
            Some(Tally {
                passed,
                failed,
                skipped,
            })
        };
        assert_eq!(vitest("      Tests  12 passed (12)"), tally(12, 0, 0));
        assert_eq!(
            vitest("      Tests  1 failed | 12 passed | 2 skipped | 1 todo (16)"),
            tally(12, 1, 3)
        );
        assert_eq!(vitest(" Test Files  3 passed (3)"), None);
        assert_eq!(vitest("      Tests  no tests"), None);
    }
}
