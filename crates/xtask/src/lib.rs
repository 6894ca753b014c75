//! Developer commands: `cargo xtask test`, `cargo xtask check`, `cargo xtask cluster`, `cargo xtask bench`,
//! `cargo xtask faults`, `cargo xtask fuzz`, `cargo xtask web`.
//!
//! The same commands run by hand and in CI (`.ci/run`). This crate is never shipped; it compiles in seconds
//! because everything else waits for it.
//!
//! - [`commands`]: one file per command. To add one, write the file, then add a variant to `Command` in `main.rs`.
//! - [`mod@bench`]: what one node can do, measured.
//! - [`cluster`]: Redis, Postgres, gateways and nginx as processes of this machine.
//! - [`arrows`]: which crate may depend on which. The rules are data in [`arrows::rules`].
//! - [`machine`]: the programs that the tests need, and how they are installed.
//! - [`python`]: the virtualenv of the end-to-end suite.
//! - [`libtest`]: reads the output of `cargo test`.
//! - [`shell`] runs other programs, [`mod@http`] asks them, [`say`] writes to the terminal.

pub mod arrows;
pub mod bench;
pub mod cluster;
pub mod commands;
pub mod http;
pub mod libtest;
pub mod machine;
pub mod python;
pub mod say;
pub mod shell;
