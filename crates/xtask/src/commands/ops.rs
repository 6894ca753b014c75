//! `cargo xtask check ops`: what operators deploy, read by the programs that will read it there.
//!
//! The names of metrics in rules and dashboards are checked by a test of starling-server (`tests/observed.rs`), which
//! has a gateway with Redis and Postgres to ask.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::arrows::Graph;
use crate::{machine, python, say, shell};

/// The oldest and the newest Kubernetes that the manifests are for.
const KUBERNETES: [&str; 2] = ["1.29", "1.37"];
/// Each is rendered and validated.
const OVERLAYS: [&str; 2] = ["dev", "production"];
/// Kinds that Kubernetes has no schema for, and the one that we have.
const CUSTOM: [(&str, &str, &str); 1] = [(
    "ServiceMonitor",
    "k8s/schemas/service-monitor.json",
    "k8s/components/monitoring/service-monitor.yaml",
)];

/// Tools and a folder for what they need.
struct Bench {
    folder: PathBuf,
    python: PathBuf,
}

type Check = (&'static str, fn(&Bench) -> Result<()>);

const CHECKS: [Check; 9] = [
    ("nginx", nginx),
    ("docker compose", compose),
    ("Dockerfile", dockerfile),
    ("pinned images", images),
    ("Redis", redis),
    ("Kubernetes", kubernetes),
    ("Prometheus", prometheus),
    ("traces and Grafana", settings),
    ("k6", k6),
];

/// Runs all of them, also after one has failed.
pub(super) fn check() -> Result<()> {
    machine::ensure()?;
    let target = Graph::read()?.target_directory;
    let python = python::interpreter(&target)?;
    let folder = target.join("ops");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let bench = Bench { folder, python };
    let mut faults = Vec::new();
    for (name, check) in CHECKS {
        if let Err(error) = check(&bench) {
            faults.push(format!("{name}: {error:#}"));
        }
    }
    if !faults.is_empty() {
        bail!("\n  {}", faults.join("\n  "));
    }
    Ok(())
}

/// With and without TLS.
fn nginx(bench: &Bench) -> Result<()> {
    let nginx = machine::program("nginx")?;
    let source = shell::root().join("nginx");
    for listen in ["listen.conf", "listen.tls.conf"] {
        let folder = bench.folder.join(listen);
        installed(&source, listen, &folder)?;
        let mut test = shell::command(&nginx);
        test.args(["-t", "-q", "-e", "stderr", "-p"])
            .arg(&folder)
            .arg("-c")
            .arg(folder.join("nginx.conf"));
        shell::run(&mut test).with_context(|| format!("with {listen}"))?;
    }
    Ok(())
}

/// The configuration in a folder, as an operator installs it, with ports and gateways that every machine has.
fn installed(source: &Path, listen: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("tls"))?;
    for name in ["nginx.conf", "conf.d"] {
        symlink(source.join(name), folder.join(name))?;
    }
    let localised = |from: &str, to: &str| -> Result<()> {
        let text =
            fs::read_to_string(source.join(from)).with_context(|| format!("cannot read nginx/{from}"))?;
        Ok(fs::write(folder.join(to), localised(&text))?)
    };
    localised("upstream.conf", "upstream.conf")?;
    localised(listen, "listen.conf")?;
    let mut certificate = shell::command("openssl");
    certificate
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout"])
        .arg(folder.join("tls/privkey.pem"))
        .arg("-out")
        .arg(folder.join("tls/fullchain.pem"));
    if !shell::succeeds(&mut certificate) {
        bail!("`openssl req` cannot make a certificate to test with");
    }
    Ok(())
}

/// Ports below 1024 are root's, and the names of containers are known to Docker only.
fn localised(text: &str) -> String {
    text.replace("listen 80 ", "listen 127.0.0.1:8080 ")
        .replace("listen 443 ", "listen 127.0.0.1:8443 ")
        .replace("server gateway-", "server 127.0.0.")
}

fn compose(bench: &Bench) -> Result<()> {
    let schema = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec"];
    shell::run(bench.module(&schema).arg("docker-compose.yml"))
}

fn dockerfile(bench: &Bench) -> Result<()> {
    let hadolint = bench.python.with_file_name("hadolint");
    shell::run(shell::command(hadolint).args(["--failure-threshold", "warning", "deploy/Dockerfile"]))
}

/// An image without a tag, or with one that moves, is another one tomorrow.
fn images(_: &Bench) -> Result<()> {
    let mut files = vec!["docker-compose.yml".to_owned(), "deploy/Dockerfile".to_owned()];
    files.extend(OVERLAYS.map(|overlay| format!("k8s/overlays/{overlay}")));
    let mut faults = Vec::new();
    for file in files {
        let text = if file.starts_with("k8s") {
            render(&file)?
        } else {
            fs::read_to_string(shell::root().join(&file)).with_context(|| format!("cannot read {file}"))?
        };
        faults.extend(
            unpinned(&text)
                .into_iter()
                .map(|image| format!("{file}: {image}")),
        );
    }
    if !faults.is_empty() {
        bail!("without a fixed tag: {}", faults.join(", "));
    }
    Ok(())
}

/// The images in a Compose file, a Dockerfile or a manifest that have no tag, or one that moves.
fn unpinned(text: &str) -> Vec<&str> {
    let images = text.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("- ");
        let image = line.strip_prefix("image: ").or(line.strip_prefix("FROM "))?;
        image.split_whitespace().next()
    });
    images
        .filter(|image| {
            // The port of a registry is no tag: a tag has no slash.
            match image.rsplit_once(':') {
                Some((_, tag)) => {
                    tag.contains('/') || tag == "latest" || !tag.contains(|c: char| c.is_ascii_digit())
                }
                None => true,
            }
        })
        .collect()
}

/// Redis itself reads its file: told to listen nowhere, it stops when it has read all of it.
fn redis(_: &Bench) -> Result<()> {
    const READ: &str = "Configured to not listen anywhere";
    let mut lines = Vec::new();
    let mut redis = shell::command(machine::program("redis-server")?);
    redis.args(["deploy/redis/redis.conf", "--port", "0"]);
    shell::stream(&mut redis, |line| lines.push(line.to_owned()))?;
    if !lines.iter().any(|line| line.contains(READ)) {
        bail!("redis-server does not take deploy/redis/redis.conf");
    }
    Ok(())
}

fn kubernetes(bench: &Bench) -> Result<()> {
    for overlay in OVERLAYS {
        let file = bench.folder.join(format!("{overlay}.yaml"));
        fs::write(&file, render(&format!("k8s/overlays/{overlay}"))?)?;
        for version in KUBERNETES {
            bench.validate(&file, version)?;
        }
    }
    for (_, schema, file) in CUSTOM {
        shell::run(
            bench
                .module(&["check_jsonschema", "--schemafile", schema])
                .arg(file),
        )?;
    }
    Ok(())
}

fn render(folder: &str) -> Result<String> {
    let kubectl = shell::find("kubectl", &[]).context(
        "there is no kubectl here: install 1.27 or later (Debian 13's package is kubernetes-client; that of Debian 12 \
         is too old)",
    )?;
    shell::read(shell::command(kubectl).args(["kustomize", folder]))
}

impl Bench {
    /// `python -m …`
    fn module(&self, args: &[&str]) -> std::process::Command {
        let mut command = shell::command(&self.python);
        command.arg("-m").args(args);
        command
    }

    /// Strictly: a field that Kubernetes does not know is a fault, and so is a kind that nobody has a schema for.
    fn validate(&self, file: &Path, version: &str) -> Result<()> {
        let mut lines = Vec::new();
        let mut validate = self.module(&["kubernetes_validate", "--strict", "--kubernetes-version", version]);
        let status = shell::stream(validate.arg(file), |line| lines.push(line.to_owned()))?;
        let unknown = unknown_kinds(&lines);
        if !status.success() || !unknown.is_empty() {
            let unknown = unknown.join(", ");
            bail!(
                "{} is not valid for Kubernetes {version}; unknown kinds: [{unknown}]",
                file.display()
            );
        }
        Ok(())
    }
}

/// The kinds that were passed over for want of a schema, and that we have none for either.
fn unknown_kinds(lines: &[String]) -> Vec<&str> {
    let kinds = lines.iter().filter_map(|line| {
        let (_, rest) = line.split_once("find schema for kind ")?;
        rest.split(' ').next()
    });
    kinds
        .filter(|kind| CUSTOM.iter().all(|(known, ..)| known != kind))
        .collect()
}

fn prometheus(_: &Bench) -> Result<()> {
    let (promtool, amtool) = (machine::program("promtool")?, machine::program("amtool")?);
    shell::run(shell::command(&promtool).args(["check", "config", "deploy/prometheus/prometheus.yml"]))?;
    shell::run(shell::command(&promtool).args(["test", "rules", "deploy/prometheus/tests/alerts.yml"]))?;
    shell::run(shell::command(&amtool).args(["check-config", "deploy/alertmanager/alertmanager.yml"]))?;
    say::line("promtool took the rules and their tests");
    Ok(())
}

/// Files whose own programs no package registry has: held to schemas of ours, which know what we use of them.
fn settings(bench: &Bench) -> Result<()> {
    let rows: [(&str, &[&str]); 3] = [
        ("otel-collector", &["otel-collector/config.yml"]),
        ("tempo", &["tempo/config.yml"]),
        (
            "grafana",
            &[
                "grafana/provisioning/datasources/starling.yml",
                "grafana/provisioning/dashboards/starling.yml",
            ],
        ),
    ];
    for (schema, files) in rows {
        let schema = format!("deploy/schemas/{schema}.json");
        let mut check = bench.module(&["check_jsonschema", "--schemafile", &schema]);
        check.args(files.iter().map(|file| format!("deploy/{file}")));
        shell::run(&mut check)?;
    }
    Ok(())
}

/// Every scenario is compiled with what it imports, and its options are read.
fn k6(bench: &Bench) -> Result<()> {
    let k6 = bench.python.with_file_name("k6");
    for entry in fs::read_dir(shell::root().join("loadtest/k6"))? {
        let file = entry?.path();
        if file.extension().is_some_and(|ending| ending == "js") {
            let mut inspect = shell::command(&k6);
            shell::read(inspect.args(["inspect", "--env", "SECRET=none"]).arg(file))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_fixed_tag_is_found() {
        let text = "FROM rust:1.95.0-slim AS build\n  image: redis\n  - image: redis:latest\n    image: a.example:5000/x\n\
                    image: a.example:5000/x:1.2\nimage: starling:${STARLING_VERSION:-0.1.0}\nimage: postgres:alpine\n";
        assert_eq!(
            unpinned(text),
            ["redis", "redis:latest", "a.example:5000/x", "postgres:alpine"]
        );
    }

    #[test]
    fn a_kind_that_nobody_validates_is_found() {
        let lines = [
            "INFO a.yaml passed for resource service/starling against version 1.32",
            "WARN a.yaml Couldn't find schema for kind ServiceMonitor with api version monitoring.coreos.com/v1",
            "WARN a.yaml Couldn't find schema for kind Deploymnt with api version apps/v1",
        ];
        assert_eq!(unknown_kinds(&lines.map(str::to_owned)), ["Deploymnt"]);
    }

    #[test]
    fn a_configuration_is_tested_on_ports_and_names_that_every_machine_has() {
        assert_eq!(
            localised("listen 80 reuseport;\nlisten 443 ssl;\nserver gateway-2:8080 max_fails=1;\n"),
            "listen 127.0.0.1:8080 reuseport;\nlisten 127.0.0.1:8443 ssl;\nserver 127.0.0.2:8080 max_fails=1;\n"
        );
    }

    /// Not a test of nginx: of this check, which must not pass over what nginx says.
    #[test]
    fn a_broken_configuration_is_refused() {
        let nginx = machine::program("nginx").expect("`cargo xtask test` installs it");
        let folder = std::env::temp_dir().join(format!("starling-ops-{}", std::process::id()));
        let take = |text: &str| {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join("nginx.conf"), text).expect("a file");
            let mut test = shell::command(&nginx);
            test.args(["-t", "-q", "-e", "stderr", "-p"]).arg(&folder);
            shell::succeeds(test.arg("-c").arg(folder.join("nginx.conf")))
        };
        let wrong = take("pid nginx.pid; events {} http { least_conn; }");
        fs::remove_dir_all(&folder).expect("it was ours");
        assert!(!wrong);
    }
}
