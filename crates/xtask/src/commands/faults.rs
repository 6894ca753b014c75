//! `cargo xtask faults`: breaks a whole cluster while clients use it, and checks what they were promised.

use std::process::ExitCode;

use anyhow::Result;

use crate::{arrows::Graph, machine, say, shell};

/// Break a whole cluster while clients use it, and check its promises
///
/// What follows goes to starling-faults: `cargo xtask faults -- --help` says what it takes. Often used:
/// --list, --seed N, --minutes M, --only NAME, --plan.
#[derive(clap::Args)]
pub struct Args {
    /// Build with optimisations
    #[arg(long, conflicts_with = "prebuilt")]
    release: bool,
    /// Take the programs that `cargo xtask test` has built
    #[arg(long)]
    prebuilt: bool,
    /// For starling-faults
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<String>,
}

/// Builds what ships and what breaks it, and runs it. The exit code is that of the run.
pub fn run(args: &Args) -> Result<ExitCode> {
    let target = Graph::read()?.target_directory;
    let looks_only = args
        .options
        .iter()
        .any(|option| option == "--list" || option == "--plan");
    if !looks_only {
        machine::ensure()?;
    }
    if !args.prebuilt {
        let mut build = shell::cargo(["build", "--locked", "--package", "starling-faults"]);
        if !looks_only {
            build.args(["--package", "starling-server"]);
        }
        if args.release {
            build.arg("--release");
        }
        shell::run(&mut build)?;
    }
    let programs = target.join(if args.release { "release" } else { "debug" });
    let mut faults = shell::command(programs.join("starling-faults"));
    faults
        .args(&args.options)
        .arg("--binary")
        .arg(programs.join("starling"))
        .arg("--folder")
        .arg(target.join("faults"));
    say::line(format_args!("$ {}", shell::typed(&faults)));
    let code = faults.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
