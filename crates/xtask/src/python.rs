//! The Python of the end-to-end suite: a virtualenv with the packages that the suite pins.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{say, shell};

/// The environment variable that tells the tests which interpreter to start.
pub const VARIABLE: &str = "STARLING_TEST_PYTHON";

const REQUIREMENTS: &str = "crates/starling-server/tests/python/requirements.txt";

/// Makes the virtualenv, unless it is there and fresh, and returns its interpreter. `None` where the suite pins
/// nothing.
pub fn interpreter(target: &Path) -> Result<Option<PathBuf>> {
    let file = shell::root().join(REQUIREMENTS);
    if !file.is_file() {
        return Ok(None);
    }
    let wanted = std::fs::read_to_string(&file).with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let folder = target.join("python-venv");
    let stamp = folder.join("installed.txt");
    let python = folder.join("bin/python");
    // The interpreter of a virtualenv is a link: it dies with the system's.
    let alive = shell::succeeds(shell::command(&python).args(["-c", "pass"]));
    if !alive || std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        make(&folder, &python, &file)?;
        std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(Some(python))
}

fn make(folder: &Path, python: &Path, requirements: &Path) -> Result<()> {
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
        return shell::run(pip(python).arg("-r").arg(requirements));
    }
    // A python3 without ensurepip makes a virtualenv without pip; the system's pip fills it from outside.
    say::line("python3 has no ensurepip: installing with the system's pip");
    venv(&["--without-pip"])?;
    let ask = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let site = shell::read(shell::command(python).args(["-c", ask]))?;
    shell::run(
        pip(Path::new("python3"))
            .args(["--target", site.trim(), "-r"])
            .arg(requirements),
    )
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
    pip
}
