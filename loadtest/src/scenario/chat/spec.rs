//! What a worker is told: it goes to it as one line of JSON.

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{crowd::Plan, link::Dial, target::Sources, token::Signer};

/// The part of a worker. Its rooms are its own, so that the account of a room is kept in one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Spec {
    /// Where to connect to: clients take turns.
    pub(super) urls: Vec<String>,
    /// Signs the tokens.
    pub(super) secret: String,
    /// Loopback addresses to connect from.
    pub(super) sources: usize,
    /// What the names of its rooms and users begin with.
    pub(super) prefix: String,
    /// Rooms.
    pub(super) rooms: usize,
    /// Clients in each.
    pub(super) members: usize,
    /// Messages a second in each room.
    pub(super) rate: f64,
    /// Length of a message.
    pub(super) content: usize,
    /// How long messages are said.
    pub(super) time: Duration,
    /// How long what is outstanding at the end may take.
    pub(super) drain: Duration,
    /// Whether connections are cut.
    pub(super) cut: Option<Cut>,
    /// Of 100 clients, those that do what `migrate` asks for.
    pub(super) migrate: u8,
}

/// How connections are cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Cut {
    /// After about so long, a fifth more or less by chance.
    pub(super) every: Duration,
    /// Then the client stays away so long.
    pub(super) offline: Duration,
}

impl Spec {
    pub(super) fn plan(&self) -> Plan {
        Plan {
            prefix: self.prefix.clone(),
            rooms: self.rooms,
            members: self.members,
        }
    }

    pub(super) fn dial(&self) -> Result<Dial> {
        Ok(Dial {
            targets: self.urls.iter().map(|url| url.parse()).collect::<Result<_>>()?,
            sources: Sources::new(self.sources)?,
            signer: Signer::new(&self.secret),
        })
    }
}
