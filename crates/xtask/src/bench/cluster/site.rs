//! The cluster that is measured, and what its parts have used.

use std::{net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context, Result, bail};

use super::super::{LIMITS, Rig, usage};
use crate::{
    cluster::{Cluster, Interrupt, Place, Settings},
    http, machine, shell,
};

/// So that a scenario needs not wait half a minute until a node stops following a room.
const LINGER: (&str, &str) = ("STARLING_ROOMS__LINGER", "1s");

/// Lines of `drain` where nobody waits for a balancer.
pub(super) const AT_ONCE: &str = "readiness_delay = \"0s\"\nwindow = \"1s\"";

/// See the module. It is stopped, and its data removed, with this value.
pub(super) struct Site {
    pub(super) place: Place,
    cluster: Cluster,
    interrupt: Interrupt,
}

/// CPU seconds so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    pub(super) gateways: f64,
    pub(super) nginx: f64,
    pub(super) redis: f64,
    pub(super) postgres: f64,
}

impl Used {
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            gateways: self.gateways - before.gateways,
            nginx: self.nginx - before.nginx,
            redis: self.redis - before.redis,
            postgres: self.postgres - before.postgres,
        }
    }
}

impl Site {
    /// Starts so many gateways, whose section `drain` has these lines.
    pub(super) fn start(rig: &Rig, nodes: u16, drain: &str) -> Result<Self> {
        let interrupt = Interrupt::listen()?;
        let gateways: Vec<_> = LIMITS
            .iter()
            .copied()
            .chain([LINGER, ("STARLING_TELEMETRY__LOG_LEVEL", "warn")])
            .collect();
        let settings = Settings {
            folder: "bench/cluster",
            nodes,
            port: None,
            release: true,
            drain,
            gateways: &gateways,
            postgres: &["shared_preload_libraries=pg_stat_statements"],
        };
        let place = Place::fresh(&rig.target, &settings)?;
        let cluster = Cluster::start(&place, &interrupt)?;
        let site = Self {
            place,
            cluster,
            interrupt,
        };
        site.ask_postgres("CREATE EXTENSION pg_stat_statements").context(
            "Postgres needs its own extension pg_stat_statements (Debian has it in postgresql-15)",
        )?;
        Ok(site)
    }

    /// The generator with a scenario's arguments: to the first gateway, or through nginx to all.
    pub(super) fn generator(&self, rig: &Rig, through_nginx: bool, args: &[&str]) -> Result<Command> {
        let first = self.place.gateways.first().context("a cluster has gateways")?;
        if through_nginx {
            return Ok(self.generator_to(rig, &[self.place.nginx], args));
        }
        let mut command = self.generator_to(rig, &[first.addr], args);
        command.args(["--server-pid", &self.cluster.pid(&first.name)?.to_string()]);
        Ok(command)
    }

    /// The generator, whose connections take turns with these addresses.
    pub(super) fn generator_to(&self, rig: &Rig, to: &[SocketAddr], args: &[&str]) -> Command {
        let urls: Vec<String> = to.iter().map(|addr| format!("ws://{addr}/ws")).collect();
        let mut command = rig.loadtest();
        command
            .args(args)
            .args(["--json", "--url", &urls.join(",")])
            .env("STARLING_AUTH__HS256_SECRET", &self.place.secret);
        command
    }

    /// The addresses of the gateways.
    pub(super) fn gateways(&self) -> Vec<SocketAddr> {
        self.place.gateways.iter().map(|gateway| gateway.addr).collect()
    }

    /// The names of the gateways.
    pub(super) fn names(&self) -> Vec<String> {
        self.place
            .gateways
            .iter()
            .map(|gateway| gateway.name.clone())
            .collect()
    }

    /// Resident memory of all gateways.
    pub(super) fn gateways_rss(&self) -> Result<u64> {
        let of = |name: &String| usage::rss_bytes(self.cluster.pid(name)?);
        self.names().iter().map(of).sum()
    }

    /// Ends a gateway and starts it again: in order, or by SIGKILL.
    pub(super) fn restart(&mut self, name: &str, in_order: bool) -> Result<()> {
        if in_order {
            self.cluster.end(name)?;
        } else {
            self.cluster.kill(name)?;
        }
        self.cluster.start_again(&self.place, name, &self.interrupt)
    }

    pub(super) fn used(&self) -> Result<Used> {
        let of = |name: &str| usage::cpu_s(self.cluster.pid(name)?);
        let gateways = self.place.gateways.iter().map(|gateway| of(&gateway.name));
        Ok(Used {
            gateways: gateways.sum::<Result<f64>>()?,
            nginx: of("nginx")?,
            // It may be away.
            redis: of("redis").unwrap_or(0.0),
            postgres: of("postgres")?,
        })
    }

    /// Waits so long.
    pub(super) fn rest(&self, span: Duration) -> Result<()> {
        if self.interrupt.within(span) {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Ends Redis.
    pub(super) fn end_redis(&mut self) -> Result<()> {
        self.cluster.end("redis")
    }

    /// What a query answers: a line for each row, its columns separated by `|`.
    pub(super) fn ask_postgres(&self, query: &str) -> Result<String> {
        let mut psql = shell::command(machine::program("psql")?);
        psql.args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--dbname",
            &self.place.postgres_url(),
            "--command",
            query,
        ]);
        Ok(shell::read(&mut psql)?.trim().to_owned())
    }

    /// A number of `INFO` of Redis: of the line that begins with this field, or behind `name=` in it.
    pub(super) fn redis_count(&self, section: &str, field: &str, name: Option<&str>) -> Result<f64> {
        let info = http::exchange(self.place.redis, &format!("INFO {section}\r\nQUIT\r\n"))?;
        Ok(count(&info, field, name))
    }
}

/// 0 for a command that Redis was never told.
fn count(info: &str, field: &str, name: Option<&str>) -> f64 {
    let value = info
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = match name {
        None => value,
        Some(name) => value.and_then(|value| {
            value
                .split(',')
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        }),
    };
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0.0)
}

impl Drop for Site {
    fn drop(&mut self) {
        self.cluster.stop();
        // What cannot be removed lies in the target folder and harms nobody.
        let _ = self.place.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_redis_is_found_by_its_field_and_name() {
        let info = "# Stats\r\ntotal_commands_processed:17\r\ncmdstat_subscribe:calls=3,usec=12,usec_per_call=4.00\r\n";
        assert_eq!(count(info, "total_commands_processed", None), 17.0);
        assert_eq!(count(info, "cmdstat_subscribe", Some("usec")), 12.0);
        assert_eq!(count(info, "cmdstat_ping", Some("calls")), 0.0);
    }
}
