//! Where the data lies, and why opening it can fail.

use std::{path::PathBuf, time::Duration};

/// How the embedded backend is set up.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Folder of the database. It is created where it is missing.
    pub data_dir: PathBuf,
    /// Threads that read the database; one more writes. At least one.
    pub readers: usize,
    /// How long to wait while another process, such as a backup, holds the database.
    pub busy_timeout: Duration,
    /// For how long a node's word on presence holds without a renewal.
    pub lease: Duration,
}

impl EmbeddedConfig {
    /// The defaults, in this folder.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            readers: 2,
            busy_timeout: Duration::from_secs(5),
            lease: Duration::from_secs(9),
        }
    }
}

/// Why the data folder was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder, or a file in it, cannot be made or read.
    #[error("the data folder {} cannot be used", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error("the data folder {} is in use by another process; stop it, or choose another folder", .path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A newer version of Starling wrote it.
    #[error(
        "the database in {} has schema version {found}, and this version of Starling knows up to {known}; \
         use the newer version that wrote it, or restore a backup", .path.display()
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The threads of the database cannot be started.
    #[error("the threads of the database cannot be started")]
    Threads(#[source] std::io::Error),
    /// SQLite cannot open or migrate it.
    #[error("the database in {} cannot be opened", .path.display())]
    Database {
        /// The folder.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}
