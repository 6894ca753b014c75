//! The rules, tried without a database. [`world`] is the backend of these tests.

mod actions;
mod batches;
mod cast;
mod direct;
mod members;
mod messages;
mod moderation;
mod properties;
mod random;
mod restrictions;
mod retries;
mod rooms;
mod tables;
mod world;
