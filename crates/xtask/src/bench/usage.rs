//! CPU time of a process and of the processes that it has started, and the memory of one, from /proc.

use anyhow::{Context, Result};

/// `utime` and its like count in this unit on every Linux (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds so far: its own, those of its living children, and those of children that have ended.
pub(super) fn cpu_s(pid: u32) -> Result<f64> {
    let own = stat(&pid.to_string()).with_context(|| format!("process {pid} has ended"))?;
    let mut ticks = own.ticks + own.ended_children;
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        // Others may end while they are looked at.
        let child = name
            .to_str()
            .filter(|name| name.starts_with(|c: char| c.is_ascii_digit()))
            .and_then(stat)
            .filter(|child| child.parent == pid);
        ticks += child.map_or(0, |child| child.ticks + child.ended_children);
    }
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Resident memory, in bytes.
pub(super) fn rss_bytes(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.with_context(|| format!("process {pid} has ended"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.context("cannot read VmRSS from /proc/PID/status")? << 10)
}

#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    ticks: u64,
    ended_children: u64,
}

fn stat(pid: &str) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields 4 and 14 to 17 of proc(5)'s stat. The second field is a name in brackets that may hold anything.
fn parse(stat: &str) -> Option<Stat> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        ended_children: number(13)? + number(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = "7 (a b) c) S 3 2 3 4 5 6 7 8 9 10 150 50 20 1 20 0 1 0 5";
        let expected = Stat {
            parent: 3,
            ticks: 200,
            ended_children: 21,
        };
        assert_eq!(parse(stat), Some(expected));
        assert_eq!(parse("7 (x) S 1"), None);
    }

    #[test]
    fn a_process_that_has_ended_is_an_error() {
        assert!(cpu_s(std::process::id()).is_ok());
        assert!(rss_bytes(std::process::id()).is_ok_and(|bytes| bytes > 100_000));
        assert!(cpu_s(u32::MAX).is_err() && rss_bytes(u32::MAX).is_err());
    }
}
