//! The load generator: many sockets in one process, with little CPU of its own, and an account of every delivery.
//!
//! Setting up is plain and blocking, on a few threads that end with it; measuring is one thread and one epoll loop over
//! all sockets, which share one read buffer. So the server has the machine for itself, as far as that goes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`target`] | where to connect to, and from which addresses |
//! | [`token`] | the tokens of its users |
//! | [`link`] | one connection while it is set up: upgrade, commands and their replies |
//! | [`crowd`] | many connections, joined in rooms without telling the rooms about each |
//! | [`herd`] | many connections while they are measured |
//! | [`frames`] | counts messages without reading them |
//! | [`speech`] | what it says: messages and signals |
//! | [`envelope`] | reads of a frame what the account needs |
//! | [`ledger`] | the account: lost, repeated, reordered, never sent |
//! | [`latency`], [`usage`] | histograms, and what a process used |
//! | [`random`] | numbers by chance that can be had again |
//! | [`lines`] | standard input as events of the loop |
//! | [`plain`], [`baseline`] | the other side of a comparison: a server that only calls send(), and how to talk to it |
//! | [`scenario`] | what is measured: one file each |
//! | [`report`] | results for people and for programs |
//! | [`live`] | progress while a test runs |
//! | [`page`], [`plot`] | a page of HTML with plots |
//!
//! To add a scenario: a file in `scenario/` with its `Args` and `run`, and a variant of `Command` in `main.rs`.

pub mod baseline;
pub mod crowd;
pub mod envelope;
pub mod frames;
pub mod herd;
pub mod latency;
pub mod ledger;
pub mod lines;
pub mod link;
pub mod live;
pub mod page;
pub mod plain;
pub mod plot;
pub mod random;
pub mod report;
pub mod scenario;
pub mod speech;
pub mod target;
pub mod token;
pub mod usage;
