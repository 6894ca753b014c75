//! The commands of `starling`, one file each.

pub(crate) mod chat;
pub(crate) mod config;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod token;
