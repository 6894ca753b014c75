//! `starling health`: what a container's health check runs, so that the image needs no other program for it.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;

use super::reachable;
use crate::{
    cli::Cli,
    config::{Config, units},
};

/// An answer is a few hundred bytes; whoever sends more than this is no gateway.
const MOST: u64 = 64 << 10;

/// Whom to ask is in the configuration.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// How long the server may take, for each of connecting and answering
    #[arg(long, default_value = "3s", value_name = "DURATION", value_parser = timeout)]
    timeout: Duration,
}

impl Health {
    /// Prints what the server says of itself, and fails when it is not ready for clients.
    pub(crate) fn run(&self, cli: &Cli) -> anyhow::Result<()> {
        let addr = reachable(Config::load(cli)?.server.listen);
        let answer = self
            .ask(addr)
            .with_context(|| format!("no answer from http://{addr}/readyz"))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        // HTTP/1.1 200 OK
        match head.split(' ').nth(1) {
            Some("200") => Ok(writeln!(io::stdout(), "{}", body.trim_end())?),
            Some("503") => bail!("not ready: {}", body.trim_end()),
            _ => bail!(
                "http://{addr}/readyz is no gateway: {}",
                head.lines().next().unwrap_or("")
            ),
        }
    }

    fn ask(&self, addr: SocketAddr) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&addr, self.timeout)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        // HTTP/1.0: the answer ends with the connection, and has no chunks.
        stream.write_all(format!("GET /readyz HTTP/1.0\r\nHost: {addr}\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.take(MOST).read_to_string(&mut answer)?;
        Ok(answer)
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    units::parse_duration(text)
        .filter(|timeout| (Duration::from_millis(1)..=Duration::from_mins(5)).contains(timeout))
        .ok_or_else(|| "expected a duration such as \"500ms\" or \"3s\", at most 5m".into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0.0.0.0:80", "127.0.0.1:80")]
    #[case("[::]:80", "[::1]:80")]
    #[case("10.0.0.1:80", "10.0.0.1:80")]
    fn all_addresses_means_loopback(#[case] listen: SocketAddr, #[case] asked: SocketAddr) {
        assert_eq!(reachable(listen), asked);
    }
}
