//! A cluster: three gateways behind nginx, with Redis and Postgres, all on this machine with the generator.
//!
//! | module | what it holds |
//! |---|---|
//! | `site` | the cluster that is measured, and what its parts have used |
//! | `publish` | durable messages: as many as it takes, and a steady pace on one node and over three |
//! | `quiet` | what it costs when nobody says anything: the sweep, and presence |
//! | `rooms` | following and leaving 10,000 rooms |
//! | `chat` | runs the generator's `chat`, and does something half-way |
//! | `crowd` | 50,000 clients |
//! | `jitter` | 10,000 clients whose connections are cut, and a gateway that is restarted |
//! | `restart` | three gateways replaced one after the other, driven by the generator and k6 |

mod chat;
pub(super) mod crowd;
pub(super) mod jitter;
mod publish;
mod quiet;
pub(super) mod restart;
mod rooms;
mod site;

use anyhow::Result;

use self::site::Site;
use super::Rig;

pub(super) fn run(rig: &Rig) -> Result<String> {
    let mut site = Site::start(rig, 3, site::AT_ONCE)?;
    let parts = [
        publish::run(rig, &site)?,
        rooms::run(rig, &site)?,
        // Behind the load, so that the batch log is not empty; and the last of it ends Redis.
        quiet::run(rig, &mut site)?,
    ];
    Ok(parts.join("\n"))
}
