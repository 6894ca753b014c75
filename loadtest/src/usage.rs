//! What a process has used: CPU time and memory, from /proc.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

/// `utime` and `stime` count in this unit on every Linux (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Usage {
    /// CPU time of all its threads, in user and kernel mode.
    pub cpu_s: f64,
    /// Resident memory now.
    pub rss_bytes: u64,
}

/// A process to look at.
#[derive(Debug, Clone)]
pub struct Process {
    folder: PathBuf,
}

impl Process {
    /// By its id.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self {
            folder: format!("/proc/{pid}").into(),
        }
    }

    /// This one.
    #[must_use]
    pub fn own() -> Self {
        Self {
            folder: "/proc/self".into(),
        }
    }

    /// What it has used.
    pub fn usage(&self) -> Result<Usage> {
        Ok(Usage {
            cpu_s: cpu_s(&self.read("stat")?).context("cannot read CPU time from /proc/PID/stat")?,
            rss_bytes: rss_bytes(&self.read("status")?).context("cannot read VmRSS from /proc/PID/status")?,
        })
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = self.folder.join(file);
        std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}: has the process ended?", path.display()))
    }
}

/// Fields 14 and 15 of proc(5)'s stat. The second field is a name in brackets that may hold anything.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some((utime + stime) as f64 / TICKS_PER_SECOND)
}

fn rss_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_files_of_proc() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 5";
        assert_eq!(cpu_s(stat), Some(2.0));
        assert_eq!(rss_bytes("VmPeak:\t9 kB\nVmRSS:\t    12 kB\n"), Some(12 << 10));
        assert_eq!(cpu_s("7 (x) S 1"), None);
        assert_eq!(rss_bytes("VmRSS:\t12"), None);
    }

    #[test]
    fn knows_what_this_process_used() {
        assert!(Process::own().usage().unwrap().rss_bytes > 100_000);
        assert!(Process::of(std::process::id()).usage().is_ok());
        let error = Process::of(u32::MAX).usage().unwrap_err();
        assert!(error.to_string().contains("has the process ended?"));
    }
}
