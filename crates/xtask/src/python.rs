//! Our Python: a virtualenv with the packages that the end-to-end suite and `cargo xtask check ops` pin.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{say, shell};

/// The environment variable that tells the tests which interpreter to start.
pub const VARIABLE: &str = "STARLING_TEST_PYTHON";

const REQUIREMENTS: [&str; 2] = [
    "crates/starling-server/tests/python/requirements.txt",
    "crates/xtask/ops-requirements.txt",
];

/// Makes the virtualenv, unless it is there and fresh, and returns its interpreter.
pub fn interpreter(target: &Path) -> Result<PathBuf> {
    let mut wanted = String::new();
    for file in REQUIREMENTS {
        let text = std::fs::read_to_string(shell::root().join(file));
        wanted.push_str(&text.with_context(|| format!("cannot read {file}"))?);
    }
    let folder = target.join("python-venv");
    let stamp = folder.join("installed.txt");
    let python = folder.join("bin/python");
    // The interpreter of a virtualenv is a link: it dies with the system's.
    let alive = shell::succeeds(shell::command(&python).args(["-c", "pass"]));
    if !alive || std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        make(&folder, &python)?;
        std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(python)
}

fn make(folder: &Path, python: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let venv = |args: &[&str]| {
        shell::run(
            shell::command("python3")
                .args(["-m", "venv"])
                .args(args)
                .arg(folder),
        )
        .context("cannot make a Python virtualenv")
    };
    if shell::succeeds(shell::command("python3").args(["-c", "import ensurepip"])) {
        venv(&[])?;
        return shell::run(&mut pip(python));
    }
    // A python3 without ensurepip makes a virtualenv without pip; the system's pip fills it from outside.
    say::line("python3 has no ensurepip: installing with the system's pip");
    venv(&["--without-pip"])?;
    let ask = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let site = shell::read(shell::command(python).args(["-c", ask]))?;
    shell::run(pip(Path::new("python3")).args(["--target", site.trim()]))
}

fn pip(python: &Path) -> Command {
    let mut pip = shell::command(python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]);
    for file in REQUIREMENTS {
        pip.args(["-r", file]);
    }
    pip
}
