//! The queries and variables in the files that operators deploy.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

/// A query and where it stands.
pub(crate) struct Query {
    pub(crate) place: String,
    pub(crate) text: String,
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// A file of the repository.
pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every query of every panel, with Grafana's own variables filled in.
pub(crate) fn dashboards() -> Vec<Query> {
    let mut queries = Vec::new();
    for entry in fs::read_dir(path("deploy/grafana/dashboards")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let dashboard: Value =
            serde_json::from_str(&read(&format!("deploy/grafana/dashboards/{name}"))).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                queries.push(Query {
                    place: format!("{name}, {}", panel["title"]),
                    text: target["expr"].as_str().unwrap().replace("$__rate_interval", "5m"),
                });
            }
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            let query = variable["definition"].as_str().unwrap();
            // Grafana's own function: label_values(series, label).
            let series = query
                .strip_prefix("label_values(")
                .unwrap()
                .rsplit_once(',')
                .unwrap()
                .0;
            queries.push(Query {
                place: format!("{name}, variable {}", variable["name"]),
                text: series.to_owned(),
            });
        }
    }
    queries
}

/// A file of rules. promtool reads them in CI; here only their names and queries are taken out.
pub(crate) struct Rules {
    pub(crate) names: Vec<String>,
    pub(crate) queries: Vec<Query>,
}

impl Rules {
    pub(crate) fn read(name: &str) -> Self {
        let text = read(&format!("deploy/prometheus/rules/{name}"));
        let mut rules = Self {
            names: Vec::new(),
            queries: Vec::new(),
        };
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let line = line.trim().trim_start_matches("- ");
            if let Some(name) = line.strip_prefix("alert: ").or(line.strip_prefix("record: ")) {
                rules.names.push(name.to_owned());
            }
            let Some(first) = line.strip_prefix("expr: ") else {
                continue;
            };
            let mut query = first.trim_start_matches('|').to_owned();
            // A block: all lines that are indented deeper than the key.
            while let Some(more) = lines.next_if(|line| first == "|" && line.starts_with("          ")) {
                query.push_str(more);
            }
            rules.queries.push(Query {
                place: format!("{name}, {}", rules.names.last().unwrap()),
                text: query,
            });
        }
        assert!(!rules.names.is_empty(), "{name} has no rules");
        assert_eq!(
            rules.names.len(),
            rules.queries.len(),
            "{name}: a rule without a query"
        );
        rules
    }
}

/// The files that configure gateways by variables, and those that tell operators to.
pub(crate) const SETTING: [&str; 8] = [
    "docker-compose.yml",
    "deploy/Dockerfile",
    "k8s/base/kustomization.yaml",
    "k8s/base/deployment.yaml",
    "k8s/overlays/dev/kustomization.yaml",
    "k8s/overlays/production/kustomization.yaml",
    "loadtest/README.md",
    "loadtest/k6/README.md",
];

/// The variables of keys in a text; only those of a section, for others may be the deployment's own.
pub(crate) fn variables_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("STARLING_") && word.contains("__"))
}

/// The variables of all keys in the example configuration.
pub(crate) fn variables_of_keys(example: &str) -> BTreeSet<String> {
    let (mut section, mut variables) = (String::new(), BTreeSet::new());
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_ascii_uppercase();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            variables.insert(format!("STARLING_{section}__{}", key.to_ascii_uppercase()));
        }
    }
    variables
}
