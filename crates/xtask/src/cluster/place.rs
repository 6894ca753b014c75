//! Where everything is: ports of 127.0.0.1, and the files in target/cluster.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::shell;

/// How a cluster is to be.
pub(crate) struct Settings<'a> {
    /// Below the target folder.
    pub(crate) folder: &'a str,
    pub(crate) nodes: u16,
    /// That of nginx, and the gateways take those after it; without it all ports are whatever is free.
    pub(crate) port: Option<u16>,
    /// Whether the gateways are built with optimisations.
    pub(crate) release: bool,
    /// Lines of the section `drain`.
    pub(crate) drain: &'a str,
    /// Variables of the gateways.
    pub(crate) gateways: &'a [(&'a str, &'a str)],
    /// Settings of Postgres beyond its defaults, as `name=value`.
    pub(crate) postgres: &'a [&'a str],
}

/// See the module.
pub(crate) struct Place {
    folder: PathBuf,
    /// The program `starling`.
    pub(super) starling: PathBuf,
    pub(crate) nginx: SocketAddr,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) redis: SocketAddr,
    pub(crate) postgres: SocketAddr,
    /// `auth.hs256_secret`.
    pub(crate) secret: String,
    pub(super) variables: Vec<(String, String)>,
    pub(super) postgres_settings: Vec<String>,
}

/// Name and address of a gateway.
pub(crate) struct Gateway {
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
}

impl Place {
    /// Chooses ports, and writes the configuration of Starling and of nginx into an empty folder.
    pub(crate) fn fresh(target: &Path, settings: &Settings<'_>) -> Result<Self> {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        // nginx, the gateways, Redis, Postgres: held together, so that they differ.
        let mut held = Vec::new();
        for offset in 0..=settings.nodes {
            let addr = at(settings.port.map_or(0, |port| port + offset));
            let listener = TcpListener::bind(addr);
            held.push(
                listener
                    .with_context(|| format!("cannot listen on {addr}: choose other ports with --port"))?,
            );
        }
        for _ in 0..2 {
            held.push(TcpListener::bind(at(0))?);
        }
        let held: Vec<SocketAddr> = held
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let (nginx, gateways, services) = match held.as_slice() {
            [nginx, gateways @ .., redis, postgres] => (*nginx, gateways, (*redis, *postgres)),
            _ => bail!("a cluster needs ports"),
        };
        let gateways = gateways.iter().zip(1..).map(|(addr, n)| Gateway {
            name: format!("node-{n}"),
            addr: *addr,
        });
        let profile = if settings.release { "release" } else { "debug" };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let place = Self {
            folder: target.join(settings.folder),
            starling: target.join(profile).join("starling"),
            nginx,
            gateways: gateways.collect(),
            redis: services.0,
            postgres: services.1,
            secret: secret()?,
            variables: settings.gateways.iter().map(owned).collect(),
            postgres_settings: settings
                .postgres
                .iter()
                .map(|setting| (*setting).to_owned())
                .collect(),
        };
        place.remove()?;
        fs::create_dir_all(place.folder("nginx"))?;
        place.write_starling(settings.drain)?;
        place.write_nginx()?;
        Ok(place)
    }

    /// A file of the cluster.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A folder of one of the services.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Removes all of it.
    pub(crate) fn remove(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("cannot remove {}", self.folder.display()))?;
        }
        Ok(())
    }

    /// Removes what the services stored, and leaves the logs.
    pub(super) fn remove_data(&self) -> Result<()> {
        let data = self.folder("postgres");
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))
    }

    /// The folder as it is typed in the root of the repository.
    pub(super) fn shown(&self) -> &Path {
        typed(&self.folder)
    }

    pub(super) fn redis_url(&self) -> String {
        format!("redis://{}", self.redis)
    }

    pub(crate) fn postgres_url(&self) -> String {
        format!("postgres://starling@{}/postgres", self.postgres)
    }

    /// One file for the gateways and for the tools: only `listen` and `node_id` are each gateway's own, and the tools
    /// go through nginx.
    fn write_starling(&self, drain: &str) -> Result<()> {
        let text = format!(
            "backend = \"cluster\"\n\n\
             [server]\nlisten = \"{nginx}\"\ntrusted_proxies = [\"127.0.0.1\"]\n\n\
             [auth]\nhs256_secret = \"{secret}\"\n\n\
             [redis]\nurl = \"{redis}\"\n\n\
             [postgres]\nurl = \"{postgres}?sslmode=disable\"\n\n\
             [drain]\n{drain}\n",
            nginx = self.nginx,
            secret = self.secret,
            redis = self.redis_url(),
            postgres = self.postgres_url(),
        );
        let mut file = fs::OpenOptions::new();
        let mut file = file
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(self.file("starling.toml"))?;
        file.write_all(text.as_bytes())?;
        Ok(())
    }

    /// The repository's own files, but for the two that belong to an installation.
    fn write_nginx(&self) -> Result<()> {
        let folder = self.folder("nginx");
        for name in ["nginx.conf", "conf.d"] {
            symlink(shell::root().join("nginx").join(name), folder.join(name))?;
        }
        fs::write(
            folder.join("listen.conf"),
            format!("listen {} reuseport;\n", self.nginx),
        )?;
        let server = |gateway: &Gateway| format!("server {} max_fails=0;\n", gateway.addr);
        let upstream: String = self.gateways.iter().map(server).collect();
        fs::write(folder.join("upstream.conf"), upstream)?;
        Ok(())
    }

    /// The command that starts a gateway again.
    pub(super) fn again(&self, name: &str) -> Option<String> {
        let gateway = self.gateways.iter().find(|gateway| gateway.name == name)?;
        let tool = self.tool();
        Some(format!("{tool} --node-id {name} --listen {} serve", gateway.addr))
    }

    /// `starling` with the configuration of this cluster, as it is typed.
    fn tool(&self) -> String {
        format!(
            "{} --config {}",
            typed(&self.starling).display(),
            typed(&self.file("starling.toml")).display()
        )
    }

    /// What the developer needs to know.
    pub(super) fn welcome(&self) -> String {
        let starling = self.tool();
        let gateways: Vec<String> = self
            .gateways
            .iter()
            .map(|gateway| gateway.addr.to_string())
            .collect();
        format!(
            "\nThe cluster is ready.\n\
             \x20 nginx      http://{nginx}    ws://{nginx}/ws\n\
             \x20 gateways   {gateways}\n\
             \x20 Redis      {redis}\n\
             \x20 Postgres   {postgres}\n\
             \x20 logs       {folder}/*.log\n\n\
             Talk, from other terminals:\n\
             \x20 {starling} chat --user alice\n\
             \x20 {starling} chat --user bob\n\
             A token:\n\
             \x20 {starling} token --user alice\n\
             Ctrl-C stops all of it and removes its data.\n",
            nginx = self.nginx,
            gateways = gateways.join(" "),
            redis = self.redis_url(),
            postgres = self.postgres_url(),
            folder = self.shown().display(),
        )
    }
}

fn typed(path: &Path) -> &Path {
    path.strip_prefix(shell::root()).unwrap_or(path)
}

/// A new one for each cluster.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    let mut random = fs::File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    random.read_exact(&mut bytes)?;
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}
