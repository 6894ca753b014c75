//! The program as it is run: exit codes, what goes to standard output and what to standard error.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rstest::rstest;

/// Runs `starling` in a folder, with no variables but the given ones.
fn starling(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_starling"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[rstest]
#[case::flag(&["--listen", "nowhere"], &[], "server.listen = \"nowhere\" (flag --listen)")]
#[case::variable(&["serve"], &[("PORT", "x")], "(env PORT): expected a port")]
#[case::token(&["token", "--user", "a", "--listen", "0.0.0.0:1"], &[("JWT_SECRET", "x")], "a secret of at least 32 bytes")]
#[case::check(&["config", "--check"], &[("STARLING_DRAIN__TIMEOUT", "x")], "drain.timeout = \"x\"")]
#[case::no_file(&["config", "--config", "none.toml"], &[], "none.toml (flag --config)")]
#[case::open_server(&["--listen", "0.0.0.0:0"], &[], "set auth.hs256_secret")]
#[case::unknown_flag(&["--lisen", "x"], &[], "--listen")]
#[case::unknown_command(&["sevre"], &[], "serve")]
#[case::bad_user(&["token", "--user", "a b"], &[], "no white space")]
fn what_the_operator_must_change_exits_with_64(
    #[case] args: &[&str],
    #[case] variables: &[(&str, &str)],
    #[case] message: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let output = starling(folder.path(), args, variables);
    assert_eq!(output.status.code(), Some(64), "{}", err(&output));
    assert_eq!(out(&output), "");
    assert!(err(&output).contains(message), "{}", err(&output));
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing was made"
    );
}

#[rstest]
#[case(&["--help"], "STARLING_CONFIG")]
#[case(&["--version"], env!("CARGO_PKG_VERSION"))]
#[case(&["config", "--check"], "the configuration is good")]
#[case(&["config"], "listen = \"127.0.0.1:8080\"\n")]
fn questions_are_answered(#[case] args: &[&str], #[case] answer: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = starling(folder.path(), args, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains(answer), "{}", out(&output));
}

/// A variable that no key has may be another program's, so it stops nothing; a misspelt one still has to be seen.
#[rstest]
#[case(&["config", "--check"])]
#[case(&["config"])]
fn a_misspelt_variable_is_told(#[case] args: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = starling(folder.path(), args, &[("STARLING_DRAIN__TIMEOT", "x")]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(
        err(&output).contains("did you mean STARLING_DRAIN__TIMEOUT?"),
        "{}",
        err(&output)
    );
}

#[test]
fn the_example_is_good_and_needs_no_good_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let example = starling(folder.path(), &["config", "--example"], &[("PORT", "x")]);
    assert_eq!(example.status.code(), Some(0));
    fs::write(folder.path().join("starling.toml"), &example.stdout).unwrap();
    let check = starling(
        folder.path(),
        &["config", "--check"],
        &[("STARLING_CONFIG", "starling.toml")],
    );
    assert_eq!(check.status.code(), Some(0), "{}", err(&check));
}

#[test]
fn a_token_is_signed_with_a_secret_that_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [(); 2].map(|()| {
        starling(
            folder.path(),
            &["token", "--user", "alice", "--data-dir", "d"],
            &[],
        )
    });
    let path = folder.path().join("d/secret");
    let secret = fs::read_to_string(&path).unwrap();
    assert_eq!(secret.len(), 64);
    assert_eq!(
        (mode_of(&path), mode_of(&folder.path().join("d"))),
        (0o600, 0o700)
    );
    assert!(err(&first).contains("made a secret"), "{}", err(&first));
    assert_eq!(err(&second), "");
    for output in [first, second] {
        assert!(output.status.success());
        let token = out(&output).strip_suffix('\n').unwrap();
        let rules = Validation::new(Algorithm::HS256);
        let key = DecodingKey::from_secret(secret.as_bytes());
        let claims = jsonwebtoken::decode::<serde_json::Value>(token, &key, &rules)
            .unwrap()
            .claims;
        assert_eq!(claims["sub"], "alice");
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    assert!(
        starling(folder.path(), &["token", "--user", "a"], &[])
            .status
            .success()
    );
    let path = folder.path().join("data/secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let output = starling(folder.path(), &["token", "--user", "a"], &[]);
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(out(&output), "");
    assert!(
        err(&output).contains("chmod 600 ./data/secret"),
        "{}",
        err(&output)
    );
}

#[test]
fn where_only_a_public_key_is_known_no_token_can_be_signed() {
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.pem"), KEY).unwrap();
    let variables = [("STARLING_AUTH__PUBLIC_KEY_FILE", "key.pem")];
    let output = starling(folder.path(), &["token", "--user", "a"], &variables);
    assert_eq!(output.status.code(), Some(64));
    assert!(err(&output).contains("auth.public_key_file"), "{}", err(&output));
}

#[rstest]
#[case("text", "INFO starling::secret: made a secret")]
#[case("json", "\"message\":\"made a secret for signing tokens\"")]
fn logs_go_to_standard_error(#[case] format: &str, #[case] line: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = starling(
        folder.path(),
        &["token", "--user", "a", "--log-format", format],
        &[],
    );
    assert!(err(&output).contains(line), "{}", err(&output));
    assert_eq!(out(&output).lines().count(), 1);

    let folder = tempfile::tempdir().unwrap();
    let quiet = starling(
        folder.path(),
        &["token", "--user", "a", "--log-level", "warn"],
        &[],
    );
    assert_eq!(err(&quiet), "");
}
