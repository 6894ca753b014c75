//! What the figures were measured on.

use anyhow::{Context, Result};

use super::{Name, Rig};
use crate::shell;

/// A paragraph about the machine, the time and the code.
pub(super) fn describe(rig: &Rig, names: &[Name]) -> Result<String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let cores = std::thread::available_parallelism()?;
    let kernel = shell::read(shell::command("uname").arg("-r"))?;
    let date = shell::read(shell::command("date").arg("+%Y-%m-%d"))?;
    let commit = shell::read(shell::command("git").args(["describe", "--always", "--dirty", "--abbrev=10"]))?;
    let rounds = if names.iter().all(|name| name.is_one_run()) {
        "one run".to_owned()
    } else {
        format!("medians of {} interleaved rounds", rig.rounds())
    };
    let pinned = if rig.pin {
        "The servers were pinned to one core and the generators to another (`--pin`)."
    } else {
        "Nothing was pinned: servers and generators share the cores."
    };
    Ok(format!(
        "Made by `{}` on {}, at commit {}: {} cores of {}, Linux {}, loopback, release build, {}. \
         {pinned}\n",
        rig.typed(names),
        date.trim(),
        commit.trim(),
        cores,
        model(&cpuinfo),
        kernel.trim(),
        rounds,
    ))
}

fn model(cpuinfo: &str) -> &str {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": "))
        .map_or("an unnamed processor", |(_, name)| name.trim())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_processor_has_a_name() {
        let cpuinfo = "processor\t: 0\nmodel name\t: AMD EPYC 9354\nmodel name\t: other\n";
        assert_eq!(super::model(cpuinfo), "AMD EPYC 9354");
        assert_eq!(super::model(""), "an unnamed processor");
    }
}
