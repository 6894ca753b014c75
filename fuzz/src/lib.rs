//! What the fuzz targets share, one module for each kind of input.

pub mod command;
pub mod ws;
