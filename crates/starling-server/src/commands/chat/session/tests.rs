//! The session against a server that is played by hand.

use serde_json::Value;

use super::*;

const T: &str = "2026-11-20T12:00:00.000Z";

fn session() -> Session {
    let mut session = Session::new(RoomId::parse("general").unwrap(), "run".into());
    hear(
        &mut session,
        "welcome",
        &json!({
            "sessionId": "s", "userId": "alice", "nodeId": "n", "serverTime": T, "heartbeatMs": 1000, "resumeWindow": 500,
            "limits": {
                "maxFrameBytes": 1, "maxContentLength": 1, "commandsPerMinute": 1, "messagesPerMinute": 1,
                "connectionsPerUser": 1, "maxUnacked": 1, "roomsPerSession": 1, "maxWatched": 1, "replayEventsPerConnection": 1,
            },
        }),
    );
    session
}

/// A session that follows its room up to this seq.
fn live(head: u64) -> Session {
    let mut session = session();
    let room = json!({
        "roomId": "general", "name": "general", "kind": "public", "description": "", "maxMembers": 9, "memberCount": 1,
        "settings": {}, "createdBy": "alice", "createdAt": T, "head": head,
    });
    let joined = json!({
        "room": room, "role": "owner", "head": head, "cursor": cursor(head), "messages": [], "onlineCount": 1, "unread": 0,
        "mentions": 0,
    });
    answer(&mut session, "join_room", &joined);
    resumed(&mut session, head);
    session.out.clear();
    session.news.clear();
    session
}

fn resumed(session: &mut Session, head: u64) -> Value {
    let live = json!({"roomId": "general", "head": head, "cursor": cursor(head), "unread": 0, "mentions": 0});
    answer(session, "subscribe", &json!({"rooms": [live]}))
}

fn cursor(seq: u64) -> String {
    format!("{seq}.{seq:08x}")
}

fn envelope(kind: &str, id: Option<i64>, data: &Value) -> Frame {
    Frame::read(&json!({"type": kind, "id": id, "data": data}).to_string()).unwrap()
}

fn hear(session: &mut Session, kind: &str, data: &Value) {
    assert!(session.hear(envelope(kind, None, data), Instant::now()).is_ok());
}

/// Takes the next command of this kind out, and its id.
fn sent(session: &mut Session, kind: &str) -> (i64, Value) {
    let is_it = |frame: &String| serde_json::from_str::<Value>(frame).unwrap()["type"] == kind;
    let at = session
        .out
        .iter()
        .position(is_it)
        .unwrap_or_else(|| panic!("no {kind} in {:?}", session.out));
    let frame: Value = serde_json::from_str(&session.out.remove(at).unwrap()).unwrap();
    (frame["id"].as_i64().unwrap(), frame["data"].clone())
}

fn answer(session: &mut Session, kind: &str, data: &Value) -> Value {
    let (id, asked) = sent(session, kind);
    assert!(
        session
            .hear(envelope("ok", Some(id), data), Instant::now())
            .is_ok()
    );
    asked
}

fn refuse(session: &mut Session, kind: &str, code: &str) -> Value {
    let (id, asked) = sent(session, kind);
    let data = json!({"code": code, "message": "no", "retryAfterMs": 10});
    assert!(
        session
            .hear(envelope("error", Some(id), &data), Instant::now())
            .is_ok()
    );
    asked
}

fn message(seq: u64) -> Value {
    json!({
        "roomId": "general", "seq": seq, "cursor": cursor(seq), "eventId": "0192f0c1-7b1c-7000-8000-000000000001",
        "senderId": "bob", "createdAt": T, "content": seq.to_string(), "contentType": "text/plain",
    })
}

fn shown(session: &mut Session) -> Vec<u64> {
    let seqs = session.news.drain(..).filter_map(|news| match news {
        News::Event(event) => Some(event.meta.seq),
        _ => None,
    });
    seqs.collect()
}

fn say(session: &mut Session, text: &str) {
    session.order(Order::Say(
        To::Room(RoomId::parse("general").unwrap()),
        text.into(),
    ));
}

#[test]
fn what_was_shown_is_not_shown_again() {
    let mut session = live(3);
    for seq in [3, 4, 4, 5, 2] {
        hear(&mut session, "message_created", &message(seq));
    }
    assert_eq!(shown(&mut session), [4, 5]);
    session.on_break();
    session.resume();
    assert_eq!(resumed(&mut session, 5)["cursors"], json!({"general": cursor(5)}));
}

#[test]
fn a_hole_is_read_from_the_log_before_what_follows_it() {
    let mut session = live(3);
    hear(&mut session, "message_created", &message(6));
    hear(&mut session, "message_created", &message(7));
    assert_eq!(shown(&mut session), [0; 0]);
    let event = |seq| json!({"type": "message_created", "data": message(seq)});
    let page = json!({"events": [event(4)], "hasMore": true});
    assert_eq!(answer(&mut session, "fetch_events", &page)["after"], 3);
    let page = json!({"events": [event(5), event(6)], "hasMore": false});
    assert_eq!(answer(&mut session, "fetch_events", &page)["after"], 4);
    assert_eq!(shown(&mut session), [4, 5, 6, 7]);
}

#[test]
fn a_gap_is_paged_and_live_events_wait() {
    let mut session = live(3);
    hear(
        &mut session,
        "gap",
        &json!({"roomId": "general", "from": 4, "to": 5, "cursor": cursor(5)}),
    );
    hear(&mut session, "message_created", &message(6));
    let events = [4, 5].map(|seq| json!({"type": "message_created", "data": message(seq)}));
    answer(
        &mut session,
        "fetch_events",
        &json!({"events": events, "hasMore": false}),
    );
    assert_eq!(shown(&mut session), [4, 5, 6]);
}

#[test]
fn what_retention_has_removed_is_passed_over() {
    let mut session = live(3);
    hear(&mut session, "message_created", &message(9));
    answer(
        &mut session,
        "fetch_events",
        &json!({"events": [], "hasMore": false}),
    );
    assert_eq!(shown(&mut session), [9]);
}

#[test]
fn a_line_without_an_answer_is_sent_again_under_its_id() {
    let mut session = live(1);
    say(&mut session, "one");
    say(&mut session, "two");
    let (_, first) = sent(&mut session, "send_message");
    assert!(session.out.is_empty(), "one at a time");
    session.on_break();
    session.resume();
    assert!(
        session.out.iter().all(|frame| !frame.contains("send_message")),
        "not before the rooms are followed"
    );
    resumed(&mut session, 1);
    let sent_again = json!({"roomId": "general", "seq": 2, "messageId": "0192f0c1-7b1c-7000-8000-000000000001",
        "createdAt": T, "duplicate": true});
    assert_eq!(answer(&mut session, "send_message", &sent_again), first);
    assert_eq!(sent(&mut session, "send_message").1["content"], "two");
    assert_eq!(session.unsent(), 1);
}

#[test]
fn a_refusal_that_passes_is_waited_for_and_another_is_told() {
    let mut session = live(1);
    say(&mut session, "one");
    say(&mut session, "two");
    let first = refuse(&mut session, "send_message", "rate_limited");
    assert!(session.out.is_empty() && session.wake_at().is_some());
    session.wake();
    assert_eq!(refuse(&mut session, "send_message", "muted"), first);
    assert_eq!(sent(&mut session, "send_message").1["content"], "two");
    assert!(matches!(session.news.pop_front(), Some(News::Note(text)) if text.contains("\"one\"")));
}

#[test]
fn a_direct_room_that_began_while_away_is_new() {
    let mut session = live(1);
    session.on_break();
    session.resume();
    let direct =
        json!({"roomId": "@dm:alice,bob", "head": 2, "cursor": cursor(2), "unread": 1, "mentions": 0});
    answer(&mut session, "subscribe", &json!({"rooms": [direct]}));
    assert_eq!(sent(&mut session, "fetch_events").1["after"], 0);
}

#[test]
fn events_that_overtake_the_reply_to_a_join_are_shown_once() {
    let mut session = live(1);
    session.places.clear();
    session.order(Order::Join(RoomId::parse("general").unwrap()));
    hear(&mut session, "message_created", &message(1));
    hear(&mut session, "message_created", &message(2));
    assert_eq!(shown(&mut session), [0; 0]);
    let room = json!({
        "roomId": "general", "name": "general", "kind": "public", "description": "", "maxMembers": 9, "memberCount": 1,
        "settings": {}, "createdBy": "alice", "createdAt": T, "head": 1,
    });
    let joined = json!({"room": room, "role": "owner", "head": 1, "cursor": cursor(1), "messages": [], "onlineCount": 1,
        "unread": 0, "mentions": 0});
    answer(&mut session, "join_room", &joined);
    assert_eq!(shown(&mut session), [2]);
}
