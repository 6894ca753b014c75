//! The frame layer against RFC 6455.
//!
//! | module | what it asks |
//! |---|---|
//! | `conformance` | the RFC's own examples, and cases after the categories of the Autobahn test suite |
//! | `properties` | what is encoded decodes to itself; reads may be cut anywhere |
//! | `differential` | the same bytes mean the same to tungstenite |
//! | `memory` | an idle decoder is tiny, a busy one holds no more than was sent |
//! | `speed` | a measurement, run on demand |

mod conformance;
mod differential;
mod memory;
mod properties;
mod speed;
mod support;
