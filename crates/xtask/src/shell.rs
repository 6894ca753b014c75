//! Running other programs from the root of the repository.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

use crate::say;

/// Ends the stream of [`stream`]; no program writes this line by chance.
const END_OF_STREAM: &str = "\u{1}xtask: end of stream\u{1}";

/// The root of the repository.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("this crate stands in crates/xtask")
}

/// `program`, to be run in the root of the repository without a standard input.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this command, with `args`.
pub fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// The command line as it would be typed, without its environment.
pub fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy();
    let args = command
        .get_args()
        .map(|arg| format!(" {}", arg.to_string_lossy()));
    std::iter::once(program.into_owned()).chain(args).collect()
}

/// Shows and runs a command; a failing exit status is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let typed = typed(command);
    say::line(format_args!("$ {typed}"));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{typed}`"))?;
    if !status.success() {
        bail!("`{typed}` ended with {status}");
    }
    Ok(())
}

/// Runs a command and returns its standard output; its standard error goes to the terminal.
pub fn read(command: &mut Command) -> Result<String> {
    let typed = typed(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{typed}`"))?;
    if !output.status.success() {
        bail!("`{typed}` ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{typed}` wrote text that is not UTF-8"))
}

/// Whether the command runs and succeeds; its output is dropped, for this asks and does not do.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Shows and runs a command, and hands each line of its output (both streams, in order) to the terminal and to
/// `each`.
///
/// It returns when the command ends, even if a process that the command left behind still holds the stream
/// open: a leaked server must not hang the gate.
pub fn stream(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus> {
    let typed = typed(command);
    say::line(format_args!("$ {typed}"));
    let (reader, writer) = std::io::pipe()?;
    let mut end = writer.try_clone()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{typed}`"))?;
    std::thread::scope(|scope| {
        let status = scope.spawn(move || {
            let status = child.wait();
            // A failed write means that the reader has gone; its error is the one to report.
            end.write_all(format!("{END_OF_STREAM}\n").as_bytes()).and(status)
        });
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.with_context(|| format!("cannot read the output of `{typed}`"))?;
            let line = String::from_utf8_lossy(&line);
            let last = line.strip_suffix(END_OF_STREAM);
            if last != Some("") {
                let text = last.unwrap_or(&line);
                say::line(text);
                each(text);
            }
            if last.is_some() {
                break;
            }
        }
        match status.join() {
            Ok(status) => status.with_context(|| format!("cannot wait for `{typed}`")),
            Err(_) => bail!("the thread that waits for `{typed}` panicked"),
        }
    })
}

/// Looks for a program in PATH, then in `elsewhere`.
pub fn find(program: &str, elsewhere: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(elsewhere.iter().cloned());
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut sh = command("sh");
        sh.args(["-c", script]);
        sh
    }

    #[test]
    fn both_streams_arrive_in_order_and_without_the_end_mark() {
        let mut lines = Vec::new();
        let status = stream(
            &mut sh("echo one; echo two >&2; echo; printf three; exit 3"),
            |line| {
                lines.push(line.to_owned());
            },
        );
        assert_eq!(status.expect("sh runs").code(), Some(3));
        assert_eq!(lines, ["one", "two", "", "three"]);
    }

    #[test]
    fn a_process_left_behind_does_not_hold_the_stream() {
        let mut pid = None;
        let status = stream(&mut sh("sleep 600 & echo $!"), |line| {
            pid = pid.take().or(line.parse().ok())
        });
        assert!(status.expect("sh runs").success());
        let pid: u32 = pid.expect("sh names the process it left behind");
        assert!(succeeds(command("kill").arg(pid.to_string())), "it still runs");
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        assert_eq!(
            typed(Command::new("/usr/bin/cargo").args(["test", "-p"])),
            "cargo test -p"
        );
    }
}
