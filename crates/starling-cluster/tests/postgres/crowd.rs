//! Many clients that come at once.

use futures_util::future::{join_all, try_join3};
use starling_core::{
    UserId,
    ports::{Markers, Rooms},
    room::Standing,
};
use starling_testkit::fixtures::postgres::PostgresFixture;

use super::support::{desk, open, outside, room};

/// Every second user is a member, and has one message less to read than the member before.
#[tokio::test]
async fn a_crowd_costs_a_few_statements_and_each_gets_their_own_answer() {
    const USERS: usize = 120;
    let server = PostgresFixture::shared();
    let store = open(&server.database()).await;
    let desk = desk(&store);
    let users: Vec<UserId> = (0..USERS)
        .map(|n| UserId::parse(&format!("user-{n}")).unwrap())
        .collect();
    desk.create("r", "owner").await;
    for user in users.iter().step_by(2) {
        desk.join("r", user.as_str()).await;
        desk.say("r", "owner", "welcome").await;
    }
    let (r, nowhere) = (room("r"), room("nowhere"));
    let asked = [r.clone(), nowhere.clone()];
    let before = store.metrics().reads;
    let ask = |user| {
        let unread = store.unread(user, &asked);
        try_join3(store.room(&r), store.member(&r, user), unread)
    };
    let answers = join_all(users.iter().map(ask)).await;
    assert!(store.room(&nowhere).await.unwrap().is_none());
    let statements = store.metrics().reads - before;
    assert!(statements <= 8, "{statements} statements");
    for (n, answer) in answers.into_iter().enumerate() {
        let (found, member, unread) = answer.unwrap();
        assert_eq!(found.unwrap().id, r);
        let is_member = member
            .as_ref()
            .is_some_and(|member| member.standing == Standing::Joined);
        assert_eq!(is_member, n % 2 == 0, "{n}");
        assert!(member.is_none_or(|member| member.user == users[n]));
        let expected = if is_member { (USERS - n) / 2 } else { 0 };
        assert_eq!(unread[0].unread, expected as u64, "{n}");
        assert_eq!((unread.len(), unread[1].unread), (2, 0));
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_error_to_those_who_ask_for_it() {
    let server = PostgresFixture::shared();
    let url = server.database();
    let store = open(&url).await;
    let desk = desk(&store);
    desk.create("good", "owner").await;
    desk.create("bad", "owner").await;
    let spoil = "UPDATE room SET settings = 'nonsense' WHERE room_id = 'bad'";
    outside(&url).await.batch_execute(spoil).await.unwrap();
    let (good, bad) = (room("good"), room("bad"));
    let before = store.metrics().reads;
    let answers = join_all([&good, &bad, &good, &bad].map(|id| store.room(id))).await;
    assert!(store.metrics().reads - before < 4, "some were asked for together");
    let read: Vec<bool> = answers.into_iter().map(|answer| answer.is_ok()).collect();
    assert_eq!(read, [true, false, true, false]);
}
