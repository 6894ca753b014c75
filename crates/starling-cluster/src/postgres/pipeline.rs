//! Several requests in one round trip.

use std::task::Poll;

use futures_util::{FutureExt, future::BoxFuture, poll};
use tokio_postgres::{Client, Error, Row, Statement, types::ToSql};

/// A request that is sent when it is first polled.
pub(super) type Request<'a> = BoxFuture<'a, Result<Vec<Row>, Error>>;

/// A parameter of a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// A prepared statement. Without `needed` nothing is sent, and the reply is empty.
pub(super) fn ask<'a>(
    client: &'a Client,
    needed: bool,
    statement: &'a Statement,
    params: Vec<Param<'a>>,
) -> Request<'a> {
    async move {
        if needed {
            client.query(statement, &params).await
        } else {
            Ok(Vec::new())
        }
    }
    .boxed()
}

/// A statement without parameters and reply, such as `BEGIN`.
pub(super) fn tell<'a>(client: &'a Client, sql: &'a str) -> Request<'a> {
    async move { client.batch_execute(sql).await.map(|()| Vec::new()) }.boxed()
}

/// Sends the requests one behind the other without waiting in between, then takes the replies, which come in the same
/// order. Answers the first error.
pub(super) async fn pipelined<const N: usize>(requests: [Request<'_>; N]) -> Result<[Vec<Row>; N], Error> {
    let mut sent = Vec::with_capacity(N);
    for mut request in requests {
        let polled = poll!(&mut request);
        sent.push((request, polled));
    }
    let mut replies = [const { Vec::new() }; N];
    for (reply, (request, polled)) in replies.iter_mut().zip(sent) {
        *reply = match polled {
            Poll::Ready(done) => done?,
            Poll::Pending => request.await?,
        };
    }
    Ok(replies)
}
