//! The arrows of the architecture: this workspace keeps them, and the checker can tell when one does not.

use xtask::arrows::graph::{Edge, Graph, Kind, Member, Resolved};
use xtask::arrows::{RULES, violations};

#[test]
fn this_workspace_keeps_the_rules() {
    let graph = Graph::read().expect("cargo metadata");
    assert!(graph.is_member("starling-core") && graph.resolved.len() > graph.members.len());
    assert_eq!(violations(&graph, &RULES), Vec::<String>::new());
}

/// A made-up workspace of crates and `(name, section)` edges; others' packages are resolved as they are named.
fn made_up(crates: &[(&str, &[(&str, Kind)])]) -> Graph {
    let member = |&(name, edges): &(&str, &[(&str, Kind)])| Member {
        name: name.to_owned(),
        id: name.to_owned(),
        direct: edges
            .iter()
            .map(|&(to, kind)| Edge {
                name: to.to_owned(),
                kind,
            })
            .collect(),
    };
    let mut graph = Graph {
        members: crates.iter().map(member).collect(),
        ..Graph::default()
    };
    for (name, edges) in crates {
        for name in std::iter::once(name).chain(edges.iter().map(|(to, _)| to)) {
            if !graph.resolved.iter().any(|package| package.name == *name) {
                graph.resolved.push(package(name));
            }
        }
    }
    for (name, edges) in crates {
        for (to, _) in edges.iter().filter(|(_, kind)| *kind != Kind::Dev) {
            build(&mut graph, name, to);
        }
    }
    graph
}

fn package(name: &str) -> Resolved {
    Resolved {
        name: name.to_owned(),
        features: Vec::new(),
        built_from: Vec::new(),
    }
}

fn build(graph: &mut Graph, from: &str, to: &str) {
    let place = |name: &str| {
        graph
            .resolved
            .iter()
            .position(|package| package.name == name)
            .expect(name)
    };
    let (from, to) = (place(from), place(to));
    graph.resolved[from].built_from.push(to);
}

/// The one violation of a made-up workspace.
fn violation(graph: &Graph) -> String {
    let found = violations(graph, &RULES);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("one")
}

#[test]
fn the_architecture_itself_is_allowed() {
    use Kind::{Dev, Normal};
    let graph = made_up(&[
        ("starling-core", &[]),
        ("starling-protocol", &[("starling-core", Normal)]),
        (
            "starling-embedded",
            &[
                ("starling-core", Normal),
                ("starling-testkit", Dev),
                ("rusqlite", Normal),
                ("tokio", Normal),
            ],
        ),
        (
            "starling-cluster",
            &[
                ("starling-core", Normal),
                ("starling-testkit", Dev),
                ("fred", Normal),
                ("tokio-postgres", Normal),
                ("deadpool-postgres", Normal),
            ],
        ),
        (
            "starling-gateway",
            &[
                ("starling-core", Normal),
                ("starling-protocol", Normal),
                ("starling-embedded", Dev),
            ],
        ),
        (
            "starling-server",
            &[
                ("starling-embedded", Normal),
                ("starling-cluster", Normal),
                ("starling-gateway", Normal),
                ("starling-loadtest", Dev),
                ("anyhow", Normal),
            ],
        ),
        (
            "starling-testkit",
            &[("starling-protocol", Normal), ("tokio-postgres", Normal)],
        ),
        (
            "starling-loadtest",
            &[("starling-protocol", Normal), ("anyhow", Normal)],
        ),
        ("xtask", &[("anyhow", Normal)]),
    ]);
    assert_eq!(violations(&graph, &RULES), Vec::<String>::new());
}

#[test]
fn an_arrow_upwards_is_found() {
    let graph = made_up(&[
        ("starling-core", &[]),
        (
            "starling-embedded",
            &[
                ("starling-core", Kind::Normal),
                ("starling-gateway", Kind::Normal),
            ],
        ),
        ("starling-gateway", &[]),
    ]);
    let text = violation(&graph);
    assert!(
        text.starts_with("starling-embedded must not depend on starling-gateway ([dependencies])"),
        "{text}"
    );
}

#[test]
fn a_development_arrow_is_not_allowed_in_the_shipped_crate() {
    for kind in [Kind::Normal, Kind::Build] {
        let graph = made_up(&[
            ("starling-gateway", &[("starling-embedded", kind)]),
            ("starling-embedded", &[("starling-testkit", kind)]),
            ("starling-testkit", &[]),
        ]);
        let found = violations(&graph, &RULES);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found.iter().all(|text| text.contains(kind.section())),
            "{found:?}"
        );
    }
}

#[test]
fn a_crate_without_a_row_is_found() {
    let text = violation(&made_up(&[("starling-extras", &[])]));
    assert!(text.starts_with("starling-extras has no row"), "{text}");
}

#[test]
fn a_driver_outside_its_crate_is_found_in_every_section() {
    let cases = [
        ("starling-gateway", "fred", Kind::Normal),
        ("starling-gateway", "tokio-postgres", Kind::Dev),
        ("starling-server", "deadpool-postgres", Kind::Normal),
        ("starling-cluster", "rusqlite", Kind::Build),
        ("starling-embedded", "anyhow", Kind::Normal),
    ];
    for (from, to, kind) in cases {
        let text = violation(&made_up(&[(from, &[(to, kind)])]));
        assert!(
            text.starts_with(&format!("{from} must not depend on {to} ({})", kind.section())),
            "{text}"
        );
    }
}

#[test]
fn a_runtime_below_the_ports_is_found_with_its_path() {
    let mut graph = made_up(&[("starling-core", &[("helper", Kind::Normal)])]);
    graph.resolved.extend([package("other"), package("tokio")]);
    build(&mut graph, "helper", "other");
    build(&mut graph, "other", "helper");
    assert_eq!(violations(&graph, &RULES), Vec::<String>::new());
    build(&mut graph, "other", "tokio");
    let text = violation(&graph);
    assert!(
        text.contains("starling-core -> helper -> other -> tokio"),
        "{text}"
    );
}

#[test]
fn openssl_anywhere_is_found_with_its_user() {
    let mut graph = made_up(&[("starling-server", &[("fetcher", Kind::Normal)])]);
    graph.resolved.push(package("openssl-sys"));
    build(&mut graph, "fetcher", "openssl-sys");
    let text = violation(&graph);
    assert!(
        text.starts_with("openssl-sys is in the graph (used by fetcher)"),
        "{text}"
    );
}

#[test]
fn a_token_library_with_no_backend_or_two_is_found() {
    for (features, faults) in [
        (&["use_pem"][..], 1),
        (&["aws_lc_rs", "rust_crypto"], 1),
        (&["aws_lc_rs", "use_pem"], 0),
    ] {
        let mut graph = made_up(&[("starling-server", &[])]);
        let features = features.iter().map(|&feature| feature.to_owned()).collect();
        graph.resolved.push(Resolved {
            features,
            ..package("jsonwebtoken")
        });
        assert_eq!(violations(&graph, &RULES).len(), faults);
    }
}

#[test]
fn metadata_is_read_with_sections_features_and_edges() {
    let text = r#"{
        "packages": [
            {"name": "a", "id": "path+file:///a", "dependencies": [
                {"name": "b", "kind": null}, {"name": "c", "kind": "dev"}, {"name": "d", "kind": "build"}]},
            {"name": "b", "id": "b-id", "dependencies": []},
            {"name": "c", "id": "c-id", "dependencies": []}
        ],
        "workspace_members": ["path+file:///a"],
        "target_directory": "/t",
        "resolve": {"nodes": [
            {"id": "path+file:///a", "features": [], "deps": [
                {"pkg": "b-id", "dep_kinds": [{"kind": "dev"}, {"kind": null}]},
                {"pkg": "c-id", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b-id", "features": ["x"], "deps": []},
            {"id": "c-id", "features": [], "deps": []}
        ]}
    }"#;
    let graph = Graph::parse(text).expect("metadata");
    let kinds: Vec<_> = graph.members[0].direct.iter().map(|edge| edge.kind).collect();
    assert_eq!(kinds, [Kind::Normal, Kind::Dev, Kind::Build]);
    assert_eq!(graph.path("a", "b"), Some(vec!["a", "b"]));
    assert_eq!(
        graph.path("a", "c"),
        None,
        "a development dependency is not built in"
    );
    assert_eq!(graph.resolved[1].features, ["x"]);
}
