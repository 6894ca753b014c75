//! Test tools of Starling.
//!
//! | module | what it holds |
//! |---|---|
//! | [`client`] | a client of the protocol that is not ours |
//! | [`conformance`] | one suite per port of starling-core; every backend runs it |
//! | [`mod@e2e`] | the end-to-end suite over real sockets; every backend runs it |
//! | [`fixtures`] | real services started on free ports in a temporary folder, and stopped when dropped |

pub mod client;
pub mod conformance;
pub mod e2e;
pub mod fixtures;
