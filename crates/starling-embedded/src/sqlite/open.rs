//! Opening: the lock on the folder, connections, migrations.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::OpenError;

/// The database's file in the data folder.
pub(super) const DATABASE: &str = "starling.db";
/// The file that is locked while a process has the folder. SQLite's own locks are taken for a moment at a time, and
/// would let a second process append.
const LOCK: &str = "starling.lock";

/// Each brings the file from the version before to the one after; the first makes an empty file version 1.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_log.sql")];

/// Statements that a connection keeps prepared: all that it uses.
const STATEMENTS: usize = 64;

/// Makes the folder where it is missing, and keeps other processes out of it until the file is dropped.
pub(super) fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    let path = || folder.to_path_buf();
    let unusable = |source| OpenError::Folder { path: path(), source };
    make_folder(folder).map_err(unusable)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Makes the folder and those above it. Each new name is flushed to the disk: a database is no safer against a loss of
/// power than the folder that it lies in. SQLite does the same for its files.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new("/"));
    make_folder(above)?;
    std::fs::create_dir(folder)?;
    // Elsewhere a folder cannot be opened as a file, and its entries are on the disk already.
    if cfg!(unix) {
        let above = if above.as_os_str().is_empty() {
            Path::new(".")
        } else {
            above
        };
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// The writer's connection.
pub(super) fn connect(file: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // 64 MiB of pages: the ends of the busy rooms, where the next events go.
    connection.pragma_update(None, "cache_size", -65_536)?;
    // A checkpoint every 32 MiB rather than 4: a page that many commits wrote is written back once.
    connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
    // A WAL that grew under a long read is cut back to this.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

/// A reader's connection.
pub(super) fn connect_reader(file: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    // Not SQLITE_OPEN_READONLY: a reader of a WAL takes part in its shared index.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

/// Brings the file to the newest version, one transaction for each step.
pub(super) fn migrate(connection: &mut Connection, folder: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database {
        path: folder.to_path_buf(),
        source,
    };
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
    };
    let found = version(connection).map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::Newer {
            path: folder.to_path_buf(),
            found,
            known,
        });
    }
    for (to, migration) in (1..=known).zip(MIGRATIONS).skip(found as usize) {
        let mut step = || {
            let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            step.execute_batch(migration)?;
            step.pragma_update(None, "user_version", to)?;
            step.commit()
        };
        step().map_err(failed)?;
    }
    Ok(())
}
