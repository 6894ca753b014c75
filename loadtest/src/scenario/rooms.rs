//! Following many rooms: a few users, each a member of many rooms, follow all of them and stop again.

use std::io;

use anyhow::{Result, anyhow, bail};
use serde::Serialize;
use serde_json::Value;
use starling_protocol::{
    command::{JoinRoom, Subscribe, Unsubscribe},
    reply::{Joined, SubscribedRoom, SubscribedRooms},
};

use super::{Common, Mark, Spent};
use crate::{
    link::{Link, id},
    report::{self, Report, number},
};

/// Measure following and leaving many rooms
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Rooms
    #[arg(long, default_value_t = 10_000)]
    rooms: usize,
    /// Rooms of each user: fewer than the server's rooms.max_per_session, since its inbox is one too
    #[arg(long, default_value_t = 500)]
    each: usize,
    /// How often all are followed and left again
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Wait for a line on standard input before each round, and say `{"ready":true}` before and after it
    #[arg(long)]
    step: bool,
}

/// A round.
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// From the first command to the last reply.
    pub subscribe: Spent,
    /// The same for leaving them.
    pub unsubscribe: Spent,
}

/// The result.
#[derive(Debug, Clone, Serialize)]
pub struct Followed {
    /// Rooms.
    pub rooms: usize,
    /// Users who share them.
    pub users: usize,
    /// In the order of time.
    pub rounds: Vec<Round>,
}

impl Report for Followed {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![(
            "rooms",
            format!("{} of {} users", number(self.rooms as f64), self.users),
        )];
        for round in &self.rounds {
            rows.push(("subscribe", round.subscribe.text()));
            rows.push(("unsubscribe", round.unsubscribe.text()));
        }
        rows
    }

    fn is_exact(&self) -> bool {
        !self.rounds.is_empty()
    }
}

/// Runs it; whether every room was followed.
pub fn run(args: &Args) -> Result<bool> {
    if args.each == 0 || args.rooms == 0 || !args.rooms.is_multiple_of(args.each) {
        bail!("--rooms must be a multiple of --each: every user follows the same number of rooms");
    }
    let users = args.rooms / args.each;
    let dial = args.common.dial(users)?;
    let mut links = Vec::new();
    for user in 0..users {
        let (link, _) = dial.open(user, &format!("{}-u{user:06}", args.common.prefix))?;
        links.push(Member {
            link,
            rooms: (user * args.each..(user + 1) * args.each)
                .map(|room| format!("{}-r{room:06}", args.common.prefix))
                .collect(),
        });
    }
    all(&mut links, Member::join)?;
    if args.step {
        report::line(r#"{"ready":true}"#)?;
    }
    let server = args.common.server();
    let (mut rounds, mut steps) = (Vec::new(), io::stdin().lines());
    for _ in 0..args.rounds {
        if args.step && steps.next().transpose()?.is_none() {
            bail!("standard input ended before the last round");
        }
        let began = Mark::now(server.as_ref())?;
        all(&mut links, Member::follow)?;
        let followed = Mark::now(server.as_ref())?;
        all(&mut links, Member::leave)?;
        let left = Mark::now(server.as_ref())?;
        rounds.push(Round {
            subscribe: Spent::between(&began, &followed),
            unsubscribe: Spent::between(&followed, &left),
        });
        if args.step {
            report::line(r#"{"ready":true}"#)?;
        }
    }
    let result = Followed {
        rooms: args.rooms,
        users,
        rounds,
    };
    report::write(&result, args.common.json)?;
    Ok(result.is_exact())
}

/// A user and its rooms.
struct Member {
    link: Link,
    rooms: Vec<String>,
}

impl Member {
    /// Becomes a member of every room, following none.
    fn join(&mut self) -> Result<()> {
        for room in &self.rooms {
            let join = JoinRoom {
                room_id: id(room)?,
                cursor: None,
                history: Some(0),
            };
            let _: Joined = self.link.call("join_room", &join)?;
        }
        self.leave()
    }

    fn follow(&mut self) -> Result<()> {
        let all = Subscribe {
            all: true,
            ..Subscribe::default()
        };
        let reply: SubscribedRooms = self.link.call("subscribe", &all)?;
        // Not the user's own inbox, which is followed with them.
        let live = |room: &&SubscribedRoom| matches!(room, SubscribedRoom::Live(live) if !live.room_id.as_str().starts_with('@'));
        let followed = reply.rooms.iter().filter(live).count();
        if followed != self.rooms.len() {
            bail!(
                "{followed} of {} rooms are followed: use a new --prefix, and --each below the server's \
                 rooms.max_per_session",
                self.rooms.len()
            );
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<()> {
        let rooms: Result<Vec<_>> = self.rooms.iter().map(|room| id(room)).collect();
        let _: Value = self.link.call("unsubscribe", &Unsubscribe { room_ids: rooms? })?;
        Ok(())
    }
}

/// Everybody does this at once, each on a thread; the first error counts.
fn all(members: &mut [Member], act: fn(&mut Member) -> Result<()>) -> Result<()> {
    std::thread::scope(|scope| {
        let acting: Vec<_> = members
            .iter_mut()
            .map(|member| scope.spawn(move || act(member)))
            .collect();
        acting
            .into_iter()
            .try_for_each(|member| member.join().unwrap_or_else(|_| Err(anyhow!("a user panicked"))))
    })
}
