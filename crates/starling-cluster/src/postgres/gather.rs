//! Reads of many callers in one statement.
//!
//! While a few statements are under way, those who ask wait together, and the next statement asks for all of them: a
//! crowd that comes back at once costs a few large statements, and who is alone waits for nobody. A statement begins
//! after all questions that it answers: no answer is older than its question.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use starling_core::ports::Unavailable;
use tokio::{sync::oneshot, time::timeout};

use super::error::{TooSlow, unavailable};

/// Statements under way at most. With two the server has one to do while the answers to the other are handed out.
const AT_ONCE: usize = 2;
/// Keys of one statement, unless a single caller has more: enough to hide what a statement costs by itself, and still
/// some milliseconds.
const KEYS: usize = 256;

type Answer<V> = Result<Vec<V>, Unavailable>;

/// One kind of read: from keys to as many values, in order.
type Statement<K, V> = Box<dyn Fn(Vec<K>) -> BoxFuture<'static, Answer<V>> + Send + Sync>;

/// See the module. Who waits is bounded by time, not by number, as for the pool.
pub(super) struct Gather<K, V> {
    shared: Arc<Shared<K, V>>,
    patience: Duration,
}

struct Shared<K, V> {
    statement: Statement<K, V>,
    waiting: Mutex<Waiting<K, V>>,
}

struct Waiting<K, V> {
    asked: VecDeque<Asked<K, V>>,
    under_way: usize,
}

struct Asked<K, V> {
    keys: Vec<K>,
    reply: oneshot::Sender<Answer<V>>,
}

/// Who waits for an answer, and how many of its values are theirs.
struct Caller<V> {
    count: usize,
    reply: oneshot::Sender<Answer<V>>,
}

impl<K: Send + 'static, V: Send + 'static> Gather<K, V> {
    /// A caller waits so long in all.
    pub(super) fn new(
        patience: Duration,
        statement: impl Fn(Vec<K>) -> BoxFuture<'static, Answer<V>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                statement: Box::new(statement),
                waiting: Mutex::new(Waiting {
                    asked: VecDeque::new(),
                    under_way: 0,
                }),
            }),
            patience,
        }
    }

    /// The values of these keys.
    pub(super) async fn all(&self, keys: Vec<K>) -> Answer<V> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, replied) = oneshot::channel();
        if self.shared.ask(Asked { keys, reply }) {
            // A task of its own: a caller that goes away takes nobody's answer along.
            tokio::spawn(Turn::take(self.shared.clone()));
        }
        match timeout(self.patience, replied).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(unavailable("a read ended without an answer"))),
            Err(_) => Err(unavailable(TooSlow {
                what: "a read",
                limit: self.patience,
            })),
        }
    }

    /// The value of one key.
    pub(super) async fn one(&self, key: K) -> Result<V, Unavailable> {
        let value = self.all(vec![key]).await?.pop();
        value.ok_or_else(|| unavailable("a read without an answer"))
    }
}

impl<K, V> Shared<K, V> {
    /// Whether this is to be the beginning of another turn.
    fn ask(&self, asked: Asked<K, V>) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.asked.push_back(asked);
        let is_free = waiting.under_way < AT_ONCE;
        waiting.under_way += usize::from(is_free);
        is_free
    }
}

/// Statements one after the other, until nobody waits.
struct Turn<K, V> {
    shared: Arc<Shared<K, V>>,
    is_over: bool,
}

impl<K, V> Turn<K, V> {
    async fn take(shared: Arc<Shared<K, V>>) {
        let mut turn = Self {
            shared,
            is_over: false,
        };
        while let Some((keys, callers)) = turn.next() {
            answer(callers, (turn.shared.statement)(keys).await);
        }
    }

    /// What is asked for next, and by whom, in the same order.
    fn next(&mut self) -> Option<(Vec<K>, Vec<Caller<V>>)> {
        let mut waiting = self.shared.waiting.lock();
        let (mut all, mut callers) = (Vec::new(), Vec::new());
        while let Some(asked) = waiting.asked.pop_front() {
            if asked.reply.is_closed() {
                continue;
            }
            if !all.is_empty() && all.len() + asked.keys.len() > KEYS {
                waiting.asked.push_front(asked);
                break;
            }
            callers.push(Caller {
                count: asked.keys.len(),
                reply: asked.reply,
            });
            all.extend(asked.keys);
        }
        if callers.is_empty() {
            // Under the lock: whoever asks from here on begins another turn.
            waiting.under_way -= 1;
            self.is_over = true;
            return None;
        }
        Some((all, callers))
    }
}

impl<K, V> Drop for Turn<K, V> {
    /// A statement that panicked must not take its place along.
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.waiting.lock().under_way -= 1;
        }
    }
}

fn answer<V>(callers: Vec<Caller<V>>, answer: Answer<V>) {
    // Who has gone away meanwhile is told nothing.
    match answer {
        Ok(values) => {
            let mut values = values.into_iter();
            for caller in callers {
                drop(
                    caller
                        .reply
                        .send(Ok(values.by_ref().take(caller.count).collect())),
                );
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for caller in callers {
                drop(caller.reply.send(Err(unavailable(OfAll(error.clone())))));
            }
        }
    }
}

/// The error of a statement, for each of its callers.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.source)]
struct OfAll(Arc<Unavailable>);

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all, poll};
    use tokio::sync::Semaphore;

    use super::*;

    /// Doubles numbers, as many statements as it is allowed, and notes how many keys each had. 666 is an error.
    struct Doubler {
        allowed: Arc<Semaphore>,
        statements: Arc<Mutex<Vec<usize>>>,
        gather: Gather<u32, u32>,
    }

    fn doubler() -> Doubler {
        let (allowed, statements) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (may, noted) = (allowed.clone(), statements.clone());
        let gather = Gather::new(Duration::from_secs(60), move |keys: Vec<u32>| {
            noted.lock().push(keys.len());
            let may = may.clone();
            async move {
                may.acquire().await.map_err(unavailable)?.forget();
                if keys.contains(&666) {
                    return Err(unavailable("too much"));
                }
                Ok(keys.into_iter().map(|key| key * 2).collect())
            }
            .boxed()
        });
        Doubler {
            allowed,
            statements,
            gather,
        }
    }

    impl Doubler {
        /// Keeps all statements that may be under way busy.
        async fn occupy(&self) {
            for n in 1..=AT_ONCE {
                let mut asking = Box::pin(self.gather.one(0));
                assert!(poll!(asking.as_mut()).is_pending());
                while self.statements.lock().len() < n {
                    tokio::task::yield_now().await;
                }
            }
            self.statements.lock().clear();
        }
    }

    #[tokio::test]
    async fn who_asks_meanwhile_is_answered_by_one_statement() {
        let doubler = doubler();
        doubler.occupy().await;
        let mut asking = Box::pin(join_all((0..100).map(|n| doubler.gather.all(vec![n, n + 1]))));
        assert!(poll!(asking.as_mut()).is_pending());
        doubler.allowed.add_permits(100);
        for (n, answer) in (0..).zip(asking.await) {
            assert_eq!(answer.unwrap(), [2 * n, 2 * n + 2]);
        }
        assert_eq!(*doubler.statements.lock(), [200]);
        assert_eq!(doubler.gather.one(4).await.unwrap(), 8, "and it goes on");
    }

    #[tokio::test]
    async fn a_statement_has_so_many_keys_and_those_of_a_caller_are_not_parted() {
        let doubler = doubler();
        doubler.occupy().await;
        let large = vec![1; KEYS + 1];
        let asked = [vec![1; KEYS - 1], vec![1], vec![1; 2], large, vec![1]];
        let mut asking = Box::pin(join_all(asked.map(|keys| doubler.gather.all(keys))));
        assert!(poll!(asking.as_mut()).is_pending());
        doubler.allowed.add_permits(100);
        let lengths: Vec<usize> = asking
            .await
            .into_iter()
            .map(|answer| answer.unwrap().len())
            .collect();
        assert_eq!(lengths, [KEYS - 1, 1, 2, KEYS + 1, 1]);
        assert_eq!(*doubler.statements.lock(), [KEYS, 2, KEYS + 1, 1]);
    }

    #[tokio::test]
    async fn an_error_is_told_to_all_and_those_who_went_away_are_not_asked_for() {
        let doubler = doubler();
        doubler.occupy().await;
        let mut gone = Box::pin(doubler.gather.one(1));
        assert!(poll!(gone.as_mut()).is_pending());
        drop(gone);
        let mut asking = Box::pin(join_all([666, 1].map(|key| doubler.gather.one(key))));
        assert!(poll!(asking.as_mut()).is_pending());
        doubler.allowed.add_permits(100);
        for answer in asking.await {
            let error = answer.unwrap_err();
            assert_eq!(
                (error.service, error.source.to_string().as_str()),
                ("postgres", "too much")
            );
        }
        assert_eq!(*doubler.statements.lock(), [2]);
        assert_eq!(doubler.gather.one(1).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_statement_that_panics_leaves_its_place() {
        let gather: Gather<u32, u32> = Gather::new(Duration::from_secs(60), |keys: Vec<u32>| {
            async move {
                assert_ne!(keys, [13]);
                Ok(keys)
            }
            .boxed()
        });
        for _ in 0..2 * AT_ONCE {
            assert!(gather.one(13).await.is_err());
        }
        assert_eq!(gather.one(1).await.unwrap(), 1);
    }
}
