//! `starling config`.

use std::io::{self, Write};

use clap::Args;

use crate::{cli::Cli, config::Config};

/// What to show of the configuration.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Print an example file: every key with its meaning and its default
    #[arg(long, conflicts_with = "check")]
    example: bool,
    /// Only check; exit with 64 when something is wrong
    #[arg(long)]
    check: bool,
}

impl Show {
    pub(crate) fn run(&self, cli: &Cli) -> anyhow::Result<()> {
        let text = if self.example {
            Config::example()
        } else {
            let config = Config::load(cli)?;
            for warning in &config.warnings {
                writeln!(io::stderr(), "starling: {warning}")?;
            }
            if self.check {
                "the configuration is good\n".into()
            } else {
                config.to_toml()
            }
        };
        Ok(io::stdout().write_all(text.as_bytes())?)
    }
}
