//! One file per command. Each has `Args` and `run`, which answers with the exit code: an `Err` means that the
//! command could not do its work, a failing code that it did and found a fault.

pub mod check;
pub mod faults;
pub mod fuzz;
mod ops;
pub mod test;
pub mod web;
