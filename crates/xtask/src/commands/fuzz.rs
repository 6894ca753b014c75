//! `cargo xtask fuzz`: every fuzz target for some seconds.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::{say, shell};

/// Fuzz every target for some seconds each, with the nightly compiler.
#[derive(clap::Args)]
pub struct Args {
    /// Seconds for each target
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Where there is no nightly toolchain, say so and succeed
    #[arg(long)]
    if_nightly: bool,
    /// The targets to run; all by default
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
}

/// An input on which a target takes longer than this many seconds is a finding.
const SLOW_INPUT: u32 = 10;

/// Runs the targets one after another, also after one has failed.
pub fn run(args: &Args) -> Result<ExitCode> {
    let manifest = shell::root().join("fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).context("cannot read fuzz/Cargo.toml")?;
    let targets = chosen(targets(&manifest)?, &args.targets)?;
    if !shell::succeeds(&mut nightly(&["--version"])) {
        if args.if_nightly {
            say::line("fuzz: skipped: there is no nightly toolchain here");
            return Ok(ExitCode::SUCCESS);
        }
        bail!(
            "fuzzing needs a nightly toolchain, and there is none: \
             install it by `rustup toolchain install nightly --profile minimal`"
        );
    }
    if !shell::succeeds(&mut nightly(&["fuzz", "--version"])) {
        shell::run(&mut shell::cargo(["install", "cargo-fuzz", "--locked"]))?;
    }
    let mut failed = Vec::new();
    for target in &targets {
        say::heading(target);
        if let Err(error) = fuzz(target, args.seconds) {
            say::line(format_args!("{target} FAILED: {error:#}"));
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        say::line(format_args!(
            "\nfuzz: {} targets, {} s each, no finding",
            targets.len(),
            args.seconds
        ));
        return Ok(ExitCode::SUCCESS);
    }
    say::line(format_args!("\nfuzz: failed: {}", failed.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// The names of the programs in a manifest.
fn targets(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = manifest.parse().context("cannot read fuzz/Cargo.toml")?;
    let programs = manifest
        .get("bin")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    let names = programs.filter_map(|program| program.get("name")?.as_str());
    let names: Vec<_> = names.map(str::to_owned).collect();
    if names.is_empty() {
        bail!("fuzz/Cargo.toml has no [[bin]]");
    }
    Ok(names)
}

fn chosen(all: Vec<String>, asked: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzz target {unknown}; there are {}", all.join(", "));
    }
    Ok(if asked.is_empty() { all } else { asked.to_vec() })
}

fn fuzz(target: &str, seconds: u32) -> Result<()> {
    // libFuzzer writes what it finds worth keeping to the first folder; the seeds are only read.
    let corpus = format!("fuzz/corpus/{target}");
    let seeds = format!("fuzz/seeds/{target}");
    let path = shell::root().join(&corpus);
    std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let mut command = nightly(&["fuzz", "run", "--target-dir", "target/fuzz", target, &corpus]);
    if Path::new(&shell::root().join(&seeds)).is_dir() {
        command.arg(&seeds);
    }
    command.arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={SLOW_INPUT}"),
    ]);
    shell::run(&mut command)
}

/// Cargo of the nightly toolchain.
fn nightly(args: &[&str]) -> Command {
    let mut command = shell::command("rustup");
    command.args(["run", "nightly", "cargo"]).args(args);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_programs_of_the_manifest() {
        let manifest = "[package]\nname = \"f\"\n[[bin]]\nname = \"one\"\n[[bin]]\nname = \"two\"\n";
        let all = targets(manifest).expect("a manifest");
        assert_eq!(all, ["one", "two"]);
        assert_eq!(chosen(all.clone(), &[]).expect("all"), all);
        assert_eq!(chosen(all.clone(), &["two".to_owned()]).expect("known"), ["two"]);
        let error = chosen(all, &["three".to_owned()]).expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "there is no fuzz target three; there are one, two"
        );
        assert!(targets("[package]\nname = \"f\"").is_err());
    }
}
