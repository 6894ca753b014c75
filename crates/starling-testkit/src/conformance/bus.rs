//! The bus: who hears what, in which order, and that a loss is never silent.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use starling_core::ports::{Bus, BusEvent, BusReceiver, Topic};

use super::{
    BusStage,
    desk::{room_id, user_id},
    suite::suite,
};

/// How long a case waits for what must come. Only a failing case waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

fn room(name: &str) -> Topic {
    Topic::Room(room_id(name))
}

async fn publish(bus: &dyn Bus, topic: &Topic, payload: &str) {
    bus.publish(vec![(topic.clone(), Bytes::copy_from_slice(payload.as_bytes()))])
        .await
        .unwrap();
}

/// The next message. Changes of the link are none; a gap is not expected here.
async fn hear(receiver: &mut Box<dyn BusReceiver>) -> (Topic, String) {
    loop {
        let event = tokio::time::timeout(PATIENCE, receiver.recv())
            .await
            .expect("something arrives");
        match event.expect("the bus is open") {
            BusEvent::Delivered { topic, payload } => {
                return (topic, String::from_utf8(payload.to_vec()).expect("a text"));
            }
            BusEvent::Gap(topics) => panic!("a gap for {topics:?}"),
            BusEvent::Reconnected | BusEvent::Disconnected => {}
        }
    }
}

async fn a_node_among_others_is_not_alone(stage: &dyn BusStage) {
    let nodes = [stage.bus().await, stage.bus().await];
    // Else it would publish nothing, and the other would hear of everything by its sweep only.
    assert!(nodes.iter().all(|node| !node.is_alone()));
}

async fn every_subscribed_node_hears_the_publisher_included(stage: &dyn BusStage) {
    let nodes = [stage.bus().await, stage.bus().await, stage.bus().await];
    let mut receivers: Vec<_> = nodes
        .iter()
        .map(|node| node.take_receiver().expect("the receiver"))
        .collect();
    assert!(
        nodes.iter().all(|node| node.take_receiver().is_none()),
        "a node has one pump"
    );
    for node in &nodes[..2] {
        node.subscribe(&[room("r")]).await.unwrap();
    }
    nodes[2].subscribe(&[room("other")]).await.unwrap();
    publish(&*nodes[0], &room("r"), "hello").await;
    publish(&*nodes[0], &room("other"), "elsewhere").await;
    for receiver in &mut receivers[..2] {
        assert_eq!(hear(receiver).await, (room("r"), "hello".into()));
    }
    assert_eq!(hear(&mut receivers[2]).await, (room("other"), "elsewhere".into()));
}

async fn kinds_of_topics_are_apart(stage: &dyn BusStage) {
    let bus = stage.bus().await;
    let mut receiver = bus.take_receiver().unwrap();
    let topics = [
        room("x"),
        Topic::User(user_id("x")),
        Topic::Presence(user_id("x")),
        Topic::Nodes,
    ];
    for (n, topic) in topics.iter().enumerate() {
        bus.subscribe(std::slice::from_ref(topic)).await.unwrap();
        let all = topics
            .iter()
            .map(|topic| (topic.clone(), Bytes::from(n.to_string())))
            .collect();
        bus.publish(all).await.unwrap();
        let mut heard = HashSet::new();
        for _ in 0..=n {
            let (topic, payload) = hear(&mut receiver).await;
            assert_eq!(payload, n.to_string());
            heard.insert(topic);
        }
        assert_eq!(heard, topics[..=n].iter().cloned().collect());
    }
}

async fn one_publishers_messages_keep_their_order(stage: &dyn BusStage) {
    let (publisher, listener) = (stage.bus().await, stage.bus().await);
    let mut receiver = listener.take_receiver().unwrap();
    listener.subscribe(&[room("a"), room("b")]).await.unwrap();
    for batch in 0..50 {
        let messages = (0..20).map(|n| {
            let topic = if n % 2 == 0 { room("a") } else { room("b") };
            (topic, Bytes::from((batch * 20 + n).to_string()))
        });
        publisher.publish(messages.collect()).await.unwrap();
    }
    let mut next = [0, 1];
    for _ in 0..1000 {
        let (topic, payload) = hear(&mut receiver).await;
        let next = &mut next[usize::from(topic == room("b"))];
        assert_eq!(payload, next.to_string());
        *next += 2;
    }
}

async fn subscribing_twice_is_the_same_as_once(stage: &dyn BusStage) {
    let bus = stage.bus().await;
    let mut receiver = bus.take_receiver().unwrap();
    bus.subscribe(&[room("r"), room("r")]).await.unwrap();
    bus.subscribe(&[room("r")]).await.unwrap();
    bus.subscribe(&[]).await.unwrap();
    publish(&*bus, &room("r"), "one").await;
    publish(&*bus, &room("r"), "two").await;
    assert_eq!(hear(&mut receiver).await.1, "one");
    assert_eq!(hear(&mut receiver).await.1, "two");
    bus.unsubscribe(&[room("r"), room("never")]).await.unwrap();
    bus.subscribe(&[room("s")]).await.unwrap();
    silent_on(&*bus, &mut receiver, &room("r"), &room("s")).await;
}

async fn what_is_unsubscribed_falls_silent_and_can_come_back(stage: &dyn BusStage) {
    let (publisher, listener) = (stage.bus().await, stage.bus().await);
    let mut receiver = listener.take_receiver().unwrap();
    listener.subscribe(&[room("r"), room("s")]).await.unwrap();
    publish(&*publisher, &room("r"), "heard").await;
    assert_eq!(hear(&mut receiver).await, (room("r"), "heard".into()));
    listener.unsubscribe(&[room("r")]).await.unwrap();
    silent_on(&*publisher, &mut receiver, &room("r"), &room("s")).await;
    listener.subscribe(&[room("r")]).await.unwrap();
    publish(&*publisher, &room("r"), "again").await;
    assert_eq!(hear(&mut receiver).await, (room("r"), "again".into()));
}

/// Publishes on both topics until only the loud one is heard: deliveries on their way may still arrive.
async fn silent_on(bus: &dyn Bus, receiver: &mut Box<dyn BusReceiver>, silent: &Topic, loud: &Topic) {
    for _ in 0..100 {
        publish(bus, silent, "not to be heard").await;
        publish(bus, loud, "end").await;
        let mut heard = 0;
        while hear(receiver).await.0 != *loud {
            heard += 1;
        }
        if heard == 0 {
            return;
        }
    }
    panic!("still subscribed");
}

async fn payloads_arrive_as_they_are(stage: &dyn BusStage) {
    let bus = stage.bus().await;
    let mut receiver = bus.take_receiver().unwrap();
    bus.subscribe(&[room("r")]).await.unwrap();
    let payloads = [
        Bytes::new(),
        Bytes::from_iter(0..=255),
        Bytes::from_static(b"\r\n$3\r\nmessage\0"),
        Bytes::from(vec![0xAB; 600_000]),
    ];
    for payload in &payloads {
        bus.publish(vec![(room("r"), payload.clone())]).await.unwrap();
        let heard = loop {
            match tokio::time::timeout(PATIENCE, receiver.recv())
                .await
                .unwrap()
                .unwrap()
            {
                BusEvent::Delivered { payload, .. } => break payload,
                other => assert!(!matches!(other, BusEvent::Gap(_))),
            }
        };
        assert_eq!(heard, *payload);
    }
}

async fn nobody_need_listen(stage: &dyn BusStage) {
    let bus = stage.bus().await;
    publish(&*bus, &room("r"), "hello").await;
    bus.publish(Vec::new()).await.unwrap();
}

async fn many_topics(stage: &dyn BusStage) {
    let (publisher, listener) = (stage.bus().await, stage.bus().await);
    let mut receiver = listener.take_receiver().unwrap();
    let topics: Vec<Topic> = (0..3000).map(|n| room(&format!("room-{n}"))).collect();
    listener.subscribe(&topics).await.unwrap();
    publisher
        .publish(
            topics
                .iter()
                .map(|topic| (topic.clone(), Bytes::from_static(b"x")))
                .collect(),
        )
        .await
        .unwrap();
    let mut heard = HashSet::new();
    while heard.len() < topics.len() {
        heard.insert(hear(&mut receiver).await.0);
    }
    listener.unsubscribe(&topics[1..]).await.unwrap();
    silent_on(&*publisher, &mut receiver, &topics[2999], &topics[0]).await;
}

async fn receiving_may_be_cancelled(stage: &dyn BusStage) {
    let (publisher, listener) = (stage.bus().await, stage.bus().await);
    let mut receiver = listener.take_receiver().unwrap();
    listener.subscribe(&[room("r")]).await.unwrap();
    let sending = tokio::spawn(async move {
        for n in 0..500 {
            publish(&*publisher, &room("r"), &n.to_string()).await;
            tokio::task::yield_now().await;
        }
        publisher
    });
    let mut next = 0;
    while next < 500 {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            event = receiver.recv() => {
                if let Some(BusEvent::Delivered { payload, .. }) = event {
                    assert_eq!(payload, next.to_string());
                    next += 1;
                }
            }
        }
    }
    sending.await.unwrap();
}

async fn a_loss_is_told(stage: &dyn BusStage) {
    const MESSAGES: usize = 150_000;
    let (publisher, listener) = (stage.bus().await, stage.bus().await);
    let mut receiver = listener.take_receiver().unwrap();
    listener.subscribe(&[room("r"), room("end")]).await.unwrap();
    // Nobody receives for now.
    for first in (0..MESSAGES).step_by(1000) {
        let batch = (first..first + 1000).map(|n| (room("r"), Bytes::from(n.to_string())));
        publisher.publish(batch.collect()).await.unwrap();
    }
    let (mut delivered, mut told, mut last) = (0, false, None);
    loop {
        let event = match tokio::time::timeout(Duration::from_millis(500), receiver.recv()).await {
            Ok(event) => event.expect("the bus is open"),
            // Drained: what is published now is delivered again.
            Err(_) => {
                publish(&*publisher, &room("end"), "end").await;
                continue;
            }
        };
        match event {
            BusEvent::Delivered { topic, .. } if topic == room("end") => break,
            BusEvent::Delivered { payload, .. } => {
                let n: usize = std::str::from_utf8(&payload).unwrap().parse().unwrap();
                assert!(last.is_none_or(|last| last < n), "in order");
                last = Some(n);
                delivered += 1;
            }
            BusEvent::Gap(topics) => told |= topics.is_empty() || topics.contains(&room("r")),
            BusEvent::Reconnected => told = true,
            BusEvent::Disconnected => {}
        }
    }
    assert!(
        told || delivered == MESSAGES,
        "{delivered} of {MESSAGES} arrived and nothing was said"
    );
}

suite!($ conformance_bus, bus, BusStage, [
    a_node_among_others_is_not_alone,
    every_subscribed_node_hears_the_publisher_included,
    kinds_of_topics_are_apart,
    one_publishers_messages_keep_their_order,
    subscribing_twice_is_the_same_as_once,
    what_is_unsubscribed_falls_silent_and_can_come_back,
    payloads_arrive_as_they_are,
    nobody_need_listen,
    many_topics,
    receiving_may_be_cancelled,
    a_loss_is_told,
]);
