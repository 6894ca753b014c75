//! One TCP connection: HTTP, until a handshake makes a WebSocket of it.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use bytes::Bytes;
use hyper::{
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use starling_protocol::Codec;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tower::ServiceExt;

use super::PeerAddr;
use crate::{
    auth::Identity,
    conn::{Class, Conn, Cork, outbox::Bounds, task::ConnTask},
    node::Node,
    session,
};

/// How long a request that is being carried out may take when the node stops.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What a handshake was answered with.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) codec: Codec,
    /// Whose token came with it.
    pub(super) identity: Option<Identity>,
}

/// By which the handler of a handshake says that the connection is a WebSocket behind its answer. An extension of every
/// request.
#[derive(Debug, Clone, Default)]
pub(super) struct Upgrade(Arc<OnceLock<Accepted>>);

impl Upgrade {
    /// Whether it was the first to say so.
    pub(super) fn accept(&self, accepted: Accepted) -> bool {
        self.0.set(accepted).is_ok()
    }

    fn is_accepted(&self) -> bool {
        self.0.get().is_some()
    }
}

/// Serves HTTP, and hands the connection on when it has become a WebSocket.
pub(crate) async fn serve(node: Arc<Node>, stream: TcpStream, peer: SocketAddr, router: Router) {
    let upgrade = Upgrade::default();
    let io = Io {
        stream: TokioIo::new(stream),
        upgrade: upgrade.clone(),
        answer: Vec::new(),
    };
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let extensions = request.extensions_mut();
        extensions.insert(PeerAddr(peer));
        extensions.insert(upgrade.clone());
        router.clone().oneshot(request)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(node.config.header_timeout)
        .serve_connection(io, service);
    let served = tokio::select! {
        served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => served,
        () = node.stop.cancelled() => {
            // What waits for its lane is answered; a connection without a request ends at once.
            Pin::new(&mut connection).graceful_shutdown();
            if tokio::time::timeout(LAST_ANSWER, connection).await.is_err() {
                tracing::debug!(%peer, "an HTTP connection did not end in time");
            }
            return;
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, %peer, "an HTTP connection ended with an error");
        return;
    }
    let http1::Parts { io, read_buf, .. } = connection.into_parts();
    let Io {
        stream,
        upgrade,
        answer,
    } = io;
    let mut stream = stream.into_inner();
    match Arc::try_unwrap(upgrade.0).map(OnceLock::into_inner) {
        Ok(Some(accepted)) => begin(node, stream, (answer.into(), read_buf), accepted).await,
        _ => {
            if let Err(error) = stream.shutdown().await {
                tracing::debug!(%error, %peer, "an HTTP connection was ended by its peer");
            }
        }
    }
}

/// From the answered handshake to a connection that lives; bytes are what is still to be written, and what was read
/// already.
async fn begin(node: Arc<Node>, stream: TcpStream, (answer, leftover): (Bytes, Bytes), accepted: Accepted) {
    let conn = Arc::new(Conn::new(
        node.next_key(),
        accepted.codec,
        stream,
        Bounds::of(&node.config.limits),
        node.metrics.clone(),
    ));
    node.metrics.connections.up();
    node.metrics.connections_total.inc();
    // The answer goes out with `welcome`: a write costs more than all else here. It may wait for the session, since
    // nobody sends anything before that is open.
    let cork = Cork::new(&conn);
    conn.send(&answer, Class::Reply);
    let session = match accepted.identity {
        Some(identity) => session::open(&node, &conn, identity).await,
        None => {
            node.strangers.lock().insert(conn.key, conn.clone());
            None
        }
    };
    drop(cork);
    // A task of its own, and a small one: what came before needs much, and ends here.
    node.tasks
        .spawn(live(ConnTask::new(node.clone(), conn, session, leftover)));
}

/// A connection while it lives, and its end. 100,000 of these wait at once.
#[expect(clippy::manual_async_fn, reason = "its argument would be kept twice")]
fn live(mut task: ConnTask) -> impl Future<Output = ()> {
    // By reference, since an awaited value is kept a second time.
    async move {
        let ended = (&mut task).await;
        let (node, key) = task.belongs_to();
        node.strangers.lock().remove(&key);
        // In a box: it would make every living connection as large as the end of one.
        Box::pin(session::close(&node, ended)).await;
        node.metrics.connections.down();
    }
}

/// What hyper reads and writes. The answer to an accepted handshake is the last that it writes: kept back for who goes on.
struct Io {
    stream: TokioIo<TcpStream>,
    upgrade: Upgrade,
    answer: Vec<u8>,
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.upgrade.is_accepted() {
            self.answer.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.upgrade.is_accepted() {
            let before = self.answer.len();
            for piece in pieces {
                self.answer.extend_from_slice(piece);
            }
            return Poll::Ready(Ok(self.answer.len() - before));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }
}
