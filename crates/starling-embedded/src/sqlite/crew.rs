//! A bounded queue and the threads that serve it.

use std::{sync::Arc, thread::JoinHandle};

use parking_lot::Mutex;
use starling_core::ports::Unavailable;
use tokio::sync::mpsc;

use super::stopped;

/// Threads that serve one queue until it is closed and empty. Dropping the crew closes the queue.
pub(super) struct Crew<J> {
    jobs: Mutex<Option<mpsc::Sender<J>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The queue as its threads see it.
pub(super) struct Queue<J>(Arc<Mutex<mpsc::Receiver<J>>>);

impl<J> Queue<J> {
    /// Waits for a job; `None` when the queue is closed and empty.
    pub(super) fn next(&self) -> Option<J> {
        // The idle threads queue up at the lock, and one of them at the channel.
        self.0.lock().blocking_recv()
    }

    /// A job that waits already.
    pub(super) fn waiting(&self) -> Option<J> {
        self.0.lock().try_recv().ok()
    }
}

impl<J: Send + 'static> Crew<J> {
    /// Starts a thread for each of these tools. At most `bound` jobs wait; who gives one more waits until there is room.
    pub(super) fn start<T: Send + 'static>(
        name: &str,
        bound: usize,
        tools: Vec<T>,
        serve: impl Fn(Queue<J>, T) + Clone + Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(bound);
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::new();
        for tool in tools {
            let (queue, serve) = (Queue(queue.clone()), serve.clone());
            let thread = std::thread::Builder::new().name(name.into());
            threads.push(thread.spawn(move || serve(queue, tool))?);
        }
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            threads: Mutex::new(threads),
        })
    }

    /// Puts a job into the queue.
    pub(super) async fn give(&self, job: J) -> Result<(), Unavailable> {
        let jobs = self.jobs.lock().clone();
        let Some(jobs) = jobs else {
            return Err(stopped());
        };
        jobs.send(job).await.map_err(|_| stopped())
    }

    /// Takes no more jobs, and waits until those given are done and the threads have ended.
    pub(super) async fn close(&self) {
        drop(self.jobs.lock().take());
        let threads = std::mem::take(&mut *self.threads.lock());
        let join = move || {
            threads
                .into_iter()
                .filter_map(|thread| thread.join().err())
                .count()
        };
        match tokio::task::spawn_blocking(join).await {
            Ok(0) => {}
            Ok(panicked) => tracing::error!(panicked, "threads of the database had panicked"),
            Err(error) => tracing::error!(%error, "could not wait for the threads of the database"),
        }
    }
}
