//! How each service is started, and how to tell that it is ready.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt as _, chown},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result};

use super::{
    child::{Child, End},
    place::{Gateway, Place},
};
use crate::{http, machine, shell};

/// Redis, which keeps nothing.
pub(super) fn redis(place: &Place) -> Result<Child> {
    let port = place.redis.port().to_string();
    let mut redis = Command::new(machine::program("redis-server")?);
    redis
        .args(["--bind", "127.0.0.1", "--port", &port])
        .args(["--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(place.folder(""));
    let child = Child::start("redis", &[], &redis, place.file("redis.log"), End::Term)?;
    let addr = place.redis;
    Ok(child.ready_when(move || {
        http::exchange(addr, "PING\r\nQUIT\r\n").is_ok_and(|text| text.starts_with("+PONG"))
    }))
}

/// Postgres with an empty database, as safe as its defaults. It refuses to run as root: then it runs as the user
/// `postgres`.
pub(super) fn postgres(place: &Place) -> Result<Child> {
    let data = place.folder("postgres");
    fs::create_dir(&data)?;
    let mut privileges: &[&str] = &[];
    if fs::metadata(&data)?.uid() == 0 {
        privileges = &["--reuid=postgres", "--regid=postgres", "--init-groups"];
        chown(&data, Some(id_of_postgres("-u")?), Some(id_of_postgres("-g")?))?;
    }
    let mut initdb = shell::command("setpriv");
    initdb
        .args(privileges)
        .arg("--")
        .arg(machine::program("initdb")?)
        .arg("-D")
        .arg(&data)
        .args([
            "-U",
            "starling",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ])
        .current_dir("/");
    shell::read(&mut initdb).context("cannot make the database")?;
    let mut postgres = Command::new(machine::program("postgres")?);
    postgres.arg("-D").arg(&data);
    let port = format!("port={}", place.postgres.port());
    let settings = [
        &port,
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=1000",
    ];
    for setting in settings
        .into_iter()
        .chain(place.postgres_settings.iter().map(String::as_str))
    {
        postgres.args(["-c", setting]);
    }
    let child = Child::start(
        "postgres",
        privileges,
        &postgres,
        place.file("postgres.log"),
        End::Int,
    )?;
    let (pg_isready, port) = (machine::program("pg_isready")?, place.postgres.port().to_string());
    Ok(child.ready_when(move || {
        shell::succeeds(shell::command(&pg_isready).args(["-h", "127.0.0.1", "-p", &port]))
    }))
}

/// A gateway.
pub(super) fn gateway(place: &Place, gateway: &Gateway) -> Result<Child> {
    let addr = gateway.addr;
    let mut starling = Command::new(&place.starling);
    starling.arg("--config").arg(place.file("starling.toml")).args([
        "--node-id",
        &gateway.name,
        "--listen",
        &addr.to_string(),
        "serve",
    ]);
    starling.envs(place.variables.iter().map(|(name, value)| (name, value)));
    let log = place.file(&format!("{}.log", gateway.name));
    let child = Child::start(&gateway.name, &[], &starling, log, End::Term)?;
    Ok(child.ready_when(move || is_ok(addr, "/readyz")))
}

/// nginx, from the repository's own configuration.
pub(super) fn nginx(place: &Place) -> Result<Child> {
    let folder = place.folder("nginx");
    let mut nginx = Command::new(machine::program("nginx")?);
    nginx
        .arg("-p")
        .arg(&folder)
        .arg("-c")
        .arg(Path::new(&folder).join("nginx.conf"))
        .args(["-e", "stderr", "-g", "daemon off;"]);
    let child = Child::start("nginx", &[], &nginx, place.file("nginx.log"), End::Term)?;
    let addr = place.nginx;
    Ok(child.ready_when(move || is_ok(addr, "/readyz")))
}

fn is_ok(addr: SocketAddr, path: &str) -> bool {
    http::get(addr, path).is_ok_and(|answer| answer.status == 200)
}

fn id_of_postgres(which: &str) -> Result<u32> {
    let id = shell::read(shell::command("id").args([which, "postgres"]))?;
    id.trim().parse().context("the id of the user postgres")
}
