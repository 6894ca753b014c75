//! A socket of the model: a kernel's buffer of a few frames, which its client empties when the plan says so.

use std::{
    io::{self, IoSlice},
    sync::Arc,
};

use parking_lot::Mutex;

use crate::conn::Socket;

/// Bytes that the kernel takes: less than a handful of frames, so that frames are cut anywhere.
const ROOM: usize = 500;

#[derive(Clone, Default)]
pub(super) struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Pipe {
    /// What the client reads.
    pub(super) fn read(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Socket for Pipe {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(bytes)])
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut buffer = self.0.lock();
        let before = buffer.len();
        for piece in pieces {
            let fits = piece.len().min(ROOM - buffer.len());
            buffer.extend_from_slice(&piece[..fits]);
        }
        match buffer.len() - before {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }
}
