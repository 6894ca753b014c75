//! What the operating system says of the process: Linux only, elsewhere nothing is known.

use std::fs;

/// Clock ticks a second in `/proc/self/stat`: `USER_HZ`, 100 in Linux's ABI.
const TICKS: f64 = 100.0;

/// Resident memory in bytes.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Open file descriptors.
pub(crate) fn open_fds() -> Option<u64> {
    // Linux 6.2 and later say it as the folder's size; counting 100,000 entries would take a while.
    let known = fs::metadata("/proc/self/fd").ok()?.len();
    if known > 0 {
        return Some(known);
    }
    fs::read_dir("/proc/self/fd")
        .ok()
        .map(|entries| entries.count() as u64)
}

/// How many file descriptors the process may have open.
pub(crate) fn max_fds() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds of processor time that the process has used.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name comes second, in parentheses, and may hold anything; utime and stime are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields
        .split_whitespace()
        .skip(11)
        .map_while(|field| field.parse::<u64>().ok());
    Some((ticks.next()? + ticks.next()?) as f64 / TICKS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_says_it_all() {
        assert!(resident_bytes().unwrap() > 1 << 20);
        assert!(max_fds().unwrap() >= open_fds().unwrap());
        assert!(open_fds().unwrap() >= 3, "standard input, output and error");
        assert!(cpu_seconds().unwrap() >= 0.0);
    }
}
