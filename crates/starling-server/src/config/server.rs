//! The section `[server]`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    kind::{Address, Count, List, Name, Network, Optional, Size, Time},
    section::{Validate, section},
};

section! {
    /// The listening socket, and what the node takes from a connection.
    struct ServerConfig("server") {
        /// Address and port to listen on. Beyond loopback, auth must name a secret or a public key.
        /// The variable PORT replaces only the port.
        listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), Address;
        /// Further addresses to listen on: a proxy has about 28,000 connections to each address and port.
        listen_also: Vec<SocketAddr> = Vec::new(), List(Address);
        /// Name of this node, different for every node of a cluster. Made at random when it is not set.
        node_id: Option<String> = None, Optional(Name, "\"node-1\"");
        /// Where others reach this node, as `starling nodes` shows it. The listening address when it is not set.
        advertise: Option<String> = None, Optional(Name, "\"10.0.3.7:8080\"");
        /// How long a client may take to send the head of a request, the WebSocket handshake included.
        header_timeout: Duration = Duration::from_secs(10), Time::secs(1..=300);
        /// Connections that this node holds at most; further ones are refused with 503.
        max_connections: usize = 100_000, Count(1..=10_000_000);
        /// Proxies whose X-Forwarded-For header is believed. Others are taken for the client themselves.
        trusted_proxies: Vec<IpNet> = Vec::new(), List(Network);
        /// Send buffer of the kernel for each socket. A large one hides a slow reader: what the kernel holds
        /// counts for no other limit.
        sndbuf_bytes: usize = 32 << 10, Size(4 << 10..=4 << 20);
    }
}

impl ServerConfig {
    /// An address that others than this machine can reach.
    pub(crate) fn beyond_loopback(&self) -> Option<SocketAddr> {
        let mut all = std::iter::once(&self.listen).chain(&self.listen_also);
        all.find(|addr| !addr.ip().is_loopback()).copied()
    }
}

impl Validate for ServerConfig {}
