//! One dense order in each room, the same for everybody; each device's messages in the order in which it sent them.

use serde_json::{Value, json};

use super::{
    Stage,
    stage::{contents, messages, seqs},
    suite::cases,
};
use crate::client::{TestClient, Wire, number, text};

/// Sends so many messages as fast as it may, and then gives the client back.
async fn flood(mut client: TestClient, name: String, count: usize) -> TestClient {
    const AT_ONCE: usize = 40;
    let mut waiting = std::collections::VecDeque::new();
    for n in 0..count {
        if waiting.len() == AT_ONCE {
            let id = waiting.pop_front().expect("one waits");
            client.reply(id).await.expect("accepted");
        }
        let message =
            json!({ "roomId": "r", "clientId": format!("{name}-{n}"), "content": format!("{name} {n}") });
        waiting.push_back(client.start("send_message", message).await);
    }
    for id in waiting {
        client.reply(id).await.expect("accepted");
    }
    client
}

fn assert_device_order(events: &[Value], names: &[String], count: usize) {
    let contents = contents(events);
    for name in names {
        let prefix = format!("{name} ");
        let own: Vec<usize> = contents
            .iter()
            .filter_map(|content| content.strip_prefix(&prefix))
            .map(|n| n.parse().expect("a number"))
            .collect();
        assert_eq!(own, (0..count).collect::<Vec<_>>(), "what {name} sent");
    }
}

async fn everybody_sees_one_order(stage: &Stage<'_>) {
    const EACH: usize = 80;
    let nodes = [stage.node().await, stage.node().await];
    let mut members = Vec::new();
    let mut names = Vec::new();
    for n in 0..6 {
        let wire = if n % 3 == 0 { Wire::MsgPack } else { Wire::Json };
        // Two devices of one user among them.
        let user = format!("user-{}", n.min(4));
        let mut client = nodes[n % 2].client_in(&user, wire).await;
        client.call("join_room", json!({ "roomId": "r" })).await;
        members.push(client);
        names.push(format!("device {n}"));
    }
    let mut silent = nodes[1].member("silent", "r").await;
    for member in &mut members {
        member.settled().await;
    }
    let floods: Vec<_> = members
        .into_iter()
        .zip(&names)
        .map(|(client, name)| tokio::spawn(flood(client, name.clone(), EACH)))
        .collect();
    let total = EACH * names.len();
    let seen = messages(&mut silent, "r", total).await;
    assert_device_order(&seen, &names, EACH);
    for flood in floods {
        let mut client = flood.await.expect("the flood ends");
        let own = messages(&mut client, "r", total).await;
        for (mine, theirs) in own.iter().zip(&seen) {
            assert_eq!(mine["data"], theirs["data"], "one event is the same for all");
        }
        client.has_no("message_created").await;
    }
}

async fn who_joins_in_the_middle_misses_nothing_after(stage: &Stage<'_>) {
    const COUNT: usize = 300;
    let nodes = [stage.node().await, stage.node().await];
    let sender = nodes[0].member("sender", "r").await;
    let flooding = tokio::spawn(flood(sender, "m".to_owned(), COUNT));
    let mut joined = Vec::new();
    for n in 0..10 {
        let mut client = nodes[n % 2].client(&format!("user-{n}")).await;
        let reply = client
            .call("join_room", json!({ "roomId": "r", "history": 100 }))
            .await;
        let head = number(&reply, "head");
        let page = reply["messages"].as_array().expect("messages");
        assert!(page.iter().all(|message| number(message, "seq") <= head));
        joined.push((client, head));
    }
    let mut sender = flooding.await.expect("the flood ends");
    // Everything is in the log: one join, ten others, the messages.
    let end = (1 + 10 + COUNT) as u64;
    sender.call("ping", json!({})).await;
    for (mut client, head) in joined {
        let missed = usize::try_from(end - head).expect("few");
        let came = client.durable("r", missed).await;
        assert_eq!(seqs(&came), (head + 1..=end).collect::<Vec<_>>());
    }
}

async fn rooms_do_not_disturb_each_other(stage: &Stage<'_>) {
    const ROOMS: usize = 20;
    let node = stage.node().await;
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    for n in 0..ROOMS {
        for client in [&mut alice, &mut bob] {
            client
                .call("join_room", json!({ "roomId": format!("r{n}") }))
                .await;
        }
    }
    for n in 0..5 {
        let batch: Vec<Value> = (0..ROOMS)
            .map(|room| {
                let data = json!({ "roomId": format!("r{room}"), "content": n.to_string() });
                json!({ "type": "send_message", "id": format!("{n}-{room}"), "data": data })
            })
            .collect();
        alice.post_all(&batch).await;
        for room in 0..ROOMS {
            alice.reply(format!("{n}-{room}")).await.expect("accepted");
        }
    }
    for n in 0..ROOMS {
        let came = bob.durable(&format!("r{n}"), 5).await;
        assert_eq!(
            (seqs(&came), contents(&came)),
            ((3..8).collect(), vec!["0", "1", "2", "3", "4"])
        );
        assert_eq!(text(&came[0]["data"], "senderId"), "alice");
    }
}

cases!($ e2e_order, order, [
    everybody_sees_one_order,
    who_joins_in_the_middle_misses_nothing_after,
    rooms_do_not_disturb_each_other,
]);
