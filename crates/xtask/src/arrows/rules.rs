//! The rules of the dependency graph, as data. A new crate is a new row; a new arrow is a change of the
//! architecture, and says here why.

/// All rules together.
pub struct Rules {
    /// The arrows between our own crates.
    pub crates: &'static [CrateRule],
    /// Packages that only some of our crates may name.
    pub confined: &'static [Confined],
    /// Packages that a crate may not even drag in.
    pub unreachable: &'static [Unreachable],
    /// Packages that may be nowhere in the graph.
    pub banned: &'static [Banned],
    /// Packages of which exactly one feature must be on.
    pub exclusive: &'static [Exclusive],
}

/// The crates of ours that one crate may depend on.
pub struct CrateRule {
    /// The crate.
    pub name: &'static str,
    /// Allowed in `[dependencies]` and everywhere else.
    pub normal: &'static [&'static str],
    /// Allowed in `[dev-dependencies]` in addition.
    pub dev: &'static [&'static str],
    /// Why not more.
    pub why: &'static str,
}

/// A package that only some of our crates may name in their manifest.
pub struct Confined {
    /// The package.
    pub package: &'static str,
    /// The crates that may name it.
    pub only_in: &'static [&'static str],
    /// Why no other.
    pub why: &'static str,
}

/// A package that must not be reached from a crate by its normal and build dependencies.
pub struct Unreachable {
    /// The crate of ours.
    pub from: &'static str,
    /// The package.
    pub package: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A package that must not be in the graph at all.
pub struct Banned {
    /// The package.
    pub package: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A package of which exactly one of some features must be on.
pub struct Exclusive {
    /// The package.
    pub package: &'static str,
    /// The features to choose from.
    pub features: &'static [&'static str],
    /// Why.
    pub why: &'static str,
}

/// Every crate of the workspace, for the rows that may use any.
const ALL: &[&str] = &[
    "starling-core",
    "starling-protocol",
    "starling-embedded",
    "starling-cluster",
    "starling-gateway",
    "starling-server",
    "starling-testkit",
    "starling-loadtest",
    "starling-faults",
    "xtask",
];

const OPENSSL: &str =
    "TLS is rustls with aws-lc-rs everywhere; a system library is one more thing to install";
const REDIS_POSTGRES: &str = "drivers of Redis and Postgres stay behind the ports, in one crate";

/// The rules of this repository.
pub const RULES: Rules = Rules {
    crates: &[
        CrateRule {
            name: "starling-core",
            normal: &[],
            dev: &[],
            why: "it is the bottom: words and ports, and nothing of ours below it",
        },
        CrateRule {
            name: "starling-protocol",
            normal: &["starling-core"],
            dev: &[],
            why: "the wire is pure: it knows the words, and no backend and no socket",
        },
        CrateRule {
            name: "starling-embedded",
            normal: &["starling-core"],
            dev: &["starling-testkit"],
            why: "backends and the gateway never see one another; they meet in the ports of starling-core",
        },
        CrateRule {
            name: "starling-cluster",
            normal: &["starling-core"],
            dev: &["starling-testkit"],
            why: "backends and the gateway never see one another; they meet in the ports of starling-core",
        },
        CrateRule {
            name: "starling-gateway",
            normal: &["starling-core", "starling-protocol"],
            // Its integration tests need a real backend below a real socket, and the embedded one needs no
            // service. The binary never has this edge.
            dev: &["starling-testkit", "starling-embedded"],
            why: "the gateway works on any backend; which one is the server's choice",
        },
        CrateRule {
            name: "starling-server",
            normal: &[
                "starling-core",
                "starling-protocol",
                "starling-embedded",
                "starling-cluster",
                "starling-gateway",
            ],
            dev: ALL,
            why: "it is the top: it chooses and wires what is below, and ships no development tool",
        },
        CrateRule {
            name: "starling-testkit",
            normal: &["starling-core", "starling-protocol"],
            dev: &[],
            why: "the suites test through the ports and the wire, so that every backend can run them",
        },
        CrateRule {
            name: "starling-loadtest",
            normal: &["starling-protocol"],
            dev: &[],
            why: "the load generator is a client: it knows the wire and nothing behind it",
        },
        CrateRule {
            name: "starling-faults",
            normal: &["starling-core", "starling-testkit"],
            dev: &[],
            why: "it runs the binary that ships, and sees of it what a client sees; it links none of it",
        },
        CrateRule {
            name: "xtask",
            normal: &[],
            dev: &[],
            why: "it runs our programs and links none, so that it compiles in seconds",
        },
    ],
    confined: &[
        Confined {
            package: "anyhow",
            only_in: &["starling-server", "starling-loadtest", "starling-faults", "xtask"],
            why: "a library's error is an enum that its caller can act on; only programs report and end",
        },
        Confined {
            package: "fred",
            only_in: &["starling-cluster"],
            why: REDIS_POSTGRES,
        },
        Confined {
            package: "tokio-postgres",
            // The test kit's fixtures create and drop databases, which no port does.
            only_in: &["starling-cluster", "starling-testkit"],
            why: REDIS_POSTGRES,
        },
        Confined {
            package: "deadpool-postgres",
            only_in: &["starling-cluster"],
            why: REDIS_POSTGRES,
        },
        Confined {
            package: "rusqlite",
            only_in: &["starling-embedded"],
            why: "SQLite belongs to the embedded backend",
        },
    ],
    unreachable: &[Unreachable {
        from: "starling-core",
        package: "tokio",
        why: "the ports name no runtime; whoever implements them chooses one",
    }],
    banned: &[
        Banned {
            package: "openssl",
            why: OPENSSL,
        },
        Banned {
            package: "openssl-sys",
            why: OPENSSL,
        },
        Banned {
            package: "native-tls",
            why: OPENSSL,
        },
    ],
    exclusive: &[Exclusive {
        package: "jsonwebtoken",
        features: &["aws_lc_rs", "rust_crypto"],
        why: "with none or both it compiles, and panics at the first token",
    }],
};
