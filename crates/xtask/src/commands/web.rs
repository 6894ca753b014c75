//! `cargo xtask web`: builds the web app and puts it where the gateway includes it from.
//!
//! What is shipped is committed, so that `cargo build` needs no Node.js. A stamp beside it names the sources that it was
//! built from; `--check` compares it with the sources of now, which needs no Node.js either.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{say, shell};

/// Build the web app into the gateway.
#[derive(clap::Args)]
pub struct Args {
    /// Fail when what is shipped is stale, and build nothing
    #[arg(long)]
    check: bool,
    /// Build with the packages that are installed, without `npm ci`
    #[arg(long, conflicts_with = "check")]
    installed: bool,
}

/// The command that ships the app anew.
const REBUILD: &str = "cargo xtask web";
/// The npm workspaces.
const CLIENTS: &str = "clients";
/// The packages that make the app, in the order in which they are built.
const PACKAGES: [&str; 3] = ["@starling/client", "@starling/react", "@starling/web"];
const BUILT: &str = "clients/web/dist";
const SHIPPED: &str = "crates/starling-gateway/web";
const STAMP: &str = "stamp";
/// The table of the shipped files, in Rust.
const TABLE: &str = "crates/starling-gateway/src/http/web/files.rs";
/// What the app is made from, as git names it. Its packages are in [`LOCK`].
const SOURCES: [&str; 12] = [
    "clients/tsconfig.base.json",
    "clients/client/src",
    "clients/client/package.json",
    "clients/client/tsdown.config.ts",
    "clients/react/src",
    "clients/react/package.json",
    "clients/react/tsdown.config.ts",
    "clients/web/src",
    "clients/web/index.html",
    "clients/web/package.json",
    "clients/web/tsconfig.json",
    "clients/web/vite.config.ts",
];
const LOCK: &str = "clients/package-lock.json";
/// Development packages that the result depends on all the same.
const BUILDERS: [&str; 5] = [
    "vite",
    "rolldown",
    "tsdown",
    "lightningcss",
    "@vitejs/plugin-react",
];

/// Builds and ships, or checks.
pub fn run(args: &Args) -> Result<ExitCode> {
    if args.check {
        check()?;
        say::line("web: up to date");
    } else {
        build(args.installed)?;
        ship()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails when the shipped files are not those of the present sources.
pub fn check() -> Result<()> {
    let path = shell::root().join(SHIPPED).join(STAMP);
    let stamp = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {SHIPPED}/{STAMP}; make it by `{REBUILD}`"))?;
    if stamp != stamp_of(&shipped()?)? {
        bail!("the web app in {SHIPPED} is not built from the present sources; build it by `{REBUILD}`");
    }
    let table = std::fs::read_to_string(shell::root().join(TABLE));
    if table.ok() != Some(table_of(&shipped()?)?) {
        bail!("{TABLE} is stale; make it again by `{REBUILD}`");
    }
    Ok(())
}

fn build(installed: bool) -> Result<()> {
    if shell::find("npm", &[]).is_none() {
        bail!("the web app is built by npm: install Node.js 20.19 or later, and run this again");
    }
    let npm = |args: &[&str]| {
        let mut npm = shell::command("npm");
        npm.args(args).current_dir(shell::root().join(CLIENTS));
        shell::run(&mut npm)
    };
    if !installed {
        npm(&["ci"])?;
    }
    for package in PACKAGES {
        npm(&["run", "build", "--workspace", package])?;
    }
    Ok(())
}

/// Replaces the shipped files by those that were built.
fn ship() -> Result<()> {
    let (from, to) = (shell::root().join(BUILT), shell::root().join(SHIPPED));
    if to.is_dir() {
        std::fs::remove_dir_all(&to).with_context(|| format!("cannot empty {SHIPPED}"))?;
    }
    for path in files_below(&from)? {
        let target = to.join(&path);
        std::fs::create_dir_all(target.parent().unwrap_or(&to))?;
        std::fs::copy(from.join(&path), &target).with_context(|| format!("cannot copy {path}"))?;
    }
    let files = shipped()?;
    std::fs::write(shell::root().join(TABLE), table_of(&files)?)
        .with_context(|| format!("cannot write {TABLE}"))?;
    std::fs::write(to.join(STAMP), stamp_of(&files)?)
        .with_context(|| format!("cannot write {SHIPPED}/{STAMP}"))?;
    say::line(format_args!("shipped {} files in {SHIPPED}", files.len()));
    Ok(())
}

/// Paths of the shipped files, without the stamp.
fn shipped() -> Result<Vec<String>> {
    let mut files = files_below(&shell::root().join(SHIPPED))?;
    files.retain(|path| path != STAMP);
    Ok(files)
}

/// Paths of all files below a folder, relative to it, sorted.
fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        let path = folder.join(&inner);
        let entries = std::fs::read_dir(&path).with_context(|| format!("cannot list {}", path.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                let path = path.to_str().context("a file has a name that is not UTF-8")?;
                found.push(path.replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What the stamp says: one hash of the sources, and one of each shipped file.
fn stamp_of(files: &[String]) -> Result<String> {
    let mut stamp = format!("{}  sources\n", sources()?);
    for path in files {
        let content = read(&shell::root().join(SHIPPED).join(path))?;
        writeln!(stamp, "{}  {path}", hex(&Sha256::digest(content)))?;
    }
    Ok(stamp)
}

/// One hash of everything that the app is made from.
fn sources() -> Result<String> {
    let listed = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
    ];
    let files = shell::read(shell::command("git").args(listed).args(SOURCES))?;
    let mut paths: Vec<_> = files.split_terminator('\0').collect();
    paths.sort_unstable();
    paths.dedup();
    let mut hash = Sha256::new();
    for path in paths {
        let file = shell::root().join(path);
        // A deleted file is listed until the deletion is committed.
        if !file.is_file() {
            continue;
        }
        let content = read(&file)?;
        hash.update(format!("{path}\0{}\0", content.len()));
        hash.update(content);
    }
    let lock = serde_json::from_slice(&read(&shell::root().join(LOCK))?)
        .with_context(|| format!("cannot read {LOCK}"))?;
    hash.update(packages(&lock));
    Ok(hex(&hash.finalize()))
}

/// The packages that end up in the app or make it, and their versions. Tools for tests change nothing.
fn packages(lock: &Value) -> String {
    let entries = lock["packages"].as_object().into_iter().flatten();
    entries
        .filter_map(|(path, package)| {
            let name = path.strip_prefix("node_modules/")?;
            let is_used = package["dev"] != true && package["link"] != true;
            let version = package["version"].as_str()?;
            (is_used || BUILDERS.contains(&name)).then(|| format!("{name}@{version}\n"))
        })
        .collect()
}

/// The table in Rust, formatted as rustfmt does.
fn table_of(files: &[String]) -> Result<String> {
    let mut table = "//! The shipped files. Written by `cargo xtask web`.\n\n\
                     use super::File;\n\n\
                     pub(super) const FILES: &[File] = &[\n"
        .to_owned();
    let is_coded = |path: &&String| path.ends_with(".gz") || path.ends_with(".br");
    for path in files.iter().filter(|path| !is_coded(path)) {
        let content = read(&shell::root().join(SHIPPED).join(path))?;
        let etag = hex(&Sha256::digest(content)[..8]);
        write!(
            table,
            "    File {{\n        path: \"{path}\",\n        etag: \"{etag}\",\n"
        )?;
        for (field, ending) in [("identity", ""), ("gzip", ".gz"), ("brotli", ".br")] {
            let included = format!("include_bytes!(\"../../../web/{path}{ending}\")");
            writeln!(table, "        {field}: {included},")?;
        }
        table.push_str("    },\n");
    }
    table.push_str("];\n");
    Ok(table)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_shipped_is_built_from_the_present_sources() {
        check().unwrap();
    }

    #[test]
    fn only_packages_that_make_the_app_count() {
        let lock = json!({ "packages": {
            "": { "version": "0.1.0" },
            "node_modules/react": { "version": "19.0.0" },
            "node_modules/vite": { "version": "8.0.0", "dev": true },
            "node_modules/vitest": { "version": "4.0.0", "dev": true },
            "node_modules/@starling/web": { "link": true },
        }});
        assert_eq!(packages(&lock), "react@19.0.0\nvite@8.0.0\n");
    }
}
