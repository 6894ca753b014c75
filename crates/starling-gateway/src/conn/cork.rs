//! Several answers by one write. A burst of commands is answered by as many small frames, and a write costs more than all
//! that comes to it.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::{Conn, Socket};

/// While it lives, small frames to its socket wait for each other. What holds it must not wait for anything meanwhile.
pub(crate) struct Cork<K: Socket = TcpStream>(Arc<Conn<K>>);

impl<K: Socket> Cork<K> {
    pub(crate) fn new(conn: &Arc<Conn<K>>) -> Self {
        conn.out.lock().cork();
        Self(conn.clone())
    }

    /// Whether it holds what is sent there.
    pub(crate) fn is_of(&self, conn: &Arc<Conn<K>>) -> bool {
        Arc::ptr_eq(&self.0, conn)
    }
}

impl<K: Socket> Drop for Cork<K> {
    fn drop(&mut self) {
        let mut out = self.0.out.lock();
        if out.uncork() && out.is_held() {
            self.0.flush(&mut out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, IoSlice};

    use bytes::Bytes;
    use parking_lot::Mutex;
    use starling_protocol::Codec;

    use super::*;
    use crate::{
        conn::{Class, Sent, outbox::Bounds},
        metrics::Metrics,
    };

    /// A socket that takes so many bytes more, and remembers each write.
    struct Kernel {
        room: Mutex<usize>,
        writes: Mutex<Vec<String>>,
    }

    impl Socket for Kernel {
        fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.try_write_vectored(&[IoSlice::new(bytes)])
        }

        fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut room = self.room.lock();
            let mut taken: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            taken.truncate(*room);
            if taken.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            *room -= taken.len();
            let len = taken.len();
            self.writes.lock().push(String::from_utf8(taken).expect("a text"));
            Ok(len)
        }
    }

    fn conn(room: usize) -> Arc<Conn<Kernel>> {
        let bounds = Bounds {
            bytes: 100_000,
            frames: 100,
        };
        let kernel = Kernel {
            room: room.into(),
            writes: Mutex::default(),
        };
        Arc::new(Conn::new(
            1,
            Codec::Json,
            kernel,
            bounds,
            Arc::new(Metrics::default()),
        ))
    }

    fn send(conn: &Conn<Kernel>, text: &str) {
        let taken = conn.send(&Bytes::copy_from_slice(text.as_bytes()), Class::Reply);
        assert_eq!(taken, Sent::Taken);
    }

    fn writes(conn: &Conn<Kernel>) -> Vec<String> {
        std::mem::take(&mut *conn.stream.writes.lock())
    }

    #[test]
    fn what_is_sent_under_corks_goes_out_at_the_end_of_the_last() {
        let conn = conn(1000);
        let first = Cork::new(&conn);
        send(&conn, "a");
        let second = Cork::new(&conn);
        drop(first);
        send(&conn, "b");
        let whole = Bytes::from_static(b"cd");
        let parts = [(Bytes::from_static(b"c"), Class::Durable)];
        conn.send_batch(&whole, parts.iter().map(|(part, class)| (part, *class)))
            .expect("it is taken");
        assert!(writes(&conn).is_empty() && conn.is_drained() && !conn.is_clear());
        drop(second);
        assert_eq!(writes(&conn), ["abcd"]);
        send(&conn, "e");
        assert_eq!(writes(&conn), ["e"]);
        assert_eq!(
            conn.metrics
                .outbox_bytes
                .load(std::sync::atomic::Ordering::Relaxed),
            0
        );
    }

    #[test]
    fn what_is_large_waits_for_nothing_and_overtakes_nothing() {
        let conn = conn(1_000_000);
        let cork = Cork::new(&conn);
        let large = "x".repeat(20_000);
        send(&conn, &large);
        assert_eq!(writes(&conn), [large.as_str()]);
        send(&conn, "a");
        send(&conn, &large);
        assert_eq!(writes(&conn), ["a", &large]);
        // So many are all that one write takes.
        for _ in 0..16 {
            send(&conn, "b");
        }
        assert!(writes(&conn).is_empty());
        send(&conn, "c");
        assert_eq!(writes(&conn), ["b".repeat(16).as_str(), "c"]);
        drop(cork);
        assert!(writes(&conn).is_empty());
    }

    #[test]
    fn what_the_kernel_does_not_take_waits_in_order() {
        let conn = conn(2);
        let cork = Cork::new(&conn);
        send(&conn, "abc");
        drop(cork);
        assert!(!conn.is_drained(), "now it waits for the kernel");
        // Nothing is held behind what waits, as nothing would let it go.
        let cork = Cork::new(&conn);
        send(&conn, "d");
        drop(cork);
        assert_eq!(writes(&conn), ["ab"]);
        *conn.stream.room.lock() = 100;
        assert!(conn.drain());
        assert_eq!(writes(&conn), ["cd"]);
    }
}
