//! A bus with faults.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use starling_core::ports::{Bus, BusEvent, BusReceiver, Topic, Unavailable};
use tokio::time::{Instant, sleep_until};

/// What the bus does wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It hands everything on in order, so much later.
    Late(Duration),
    /// It loses some, repeats some, and hands some on behind those that came after them; and says nothing of it.
    Bad,
    /// It ends subscriptions so much later.
    EndsLate(Duration),
}

/// See the module.
pub(crate) struct FaultyBus {
    bus: Arc<dyn Bus>,
    fault: Fault,
}

impl FaultyBus {
    pub(crate) fn new(bus: Arc<dyn Bus>, fault: Fault) -> Self {
        Self { bus, fault }
    }
}

#[async_trait::async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, messages: Vec<(Topic, Bytes)>) -> Result<(), Unavailable> {
        self.bus.publish(messages).await
    }

    async fn subscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        self.bus.subscribe(topics).await
    }

    async fn unsubscribe(&self, topics: &[Topic]) -> Result<(), Unavailable> {
        if let Fault::EndsLate(by) = self.fault {
            tokio::time::sleep(by).await;
        }
        self.bus.unsubscribe(topics).await
    }

    fn take_receiver(&self) -> Option<Box<dyn BusReceiver>> {
        Some(Box::new(FaultyReceiver {
            receiver: self.bus.take_receiver()?,
            fault: self.fault,
            arrived: 0,
            waiting: VecDeque::new(),
        }))
    }
}

struct FaultyReceiver {
    receiver: Box<dyn BusReceiver>,
    fault: Fault,
    /// How many arrived: which of them suffer is the same in every run.
    arrived: u64,
    /// What is to be handed on, and when. Kept here, so that whoever stops waiting loses nothing.
    waiting: VecDeque<(Instant, BusEvent)>,
}

impl FaultyReceiver {
    fn take(&mut self, event: BusEvent) {
        let now = Instant::now();
        self.arrived += 1;
        match self.fault {
            Fault::Late(by) => self.waiting.push_back((now + by, event)),
            Fault::EndsLate(_) => self.waiting.push_back((now, event)),
            Fault::Bad => match self.arrived % 7 {
                0 | 3 => {}
                1 => self.waiting.extend([(now, event.clone()), (now, event)]),
                5 => self.waiting.push_back((now + Duration::from_millis(20), event)),
                _ => self.waiting.push_front((now, event)),
            },
        }
    }
}

#[async_trait::async_trait]
impl BusReceiver for FaultyReceiver {
    async fn recv(&mut self) -> Option<BusEvent> {
        loop {
            let due = self.waiting.front().map(|(due, _)| *due);
            tokio::select! {
                biased;
                event = self.receiver.recv() => match event {
                    Some(event) => self.take(event),
                    None => return None,
                },
                () = async { sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                    return self.waiting.pop_front().map(|(_, event)| event);
                }
            }
        }
    }
}
