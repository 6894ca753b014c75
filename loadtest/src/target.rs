//! Where to connect to, and from which addresses.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs},
    str::FromStr,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

/// How long connecting, and any answer while setting up, may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Connections from one source address to one port: of Linux's 28,000 ephemeral ports so many that a free one is found
/// quickly.
const PER_SOURCE: usize = 20_000;

/// A WebSocket endpoint: `ws://host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its address, resolved once.
    pub addr: SocketAddr,
    /// The `Host` header.
    pub host: String,
    /// The path with its query.
    pub path: String,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> Result<Self> {
        let Some(rest) = url.strip_prefix("ws://") else {
            bail!(
                "expected a URL such as ws://127.0.0.1:8080/ws (TLS is measured at the proxy that ends it)"
            );
        };
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/ws"),
        };
        let with_port = if host.rsplit(']').next().unwrap_or(host).contains(':') {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        let addr = with_port
            .to_socket_addrs()
            .with_context(|| format!("cannot resolve {host}"))?
            .next()
            .with_context(|| format!("{host} has no address"))?;
        Ok(Self {
            addr,
            host: host.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// The loopback addresses that connections come from: 127.0.0.1, 127.0.0.2 and so on. One address has 28,000 ports to
/// one server.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    count: u8,
}

impl Sources {
    /// So many addresses: 1 to 250.
    pub fn new(count: usize) -> Result<Self> {
        match u8::try_from(count) {
            Ok(count @ 1..=250) => Ok(Self { count }),
            _ => bail!("use 1 to 250 source addresses, not {count}"),
        }
    }

    /// Enough for so many connections at once.
    pub fn enough_for(connections: usize) -> Result<Self> {
        Self::new(connections.div_ceil(PER_SOURCE).max(1))
    }

    /// The address to bind for the connection with this index. None for 127.0.0.1, which the kernel takes by itself: it
    /// then looks for a port that is free towards this server, while a bound port must be free towards all, also of
    /// connections that ended within the last minute.
    fn of(self, index: usize) -> Option<Ipv4Addr> {
        let last = index % usize::from(self.count) + 1;
        let last = u8::try_from(last).ok().filter(|last| *last > 1)?;
        Some(Ipv4Addr::new(127, 0, 0, last))
    }
}

/// Connects, from the address of the connection with this index where the target is on loopback. The stream is
/// blocking, with a deadline for reads, and sends at once.
pub fn connect(addr: SocketAddr, sources: Sources, index: usize) -> Result<TcpStream> {
    let socket = open(addr, sources, index)?;
    socket
        .connect_timeout(&addr.into(), PATIENCE)
        .with_context(|| format!("cannot connect to {addr}"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

/// `connect` of a socket that does not block and is not connected at once, on Linux.
const EINPROGRESS: i32 = 115;

/// Begins to connect: the stream does not block, and is writable when it is connected. None when nobody listens there.
pub fn begin_to_connect(addr: SocketAddr, sources: Sources, index: usize) -> Result<Option<TcpStream>> {
    let socket = open(addr, sources, index)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&addr.into()) {
        Ok(()) => Ok(Some(socket.into())),
        Err(error) if error.raw_os_error() == Some(EINPROGRESS) => Ok(Some(socket.into())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot connect to {addr}: use more --sources")),
    }
}

fn open(addr: SocketAddr, sources: Sources, index: usize) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).context(
        "cannot open a socket: at most `ulimit -n` fit into one process, spread them over more processes",
    )?;
    if addr.ip().is_loopback()
        && addr.is_ipv4()
        && let Some(from) = sources.of(index)
    {
        let from = SocketAddr::new(IpAddr::V4(from), 0);
        socket
            .bind(&from.into())
            .with_context(|| format!("cannot bind {from}: use more --sources"))?;
    }
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_address_host_and_path() {
        let target: Target = "ws://127.0.0.1:81/socket?x=1".parse().unwrap();
        assert_eq!(target.addr, "127.0.0.1:81".parse().unwrap());
        assert_eq!(
            (target.host.as_str(), target.path.as_str()),
            ("127.0.0.1:81", "/socket?x=1")
        );
        let target: Target = "ws://[::1]".parse().unwrap();
        assert_eq!(target.addr, "[::1]:80".parse().unwrap());
        assert_eq!(target.path, "/ws");
        assert!("wss://127.0.0.1/ws".parse::<Target>().is_err());
    }

    #[test]
    fn sources_follow_one_another_and_are_enough() {
        let sources = Sources::new(3).unwrap();
        let seen: Vec<_> = (0..4)
            .map(|i| sources.of(i).map(|from| from.octets()[3]))
            .collect();
        assert_eq!(seen, [None, Some(2), Some(3), None]);
        assert_eq!(Sources::enough_for(1).unwrap().count, 1);
        assert_eq!(Sources::enough_for(20_001).unwrap().count, 2);
        assert!(Sources::new(0).is_err() && Sources::new(251).is_err());
    }

    #[test]
    fn a_connection_comes_from_its_source() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let _stream = connect(to, Sources::new(9).unwrap(), 4).unwrap();
        assert_eq!(
            listener.accept().unwrap().1.ip(),
            IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5))
        );
    }
}
