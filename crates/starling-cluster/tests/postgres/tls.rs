//! TLS, as the URL asks for it.

use std::{
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::Command,
};

use starling_cluster::postgres::{ConnectError, PostgresConfig, connect};
use starling_testkit::fixtures::postgres::PostgresFixture;

use super::support::outside;

fn openssl(dir: &Path, words: &str) {
    let output = Command::new("openssl")
        .current_dir(dir)
        .args(words.split_whitespace())
        .output();
    let output = output.expect("openssl is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// `ca.crt`, `other.crt`, `server.crt` and `server.key`; the server's are for the name `localhost`.
fn certificates(dir: &Path) {
    for ca in ["ca", "other"] {
        openssl(
            dir,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={ca} \
                 -keyout {ca}.key -out {ca}.crt"
            ),
        );
    }
    openssl(
        dir,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
         -CA ca.crt -CAkey ca.key -keyout server.key -out server.crt",
    );
}

#[tokio::test]
async fn the_link_is_encrypted_and_checked_as_asked() {
    let server = PostgresFixture::start();
    let dir = server.folder().to_owned();
    certificates(&dir);
    // The server's own: it refuses a key that others may read or own.
    let owner = std::fs::metadata(&dir).unwrap();
    chown(dir.join("server.key"), Some(owner.uid()), Some(owner.gid())).unwrap();
    for (setting, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
        server.sql(&format!(
            "ALTER SYSTEM SET {setting} = '{}'",
            dir.join(file).display()
        ));
    }
    server.sql("ALTER SYSTEM SET ssl = on");
    server.stop();
    server.start_again();
    let base = server
        .database()
        .replace("sslmode=disable", "")
        .replace("127.0.0.1", "localhost");
    let root = |name: &str| format!("sslmode=verify-full&sslrootcert={}", dir.join(name).display());
    let outside = outside(&server.url()).await;
    for (query, encrypted) in [
        ("sslmode=disable".to_owned(), Some(false)),
        ("sslmode=prefer".to_owned(), Some(true)),
        ("sslmode=require".to_owned(), Some(true)),
        (root("ca.crt"), Some(true)),
        // Of another authority; of no public one; a file that is none; a name that is not in the certificate.
        (root("other.crt"), None),
        ("sslmode=verify-full".to_owned(), None),
        (root("missing.crt"), None),
    ] {
        let connected = connect(PostgresConfig::new(format!("{base}{query}&application_name=tls"))).await;
        let Some(encrypted) = encrypted else {
            let error = connected.map(drop).unwrap_err();
            assert!(
                matches!(
                    error,
                    ConnectError::Unreachable(_) | ConnectError::RootCertificates { .. }
                ),
                "{query}: {error:?}"
            );
            continue;
        };
        let store = connected.unwrap_or_else(|e| panic!("{query}: {e:?}"));
        let sql = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                   WHERE application_name = 'tls'";
        let ssl: Vec<bool> = outside
            .query(sql, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(ssl, [encrypted], "{query}");
        store.close().await;
        super::support::until("its connections are closed", async || {
            outside.query(sql, &[]).await.unwrap().is_empty()
        })
        .await;
    }
    let by_address = base.replace("localhost", "127.0.0.1");
    let error = connect(PostgresConfig::new(format!("{by_address}{}", root("ca.crt"))))
        .await
        .map(drop);
    assert!(matches!(error, Err(ConnectError::Unreachable(_))), "{error:?}");
}
