//! The programs that the tests need on this machine. On Debian and Ubuntu the missing ones are installed, given
//! the right to; elsewhere the error says what to install.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{say, shell};

/// A package that the tests need.
pub struct Package {
    /// Its name in Debian and Ubuntu.
    pub apt: &'static str,
    /// What of it the tests use.
    pub gives: Gives,
    /// The service that it would start, which the tests do not want: they run their own on free ports.
    pub service: Option<&'static str>,
    /// What the tests do with it.
    pub why: &'static str,
}

/// How to tell that a package is there.
pub enum Gives {
    /// A program.
    Program(&'static str),
    /// One of these modules of `python3`.
    PythonModule(&'static [&'static str]),
}

/// What the tests need. To add something, add a row.
pub const PACKAGES: &[Package] = &[
    Package {
        apt: "python3",
        gives: Gives::Program("python3"),
        service: None,
        why: "the end-to-end suite talks to the server by a client that is not ours",
    },
    Package {
        apt: "python3-venv",
        gives: Gives::PythonModule(&["ensurepip", "pip"]),
        service: None,
        why: "that client's packages live in a virtualenv below the target folder",
    },
    Package {
        apt: "redis-server",
        gives: Gives::Program("redis-server"),
        service: Some("redis-server.service"),
        why: "bus, presence and limits of the cluster backend",
    },
    Package {
        apt: "postgresql",
        gives: Gives::Program("postgres"),
        service: Some("postgresql.service"),
        why: "log, rooms and accounts of the cluster backend",
    },
    Package {
        apt: "nginx",
        gives: Gives::Program("nginx"),
        service: Some("nginx.service"),
        why: "the balancer in front of several gateways",
    },
    Package {
        apt: "faketime",
        gives: Gives::Program("faketime"),
        service: None,
        why: "its library moves the clock of one gateway among others",
    },
    Package {
        apt: "openssl",
        gives: Gives::Program("openssl"),
        service: None,
        why: "a certificate to test nginx's TLS with",
    },
    Package {
        apt: "prometheus",
        gives: Gives::Program("promtool"),
        service: Some("prometheus.service"),
        why: "checks the rules and runs their tests",
    },
    Package {
        apt: "prometheus-alertmanager",
        gives: Gives::Program("amtool"),
        service: Some("prometheus-alertmanager.service"),
        why: "checks the example of routing alerts",
    },
    Package {
        apt: "chromium",
        gives: Gives::Program("chromium"),
        service: None,
        why: "the browser that uses the web app",
    },
];

/// Makes sure that every one of [`PACKAGES`] is there: installs what is missing, or says how to.
pub fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let list = describe(&missing);
    let names: Vec<_> = missing.iter().map(|package| package.apt).collect();
    if !is_debian() || sysvinit_runs() {
        bail!(
            "the tests need programs that are not here:\n{list}\n\
             Install them, so that they are in PATH, and run this again. The names are Debian's."
        );
    }
    let Some(privilege) = Privilege::find() else {
        bail!(
            "the tests need programs that are not here:\n{list}\nInstall them, and run this again:\n  \
             sudo apt-get install --no-install-recommends {}",
            names.join(" ")
        );
    };
    say::line(format_args!(
        "installing what the tests need and this machine has not:\n{list}"
    ));
    install(&privilege, &missing, &names)?;
    let missing = self::missing();
    if !missing.is_empty() {
        bail!(
            "apt-get installed the packages, and these are still not found:\n{}",
            describe(&missing)
        );
    }
    Ok(())
}

/// Where a program of one of [`PACKAGES`] is, also one that stands beside the program that the package is known by.
pub fn program(name: &str) -> Result<PathBuf> {
    shell::find(name, &program_folders())
        .with_context(|| format!("there is no {name} here: `cargo xtask test` installs it, or says how to"))
}

fn missing() -> Vec<&'static Package> {
    PACKAGES
        .iter()
        .filter(|package| !package.gives.is_here())
        .collect()
}

fn describe(packages: &[&Package]) -> String {
    let line = |package: &&Package| match package.gives {
        Gives::Program(program) => format!("  {} (gives {program}): {}", package.apt, package.why),
        Gives::PythonModule(modules) => {
            format!(
                "  {} (gives python3 -m {}): {}",
                package.apt,
                modules.join(" or "),
                package.why
            )
        }
    };
    packages.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Gives {
    fn is_here(&self) -> bool {
        match self {
            Self::Program(program) => shell::find(program, &program_folders()).is_some(),
            Self::PythonModule(modules) => modules.iter().any(|module| {
                shell::succeeds(shell::command("python3").args(["-c", &format!("import {module}")]))
            }),
        }
    }
}

/// Where Debian keeps programs that are not in everybody's PATH: system programs, and one folder for each
/// version of Postgres.
fn program_folders() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    folders
}

fn is_debian() -> bool {
    // No such file, no such system.
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    names_debian(&release) && shell::find("apt-get", &[]).is_some()
}

/// Whether `/etc/os-release` is that of Debian, Ubuntu or a system made from them.
fn names_debian(release: &str) -> bool {
    let values = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
    values
        .flat_map(|value| value.trim_matches('"').split(' '))
        .any(|id| id == "debian" || id == "ubuntu")
}

fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Where the old init runs, nothing short of a policy for the whole machine keeps a package from starting its
/// service: there the developer installs.
fn sysvinit_runs() -> bool {
    !systemd_runs() && shell::succeeds(&mut shell::command("runlevel"))
}

/// The right to install.
enum Privilege {
    Root,
    Sudo,
}

impl Privilege {
    fn find() -> Option<Self> {
        let user = shell::read(shell::command("id").arg("-u")).unwrap_or_default();
        if user.trim() == "0" {
            Some(Self::Root)
        } else {
            shell::succeeds(shell::command("sudo").args(["-n", "true"])).then_some(Self::Sudo)
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        match self {
            Self::Root => {
                let mut command = shell::command(args[0]);
                command.args(&args[1..]);
                command
            }
            Self::Sudo => {
                let mut command = shell::command("sudo");
                command.arg("-n").args(args);
                command
            }
        }
    }
}

/// Installs without starting a service.
///
/// Debian's packages start what they bring. Under systemd they start no masked unit; a runtime mask lives in /run,
/// so that even a killed run leaves nothing behind a reboot. In a container, where no init runs, they start
/// nothing by themselves.
fn install(privilege: &Privilege, missing: &[&Package], names: &[&str]) -> Result<()> {
    let services: Vec<_> = missing.iter().filter_map(|package| package.service).collect();
    let systemd = systemd_runs() && !services.is_empty();
    let systemctl = |verb| {
        shell::run(&mut privilege.command(&[&["systemctl", verb, "--runtime"], &services[..]].concat()))
    };
    if systemd {
        systemctl("mask")?;
    }
    let installed = apt_install(privilege, names);
    if systemd {
        systemctl("unmask")?;
        say::line(format_args!(
            "{} will start with the next boot, unless you run: systemctl disable {}",
            services.join(" and "),
            services.join(" ")
        ));
    }
    installed
}

fn apt_install(privilege: &Privilege, names: &[&str]) -> Result<()> {
    let apt_get = |args: &[&str]| {
        let environment = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes"];
        shell::run(&mut privilege.command(&[&environment, args].concat()))
    };
    let install = [&["install", "--no-install-recommends"], names].concat();
    // A fresh machine has no package lists, an old one has stale ones: both fail here, and both need the update.
    if let Err(error) = apt_get(&install) {
        say::line(format_args!("{error}; trying again with fresh package lists"));
        apt_get(&["update"])?;
        apt_get(&install).context("cannot install what the tests need")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_and_what_is_made_from_it_is_recognised() {
        assert!(names_debian("NAME=\"Debian GNU/Linux\"\nID=debian\n"));
        assert!(names_debian("ID=ubuntu\nID_LIKE=debian\n"));
        assert!(names_debian("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"));
        assert!(!names_debian("ID=fedora\nVERSION_ID=42\nHOME=debian\n"));
        assert!(!names_debian(""));
    }

    #[test]
    fn a_missing_package_is_described_by_what_it_gives() {
        let redis = PACKAGES
            .iter()
            .find(|package| package.apt == "redis-server")
            .expect("a row");
        assert!(describe(&[redis]).contains("redis-server (gives redis-server): bus"));
        assert!(!Gives::Program("no-such-program-here").is_here());
    }
}
