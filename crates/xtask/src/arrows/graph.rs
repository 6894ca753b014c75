//! The dependency graph, as `cargo metadata` tells it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::shell;

/// The workspace's crates and everything they resolve to.
#[derive(Debug, Default)]
pub struct Graph {
    /// Our own crates.
    pub members: Vec<Member>,
    /// Every package of the build, ours and others', on every platform.
    pub resolved: Vec<Resolved>,
    /// Where cargo builds.
    pub target_directory: PathBuf,
}

/// One of our crates and what its manifest names.
#[derive(Debug)]
pub struct Member {
    /// The package's name.
    pub name: String,
    /// The package's id, as cargo's messages call it.
    pub id: String,
    /// What the manifest names, optional dependencies included.
    pub direct: Vec<Edge>,
}

/// A dependency that a manifest names.
#[derive(Debug)]
pub struct Edge {
    /// The package that is depended on.
    pub name: String,
    /// The section it stands in.
    pub kind: Kind,
}

/// The section of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `[dependencies]`
    Normal,
    /// `[dev-dependencies]`
    Dev,
    /// `[build-dependencies]`
    Build,
}

impl Kind {
    /// The section's title.
    pub fn section(self) -> &'static str {
        match self {
            Self::Normal => "[dependencies]",
            Self::Dev => "[dev-dependencies]",
            Self::Build => "[build-dependencies]",
        }
    }

    fn from_metadata(kind: Option<&str>) -> Self {
        match kind {
            Some("dev") => Self::Dev,
            Some("build") => Self::Build,
            _ => Self::Normal,
        }
    }
}

/// A package of the build.
#[derive(Debug)]
pub struct Resolved {
    /// The package's name; two versions of it are two of these.
    pub name: String,
    /// The features that are on.
    pub features: Vec<String>,
    /// What it is built from, as positions in [`Graph::resolved`]; development dependencies are left out.
    pub built_from: Vec<usize>,
}

impl Graph {
    /// Asks cargo for the graph of this workspace.
    pub fn read() -> Result<Self> {
        let text = shell::read(&mut shell::cargo([
            "metadata",
            "--format-version",
            "1",
            "--locked",
        ]))?;
        Self::parse(&text)
    }

    /// Reads the output of `cargo metadata`.
    pub fn parse(text: &str) -> Result<Self> {
        let metadata: Metadata = serde_json::from_str(text).context("cannot read `cargo metadata`")?;
        let nodes = metadata
            .resolve
            .context("`cargo metadata` resolved nothing")?
            .nodes;
        let places: BTreeMap<_, _> = nodes
            .iter()
            .enumerate()
            .map(|(place, node)| (node.id.clone(), place))
            .collect();
        let names: BTreeMap<_, _> = metadata
            .packages
            .iter()
            .map(|package| (package.id.clone(), package.name.clone()))
            .collect();
        let place = |id: &str| {
            places
                .get(id)
                .copied()
                .with_context(|| format!("{id} is not resolved"))
        };
        let mut resolved = Vec::with_capacity(nodes.len());
        for node in nodes {
            let name = names
                .get(&node.id)
                .cloned()
                .with_context(|| format!("{} has no package", node.id))?;
            let built = node.deps.iter().filter(|dep| {
                dep.dep_kinds
                    .iter()
                    .any(|kind| Kind::from_metadata(kind.kind.as_deref()) != Kind::Dev)
            });
            let built_from = built.map(|dep| place(&dep.pkg)).collect::<Result<_>>()?;
            resolved.push(Resolved {
                name,
                features: node.features,
                built_from,
            });
        }
        let ours = |package: &Package| metadata.workspace_members.contains(&package.id);
        let members = metadata
            .packages
            .into_iter()
            .filter(ours)
            .map(Member::from)
            .collect();
        Ok(Self {
            members,
            resolved,
            target_directory: metadata.target_directory,
        })
    }

    /// Whether a crate is one of ours.
    pub fn is_member(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// The packages that are built from `package`.
    pub fn users<'a>(&'a self, package: &'a str) -> impl Iterator<Item = &'a str> {
        let uses = move |user: &&Resolved| {
            user.built_from
                .iter()
                .any(|&to| self.resolved[to].name == package)
        };
        self.resolved.iter().filter(uses).map(|user| user.name.as_str())
    }

    /// The shortest path by which `from` is built from `to`, both ends included.
    pub fn path(&self, from: &str, to: &str) -> Option<Vec<&str>> {
        let start = self.resolved.iter().position(|package| package.name == from)?;
        let mut came_from = BTreeMap::from([(start, start)]);
        let mut queue = VecDeque::from([start]);
        while let Some(here) = queue.pop_front() {
            if self.resolved[here].name == to {
                let mut path = vec![here];
                while let Some(&before) = path.last().and_then(|last| came_from.get(last)) {
                    if path.last() == Some(&before) {
                        break;
                    }
                    path.push(before);
                }
                return Some(
                    path.iter()
                        .rev()
                        .map(|&place| self.resolved[place].name.as_str())
                        .collect(),
                );
            }
            for &next in &self.resolved[here].built_from {
                came_from.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    here
                });
            }
        }
        None
    }
}

impl From<Package> for Member {
    fn from(package: Package) -> Self {
        let edge = |dep: Dependency| Edge {
            kind: Kind::from_metadata(dep.kind.as_deref()),
            name: dep.name,
        };
        Self {
            name: package.name,
            id: package.id,
            direct: package.dependencies.into_iter().map(edge).collect(),
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Option<Resolve>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    id: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    features: Vec<String>,
    deps: Vec<NodeDep>,
}

#[derive(Deserialize)]
struct NodeDep {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    kind: Option<String>,
}
