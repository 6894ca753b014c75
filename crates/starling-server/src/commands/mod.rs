//! The commands of `starling`, one file each.

pub(crate) mod chat;
pub(crate) mod config;
pub(crate) mod health;
pub(crate) mod nodes;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod token;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a server that listens there is reached from this machine.
pub(crate) fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    listen
}
