//! Standard input as events of the loop: a harness says what to do next, or that it is over, while the sockets go on
//! being served.

use std::{
    io::BufRead,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError, sync_channel},
    },
};

use mio::Waker;

/// What the harness said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing yet.
    Nothing,
    /// A line.
    Line(String),
    /// It is over.
    End,
}

/// Lines that a thread reads.
pub struct Lines(Receiver<String>);

impl Lines {
    /// Reads lines, and wakes the loop for each and for the end. The thread ends with its input.
    ///
    /// One line may wait: the harness sends the next when it has the answer to the last, and one that does not is held
    /// back by its pipe.
    pub fn watch(input: impl BufRead + Send + 'static, waker: Arc<Waker>) -> Self {
        let (sender, receiver) = sync_channel(1);
        std::thread::spawn(move || {
            // A failed wake costs only the time until the loop looks by itself.
            for line in input.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
                let _ = waker.wake();
            }
            drop(sender);
            let _ = waker.wake();
        });
        Self(receiver)
    }

    /// What was said since.
    #[must_use]
    pub fn next(&self) -> Said {
        match self.0.try_recv() {
            Ok(line) => Said::Line(line),
            Err(TryRecvError::Empty) => Said::Nothing,
            Err(TryRecvError::Disconnected) => Said::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn lines_wake_the_loop_and_the_end_is_told() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let lines = Lines::watch(&b"one\ntwo\n"[..], waker);
        let mut said = Vec::new();
        while said.last() != Some(&Said::End) {
            poll.poll(&mut Events::with_capacity(1), Some(Duration::from_secs(10)))
                .unwrap();
            loop {
                match lines.next() {
                    Said::Nothing => break,
                    other => said.push(other),
                }
                if said.last() == Some(&Said::End) {
                    break;
                }
            }
        }
        assert_eq!(
            said,
            [Said::Line("one".into()), Said::Line("two".into()), Said::End]
        );
    }
}
