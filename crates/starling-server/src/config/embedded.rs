//! The section `[embedded]`.

use std::{path::PathBuf, time::Duration};

use super::{
    kind::{Count, FilePath, Time},
    section::{Validate, section},
};

section! {
    /// The backend in one process: SQLite, and nothing to install.
    struct EmbeddedConfig("embedded") {
        /// Folder of the database, and of the secret that is made when none is set.
        data_dir: PathBuf = PathBuf::from("./data"), FilePath;
        /// Threads that read the database; one more writes.
        readers: usize = 2, Count(1..=64);
        /// How long to wait while another process holds the database.
        busy_timeout: Duration = Duration::from_secs(5), Time::millis(0..=60_000);
    }
}

impl Validate for EmbeddedConfig {}
