use std::{fs, time::Duration};

use clap::Parser;
use rstest::rstest;
use secrecy::ExposeSecret;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Loads from a file, variables and flags, as the program does.
fn load(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("starling.toml");
    fs::write(&path, file).unwrap();
    let args = ["starling", "--config", path.to_str().unwrap()]
        .into_iter()
        .chain(flags.iter().copied());
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Config::from_sources(&Cli::parse_from(args).options, variables).map_err(|errors| errors.to_string())
}

#[test]
fn nothing_is_needed() {
    let config = load("", &[], &[]).unwrap();
    assert_eq!(config.backend, Backend::Embedded);
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.limits.outbox_bytes, 256 * 1024);
    assert_eq!(config.presence.lease_ttl, Duration::from_secs(9));
    assert_eq!(config.to_toml(), Config::default().to_toml());
}

#[test]
fn each_source_is_stronger_than_the_one_before() {
    let file = "[server]\nlisten = \"127.0.0.2:1\"";
    let listen =
        |file, variables: &[_], flags: &[_]| load(file, variables, flags).unwrap().server.listen.to_string();
    let port = ("PORT", "2");
    let ours = ("STARLING_SERVER__LISTEN", "127.0.0.3:3");
    assert_eq!(listen("", &[], &[]), "127.0.0.1:8080");
    assert_eq!(listen(file, &[], &[]), "127.0.0.2:1");
    assert_eq!(
        listen("", &[port], &[]),
        "127.0.0.1:2",
        "PORT replaces the port of the default"
    );
    assert_eq!(
        listen(file, &[port], &[]),
        "127.0.0.2:2",
        "PORT replaces the port of the file"
    );
    assert_eq!(listen(file, &[port, ours], &[]), "127.0.0.3:3");
    assert_eq!(
        listen(file, &[port, ours], &["--listen", "127.0.0.4:4"]),
        "127.0.0.4:4"
    );
}

#[test]
fn the_usual_variables_are_known() {
    let usual = [
        ("JWT_SECRET", SECRET),
        ("REDIS_URL", "redis://r"),
        ("DATABASE_URL", "postgresql://p/db"),
    ];
    let config = load("backend = \"cluster\"", &usual, &[]).unwrap();
    assert_eq!(config.auth.hs256_secret.unwrap().expose_secret(), SECRET);
    assert_eq!(config.redis.url.unwrap().expose_secret(), "redis://r");
    assert_eq!(config.postgres.url.unwrap().expose_secret(), "postgresql://p/db");
}

#[test]
fn values_of_the_environment_are_read_as_their_key_wants() {
    let digits = "1".repeat(32);
    let variables = [
        ("STARLING_AUTH__HS256_SECRET", digits.as_str()),
        ("STARLING_BACKEND", "embedded"),
        ("STARLING_LIMITS__COMMANDS_PER_MINUTE", "7"),
        ("STARLING_LIMITS__FRAME_BYTES", "8KiB"),
        ("STARLING_ROOMS__AUTO_CREATE", "false"),
        ("STARLING_ROOMS__EXPIRE_EMPTY_AFTER", "7d"),
        (
            "STARLING_CORS__ORIGINS",
            "https://a.example, HTTPS://B.example:8443",
        ),
        ("STARLING_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1"),
    ];
    let config = load("", &variables, &[]).unwrap();
    assert_eq!(config.auth.hs256_secret.unwrap().expose_secret(), digits);
    assert_eq!(config.limits.commands_per_minute, 7);
    assert_eq!(config.limits.frame_bytes, 8192);
    assert!(!config.rooms.auto_create);
    assert_eq!(config.rooms.expire_empty_after, Some(Duration::from_hours(168)));
    assert_eq!(
        config.cors.origins,
        ["https://a.example", "https://b.example:8443"]
    );
    assert_eq!(
        config.server.trusted_proxies,
        ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]
    );
}

#[test]
fn empty_and_foreign_variables_count_as_not_set() {
    let variables = [
        ("PORT", ""),
        ("STARLING_REDIS__URL", ""),
        ("STARLING_SERVICE_HOST", "10.0.0.1"),
        ("STARLING_SERVICE_PORT_HTTP", "80"),
        ("STARLING_PORT", "tcp://10.0.0.1:80"),
        ("STARLING_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("STARLING_POSTGRES_PORT_5432_TCP_PORT", "5432"),
        ("HOME", "/root"),
    ];
    assert_eq!(
        load("", &variables, &[]).unwrap().to_toml(),
        Config::default().to_toml()
    );
}

#[rstest]
#[case("server.listen", "\"localhost:80\"", "an IP address and port")]
#[case("server.listen", "8080", "an IP address and port")]
#[case("server.node_id", "\"a b\"", "1 to 128 visible ASCII characters")]
#[case("server.header_timeout", "\"10\"", "a duration such as \"500ms\"")]
#[case("server.header_timeout", "10", "a duration such as \"500ms\"")]
#[case("server.max_connections", "0", "an integer from 1 to 10000000")]
#[case("server.max_connections", "99999999999999999999", "an integer from 1")]
#[case("server.max_connections", "1.5", "an integer from 1")]
#[case("server.trusted_proxies", "[\"10.0.0.0/40\"]", "an address or a CIDR range")]
#[case("server.trusted_proxies", "\"10.0.0.0/8\"", "a list, each an address")]
#[case(
    "server.sndbuf_bytes",
    "\"64KB\"",
    "a size such as 4096 or \"64KiB\", from 4KiB to 4MiB"
)]
#[case("server.sndbuf_bytes", "1", "from 4KiB to 4MiB")]
#[case("cors.origins", "[\"https://a.example/\"]", "without a path or a final slash")]
#[case("cors.origins", "[\"*\", \"https://a.example\"]", "\"*\" to stand alone")]
#[case("rooms.auto_create", "\"yes\"", "true or false")]
#[case("rooms.history_on_join", "101", "an integer from 0 to 100")]
#[case("presence.lease_ttl", "\"5s\"", "at least twice presence.heartbeat (3s)")]
#[case(
    "limits.outbox_bytes",
    "\"32KiB\"",
    "at least twice limits.frame_bytes (128KiB)"
)]
#[case("embedded.data_dir", "\"\"", "a path")]
#[case(
    "redis.topology",
    "\"ring\"",
    "\"single\", \"sentinel\", \"cluster\" or \"sharded\""
)]
#[case("redis.topology", "\"sharded\"", "at least two shards")]
#[case("redis.topology", "\"sentinel\"", "at least one server")]
#[case("redis.urls", "[\"redis://a\"]", "none, since redis.topology is \"single\"")]
#[case("telemetry.log_level", "\"inof\"", "off, error, warn, info, debug or trace")]
#[case(
    "telemetry.log_level",
    "\"starling=loud\"",
    "off, error, warn, info, debug or trace"
)]
#[case("telemetry.log_format", "\"xml\"", "\"text\" or \"json\"")]
#[case(
    "telemetry.otlp_endpoint",
    "\"localhost:4317\"",
    "a URL such as \"http://localhost:4318\""
)]
#[case("telemetry.otlp_signals", "[\"logs\"]", "\"traces\" or \"metrics\"")]
#[case(
    "telemetry.otlp_headers",
    "\"token\"",
    "headers such as \"name=value,other=value\""
)]
#[case("telemetry.trace_ratio", "1.5", "a number from 0 to 1")]
#[case("telemetry.metrics_interval", "\"0s\"", "from 1s to 1h")]
#[case(
    "drain.timeout",
    "\"10s\"",
    "drain.readiness_delay and drain.window together (22s)"
)]
fn a_bad_value_is_told_with_its_key_and_what_is_expected(
    #[case] key: &str,
    #[case] value: &str,
    #[case] expected: &str,
) {
    let (section, name) = key.split_once('.').unwrap();
    let error = load(&format!("[{section}]\n{name} = {value}"), &[], &[]).unwrap_err();
    assert!(error.starts_with("the configuration has a problem\n"), "{error}");
    assert!(error.contains(expected), "{error}");
    assert!(
        error.contains(&format!("\n  {key}")) || error.contains(&format!("; {key} is from")),
        "{error}"
    );
    assert!(error.contains("starling.toml line 2"), "{error}");
}

#[rstest]
#[case(
    "STARLING_BACKEND",
    "sqlite",
    "backend = \"sqlite\" (env STARLING_BACKEND): expected \"embedded\" or \"cluster\""
)]
#[case(
    "PORT",
    "http",
    "server.listen = \"http\" (env PORT): expected a port from 0 to 65535"
)]
#[case(
    "REDIS_URL",
    "http://:pa55word@x",
    "redis.url (env REDIS_URL): expected a URL such as \"redis://"
)]
#[case(
    "DATABASE_URL",
    "mysql://:pa55word@x",
    "postgres.url (env DATABASE_URL): expected a URL such as \"postgres://"
)]
fn a_bad_variable_is_named_and_a_secret_is_not_repeated(
    #[case] variable: &str,
    #[case] value: &str,
    #[case] message: &str,
) {
    let error = load("", &[(variable, value)], &[]).unwrap_err();
    assert!(error.contains(message), "{error}");
    assert!(!error.contains("pa55word"), "{error}");
}

#[test]
fn a_short_secret_is_for_this_machine_only() {
    let short = [("JWT_SECRET", "pa55word")];
    let warnings = load("", &short, &[]).unwrap().warnings;
    assert!(warnings[0].contains("less than 32 bytes"), "{warnings:?}");
    let error = load("", &short, &["--listen", "0.0.0.0:80"]).unwrap_err();
    assert!(
        error.contains("a secret of at least 32 bytes, since 0.0.0.0:80 is not loopback"),
        "{error}"
    );
    assert!(
        !error.contains("pa55word") && !warnings[0].contains("pa55word"),
        "{error}"
    );
}

#[test]
fn a_bad_flag_is_named() {
    let error = load("", &[], &["--log-format", "xml"]).unwrap_err();
    assert!(
        error.contains("telemetry.log_format = \"xml\" (flag --log-format): expected"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_variable_is_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let variables = [("JWT_SECRET".into(), OsString::from_vec(vec![0xff; 40]))];
    let error = Config::from_sources(&Options::default(), variables)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("auth.hs256_secret (env JWT_SECRET): expected text in UTF-8"),
        "{error}"
    );
}

#[rstest]
#[case("bakend = \"x\"", "bakend", Some("backend"))]
#[case("[sever]\nlisten = \"x\"", "sever", Some("server"))]
#[case("[server]\nlistn = \"x\"", "server.listn", Some("server.listen"))]
#[case("listen = \"x\"", "listen", Some("server.listen"))]
#[case(
    "[server]\ncommands_per_minute = 1",
    "server.commands_per_minute",
    Some("limits.commands_per_minute")
)]
#[case("[server]\nzzz = 1", "server.zzz", None)]
fn an_unknown_key_is_an_error(#[case] file: &str, #[case] key: &str, #[case] meant: Option<&str>) {
    let error = load(file, &[], &[]).unwrap_err();
    assert!(error.contains(&format!("\n  {key} (")), "{error}");
    match meant {
        Some(meant) => assert!(
            error.ends_with(&format!("unknown key; did you mean {meant}?")),
            "{error}"
        ),
        None => assert!(error.ends_with("unknown key"), "{error}"),
    }
}

#[rstest]
#[case("STARLING_SERVER__LISTN", "STARLING_SERVER__LISTEN")]
#[case("STARLING_SERVER_LISTEN", "STARLING_SERVER__LISTEN")]
#[case("STARLING_CONFG", "STARLING_CONFIG")]
fn an_unknown_variable_is_warned_of(#[case] name: &str, #[case] meant: &str) {
    let config = load("", &[(name, "x")], &[]).unwrap();
    let expected = format!("env {name}: unknown key; did you mean {meant}?; ignored");
    assert_eq!(config.warnings, [expected]);
}

#[test]
fn all_problems_are_told_at_once() {
    let file = "oops = 1\n[server]\nlisten = 1\n[drain]\ntimeout = \"1s\"";
    let error = load(
        file,
        &[("STARLING_DRAIN__WINDOW", "1"), ("PORT", "x")],
        &["--backend", "x"],
    )
    .unwrap_err();
    assert!(error.starts_with("the configuration has 5 problems\n"), "{error}");
    assert_eq!(error.lines().count(), 6, "{error}");
}

#[test]
fn of_a_bad_value_nothing_follows() {
    let file = "[presence]\nheartbeat = \"8s\"\nlease_ttl = \"never\"";
    let error = load(file, &[], &[]).unwrap_err();
    assert!(
        error.starts_with("the configuration has a problem\n  presence.lease_ttl = "),
        "{error}"
    );
}

#[test]
fn every_address_counts_as_one_that_others_reach() {
    let also = "[server]\nlisten_also = [\"127.0.0.1:81\", \"0.0.0.0:82\"]";
    let error = load(also, &[], &[]).unwrap_err();
    assert!(error.contains("0.0.0.0:82 is not loopback"), "{error}");
    let config = load(also, &[("JWT_SECRET", SECRET)], &[]).unwrap();
    assert_eq!(config.server.listen_also.len(), 2);
}

#[test]
fn a_broken_file_is_told_by_line_and_quotes_nothing() {
    let error = load("[auth]\nhs256_secret = \"pa55word\nleeway = ", &[], &[]).unwrap_err();
    assert!(error.contains("starling.toml line 2: expected TOML"), "{error}");
    assert!(error.contains("starling.toml line 3: expected TOML"), "{error}");
    assert!(!error.contains("pa55word"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let variables = [("STARLING_CONFIG".into(), "/nowhere/starling.toml".into())];
    let error = Config::from_sources(&Options::default(), variables)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/nowhere/starling.toml (env STARLING_CONFIG): expected a readable"),
        "{error}"
    );
}

#[test]
fn beyond_loopback_a_key_must_be_named() {
    let error = load("", &[], &["--listen", "0.0.0.0:80"]).unwrap_err();
    for part in [
        "auth.hs256_secret (not given)",
        "0.0.0.0:80 is not loopback",
        "STARLING_AUTH__HS256_SECRET",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(load("", &[("JWT_SECRET", SECRET)], &["--listen", "0.0.0.0:80"]).is_ok());
    assert!(load("", &[], &["--listen", "[::1]:80"]).is_ok());
}

#[test]
fn a_cluster_needs_redis_postgres_and_a_key() {
    let error = load("", &[], &["--backend", "cluster"]).unwrap_err();
    assert!(error.starts_with("the configuration has 3 problems\n"), "{error}");
    for part in [
        "auth.hs256_secret",
        "redis.url",
        "postgres.url",
        "backend is from flag --backend",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn one_key_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let file = |secret: &str| {
        fs::write(&path, secret).unwrap();
        format!("[auth]\nhs256_secret_file = {:?}", path.to_str().unwrap())
    };
    assert!(load(&file(&format!("{SECRET}\n")), &[], &[]).is_ok());
    let error = load(&file("short\n"), &[], &[]).unwrap_err();
    assert!(
        error.contains("auth.hs256_secret_file (") && error.contains("less than 32 bytes"),
        "{error}"
    );
    let error = load(&file(SECRET), &[("JWT_SECRET", SECRET)], &[]).unwrap_err();
    assert!(
        error.contains("only one of auth.hs256_secret, auth.hs256_secret_file"),
        "{error}"
    );
    assert!(error.contains("(env JWT_SECRET)"), "{error}");
}

#[test]
fn secrets_are_hidden() {
    let variables = [
        ("STARLING_AUTH__HS256_SECRET", SECRET),
        ("REDIS_URL", "redis://:pa55word@redis:6379/0"),
        (
            "DATABASE_URL",
            "postgres://me:pa55word@db/starling?sslmode=require",
        ),
    ];
    let config = load("", &variables, &[]).unwrap();
    let text = config.to_toml();
    assert!(
        text.contains("hs256_secret = \"********\" # env STARLING_AUTH__HS256_SECRET\n"),
        "{text}"
    );
    assert!(
        text.contains("url = \"redis://:********@redis:6379/0\" # env REDIS_URL\n"),
        "{text}"
    );
    assert!(
        text.contains("\"postgres://me:********@db/starling?sslmode=require\""),
        "{text}"
    );
    for shown in [text, format!("{config:?}")] {
        assert!(!shown.contains("pa55word") && !shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn what_is_printed_can_be_read() {
    let file = "[rooms]\nlinger = \"1500ms\"\n[cors]\norigins = [\"https://a.example\"]\n[limits]\nring_bytes = 1000";
    let config = load(file, &[], &["--node-id", "n\"1"]).unwrap();
    let again = load(&config.to_toml(), &[], &[]).unwrap();
    assert_eq!(again.rooms.linger, Duration::from_millis(1500));
    assert_eq!(again.limits.ring_bytes, 1000);
    assert_eq!(again.cors.origins, config.cors.origins);
    assert_eq!(again.server.node_id.as_deref(), Some("n\"1"));
}

#[test]
fn the_example_holds_the_defaults() {
    let mut config = load(&Config::example(), &[], &[]).unwrap();
    config.origins.clear();
    assert_eq!(config.to_toml(), Config::default().to_toml());
}

#[test]
fn the_example_file_is_what_is_printed() {
    let file = include_str!("../../../../starling.example.toml");
    let command = "cargo run -p starling-server -- config --example > starling.example.toml";
    assert!(
        file == Config::example(),
        "starling.example.toml is out of date: {command}"
    );
}

#[test]
fn what_the_example_comments_out_is_right_but_for_the_files() {
    let keys: Vec<_> = Config::default()
        .keys()
        .filter(|key| key.value.is_none())
        .collect();
    let sample_of = |key: &Key| {
        let (section, name) = key.name.split_once('.').unwrap();
        load(
            &format!("[{section}]\n{name} = {}", key.sample.unwrap()),
            &[],
            &[],
        )
    };
    let refused: Vec<_> = keys
        .iter()
        .filter(|key| sample_of(key).is_err())
        .map(|key| key.name)
        .collect();
    assert_eq!(refused, ["auth.hs256_secret_file", "auth.public_key_file"]);
    assert!(keys.len() > refused.len());
}
