//! Which crate may depend on which: the boundaries that the architecture rests on, checked over `cargo metadata`.
//!
//! The rules are data ([`rules::RULES`]); [`violations`] compares them with a [`Graph`]. Direct edges are those
//! that a crate's manifest declares, for every platform and with every optional dependency; what a crate drags
//! in is read from the resolved graph.

pub mod graph;
pub mod rules;

use std::collections::BTreeSet;

pub use graph::{Graph, Kind};
pub use rules::{RULES, Rules};

/// Every edge and package of `graph` that `rules` do not allow, one sentence each; empty when all is well.
pub fn violations(graph: &Graph, rules: &Rules) -> Vec<String> {
    let mut found = Vec::new();
    internal_edges(graph, rules, &mut found);
    confined_packages(graph, rules, &mut found);
    unreachable_packages(graph, rules, &mut found);
    banned_packages(graph, rules, &mut found);
    exclusive_features(graph, rules, &mut found);
    found
}

fn internal_edges(graph: &Graph, rules: &Rules, found: &mut Vec<String>) {
    for member in &graph.members {
        let Some(rule) = rules.crates.iter().find(|rule| rule.name == member.name) else {
            found.push(format!(
                "{} has no row in the table of crates: add one",
                member.name
            ));
            continue;
        };
        for edge in member.direct.iter().filter(|edge| graph.is_member(&edge.name)) {
            let to = edge.name.as_str();
            let allowed = rule.normal.contains(&to) || (edge.kind == Kind::Dev && rule.dev.contains(&to));
            if !allowed {
                found.push(format!(
                    "{} must not depend on {to} ({}): {}",
                    member.name,
                    edge.kind.section(),
                    rule.why
                ));
            }
        }
    }
}

fn confined_packages(graph: &Graph, rules: &Rules, found: &mut Vec<String>) {
    for member in &graph.members {
        for rule in rules
            .confined
            .iter()
            .filter(|rule| !rule.only_in.contains(&member.name.as_str()))
        {
            for edge in member.direct.iter().filter(|edge| edge.name == rule.package) {
                found.push(format!(
                    "{} must not depend on {} ({}): {}",
                    member.name,
                    rule.package,
                    edge.kind.section(),
                    rule.why
                ));
            }
        }
    }
}

fn unreachable_packages(graph: &Graph, rules: &Rules, found: &mut Vec<String>) {
    for rule in rules.unreachable {
        if let Some(path) = graph.path(rule.from, rule.package) {
            found.push(format!(
                "{} drags in {}: {}: {}",
                rule.from,
                rule.package,
                path.join(" -> "),
                rule.why
            ));
        }
    }
}

fn banned_packages(graph: &Graph, rules: &Rules, found: &mut Vec<String>) {
    let names: BTreeSet<_> = graph
        .resolved
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    for rule in rules.banned.iter().filter(|rule| names.contains(rule.package)) {
        let users: Vec<_> = graph.users(rule.package).collect();
        found.push(format!(
            "{} is in the graph (used by {}): {}",
            rule.package,
            users.join(", "),
            rule.why
        ));
    }
}

fn exclusive_features(graph: &Graph, rules: &Rules, found: &mut Vec<String>) {
    for rule in rules.exclusive {
        for package in graph
            .resolved
            .iter()
            .filter(|package| package.name == rule.package)
        {
            let on: Vec<_> = rule
                .features
                .iter()
                .copied()
                .filter(|f| package.features.iter().any(|g| g == f))
                .collect();
            if on.len() != 1 {
                found.push(format!(
                    "{} must have exactly one of the features {}, and has [{}]: {}",
                    rule.package,
                    rule.features.join(", "),
                    on.join(", "),
                    rule.why
                ));
            }
        }
    }
}
