//! The key that tokens are verified by: read from where the operator put it, or made once and kept; and how secrets are
//! hidden from people who only look.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use jsonwebtoken::DecodingKey;
use secrecy::SecretString;

use crate::config::Config;

/// The shortest secret for HS256: a shorter one is weaker than the hash (RFC 7518, section 3.2).
pub(crate) const MIN_BYTES: usize = 32;
/// What stands in the place of a secret.
pub(crate) const HIDDEN: &str = "********";
/// The generated secret, in the data folder.
const FILE_NAME: &str = "secret";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
    /// The secret is short enough to be guessed.
    #[error("{}: the secret has less than {MIN_BYTES} bytes; make a new one: openssl rand -hex 32", .0.display())]
    TooShort(PathBuf),
    /// The file is not a public key.
    #[error(
        "{}: not a public key in PEM (BEGIN PUBLIC KEY); from a private key: openssl pkey -in private.pem -pubout",
        .0.display()
    )]
    NotPublicKey(PathBuf),
    /// Others on this machine may have read the secret.
    #[error(
        "{path}: others can read this secret (mode {mode:04o}). If nobody has: chmod 600 {path}. \
         Else delete it: a new one is made, and tokens signed with the old one end",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system gives no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandomness(getrandom::Error),
}

/// What tokens are verified by.
pub(crate) enum TokenKey {
    /// A secret that this server shares with whoever signs tokens (HS256).
    Shared(SecretString),
    /// The file with the public key of an issuer that alone can sign.
    Public(PathBuf),
}

/// The key of this configuration. When none is configured, one is made with random bytes from `fill` and kept in the
/// data folder; the configuration allows that to the embedded backend on loopback only.
pub(crate) fn token_key(
    config: &Config,
    fill: impl FnOnce(&mut [u8]) -> Result<(), getrandom::Error>,
) -> Result<TokenKey, SecretError> {
    let auth = &config.auth;
    if let Some(path) = &auth.public_key_file {
        return Ok(TokenKey::Public(path.clone()));
    }
    let secret = match (&auth.hs256_secret, &auth.hs256_secret_file) {
        (Some(secret), _) => secret.clone(),
        (None, Some(path)) => read_configured(path)?,
        (None, None) => kept(&config.embedded.data_dir, fill)?,
    };
    Ok(TokenKey::Shared(secret))
}

/// Reads a secret that the operator put into a file. Its mode is the operator's affair: mounted secrets of an
/// orchestrator are commonly readable by all users of their container.
pub(crate) fn read_configured(path: &Path) -> Result<SecretString, SecretError> {
    long_enough(&fs::read_to_string(path).map_err(at(path))?, path)
}

/// Reads a PEM file and makes sure that it holds a public key of a kind that tokens are signed with.
pub(crate) fn read_public_key(path: &Path) -> Result<(), SecretError> {
    let pem = fs::read(path).map_err(at(path))?;
    let is_private = pem.windows(11).any(|window| window == b"PRIVATE KEY");
    let is_key = DecodingKey::from_rsa_pem(&pem).is_ok()
        || DecodingKey::from_ec_pem(&pem).is_ok()
        || DecodingKey::from_ed_pem(&pem).is_ok();
    if is_key && !is_private {
        Ok(())
    } else {
        Err(SecretError::NotPublicKey(path.to_owned()))
    }
}

/// The secret kept in a folder; made first if there is none.
fn kept(
    folder: &Path,
    fill: impl FnOnce(&mut [u8]) -> Result<(), getrandom::Error>,
) -> Result<SecretString, SecretError> {
    let path = folder.join(FILE_NAME);
    if let Some(secret) = read_private(&path)? {
        return Ok(secret);
    }
    let mut bytes = [0; MIN_BYTES];
    fill(&mut bytes).map_err(SecretError::NoRandomness)?;
    private_folder(folder).map_err(at(folder))?;
    if write_new(folder, &path, &hex::encode(bytes)).map_err(at(&path))? {
        tracing::info!(path = %path.display(), "made a secret for signing tokens");
    }
    // Read back also what was just written: another process may have been first.
    match read_private(&path)? {
        Some(secret) => Ok(secret),
        None => Err(SecretError::Io {
            path,
            source: io::ErrorKind::NotFound.into(),
        }),
    }
}

/// Reads a secret that nobody else may read; `None` when there is no file.
fn read_private(path: &Path) -> Result<Option<SecretString>, SecretError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path)(error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(at(path))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
    }
    long_enough(&io::read_to_string(file).map_err(at(path))?, path).map(Some)
}

fn long_enough(text: &str, path: &Path) -> Result<SecretString, SecretError> {
    let secret = text.trim();
    if secret.len() < MIN_BYTES {
        Err(SecretError::TooShort(path.to_owned()))
    } else {
        Ok(secret.into())
    }
}

/// Makes a folder for its owner only: what lies in it are messages and secrets.
fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Writes a file that did not exist; `false` when another process was first. It is written under another name (created
/// with `O_EXCL` and mode 0600) and then linked in place, so that nobody ever reads half a secret.
fn write_new(folder: &Path, path: &Path, text: &str) -> io::Result<bool> {
    let mut file = tempfile::Builder::new().prefix(".secret").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SecretError {
    let path = path.to_owned();
    |source| SecretError::Io { path, source }
}

/// A URL without its passwords: the one before the host, and those among the parameters. It rather hides too much: a
/// password may hold any character when its author forgot to escape it.
pub(crate) fn hide_password(url: &str) -> String {
    let (start, rest) = url.split_at(url.find("://").map_or(0, |at| at + 3));
    let (user, place) = rest.split_at(rest.rfind('@').unwrap_or(0));
    let user = match user.split_once(':') {
        Some((name, _)) => format!("{name}:{HIDDEN}"),
        None => user.to_owned(),
    };
    let Some((host, query)) = place.split_once('?') else {
        return format!("{start}{user}{place}");
    };
    let parameters: Vec<_> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if is_sensitive(name) => format!("{name}={HIDDEN}"),
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{start}{user}{host}?{}", parameters.join("&"))
}

fn is_sensitive(parameter: &str) -> bool {
    let name = parameter.to_ascii_lowercase();
    ["pass", "secret", "token", "key"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use secrecy::ExposeSecret;

    use super::*;

    #[rstest]
    #[case("redis://localhost:6379/0", "redis://localhost:6379/0")]
    #[case("redis://:pa55@localhost/0", "redis://:********@localhost/0")]
    #[case(
        "postgres://me:pa55@a:1,b:2/db?sslmode=require",
        "postgres://me:********@a:1,b:2/db?sslmode=require"
    )]
    #[case("postgres://me:p@:/?55@host/db", "postgres://me:********@host/db")]
    #[case(
        "postgres://me@host/db?password=pa55&x=1",
        "postgres://me@host/db?password=********&x=1"
    )]
    fn passwords_in_urls_are_hidden(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(hide_password(url), shown);
    }

    fn ones(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        bytes.fill(1);
        Ok(())
    }

    fn never(_: &mut [u8]) -> Result<(), getrandom::Error> {
        panic!("a secret exists already")
    }

    #[test]
    fn a_secret_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        let first = kept(&data, ones).unwrap();
        assert_eq!(first.expose_secret(), "01".repeat(32));
        assert_eq!(kept(&data, never).unwrap().expose_secret(), first.expose_secret());
        assert_eq!(
            fs::read_dir(&data).unwrap().count(),
            1,
            "the temporary file is gone"
        );
    }

    #[test]
    fn the_first_of_two_processes_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        assert!(write_new(folder.path(), &path, &"a".repeat(64)).unwrap());
        assert!(!write_new(folder.path(), &path, &"b".repeat(64)).unwrap());
        assert_eq!(
            kept(folder.path(), never).unwrap().expose_secret(),
            "a".repeat(64)
        );
    }

    #[cfg(unix)]
    #[rstest]
    #[case(0o600, true)]
    #[case(0o400, true)]
    #[case(0o640, false)]
    #[case(0o604, false)]
    #[case(0o644, false)]
    fn only_the_owner_may_read_it(#[case] mode: u32, #[case] is_good: bool) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        kept(folder.path(), ones).unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match kept(folder.path(), never) {
            Ok(_) => assert!(is_good),
            Err(error) => {
                assert!(!is_good);
                assert!(error.to_string().contains(&format!("mode {mode:04o}")), "{error}");
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn a_damaged_secret_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        assert!(write_new(folder.path(), &path, "short").unwrap());
        assert!(matches!(
            kept(folder.path(), never),
            Err(SecretError::TooShort(_))
        ));
    }

    // The examples of RFC 8410.
    const ED25519_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    const ED25519_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

    #[rstest]
    #[case(ED25519_PUBLIC, true)]
    #[case(ED25519_PRIVATE, false)]
    #[case("not a key", false)]
    fn a_public_key_file_holds_a_public_key(#[case] pem: &str, #[case] is_good: bool) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), pem).unwrap();
        assert_eq!(read_public_key(file.path()).is_ok(), is_good);
    }
}
