//! Many connections, joined in rooms.

use std::{
    net::TcpStream,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use starling_protocol::{
    CommandId,
    command::{LooseId, Subscribe, SubscribeRoom},
    reply::{SubscribedRoom, SubscribedRooms},
    ws::{Decoder, Role},
};

use crate::{
    envelope::{Envelope, is_durable},
    herd::{Herd, Sink},
    link::{Dial, INCOMING, Masks, push_command},
    plain::Plain,
    target::PATIENCE,
};

/// Connections that are set up at once: enough to fill the server's group commits, few enough for its backlog.
const AT_ONCE: usize = 32;

/// The longest wait of the loop while it connects.
const TURN: Duration = Duration::from_millis(200);

/// The id of `subscribe`: setting up used small ones before, and tests use what is behind the room's seq.
pub(crate) const FOLLOW: i64 = -1;

/// Who sits where: rooms of equal size, each user in one.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the names of rooms and users begin with.
    pub prefix: String,
    /// Rooms.
    pub rooms: usize,
    /// Members of each.
    pub members: usize,
}

impl Plan {
    /// Connections in all.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.rooms * self.members
    }

    /// The name of a room. All have the same length, so that all rooms' frames have.
    #[must_use]
    pub fn room(&self, room: usize) -> String {
        format!("{}-r{room:05}", self.prefix)
    }

    /// The name of the user of a connection.
    #[must_use]
    pub fn user(&self, connection: usize) -> String {
        format!("{}-u{connection:06}", self.prefix)
    }

    /// The room of a connection: members of a room have consecutive indexes.
    #[must_use]
    pub fn room_of(&self, connection: usize) -> usize {
        connection / self.members
    }
}

/// What is on the other side.
pub enum Peer {
    /// A Starling server.
    Starling(Box<Dial>),
    /// The comparison.
    Plain(Plain),
}

/// Connections that follow their rooms.
pub struct Crowd {
    /// The connections, by the index of the plan.
    pub herd: Herd,
    /// By connection: the seq of its room's last event when it began to follow.
    pub heads: Vec<u64>,
    /// By connection: the cursor of that event. None where the other side is the comparison.
    pub cursors: Vec<String>,
}

/// Connects everybody, and lets them follow their rooms. `progress` hears now and then how many are connected.
pub fn gather(peer: &Peer, plan: &Plan, progress: &mut dyn FnMut(usize) -> Result<()>) -> Result<Crowd> {
    let mut herd = Herd::new()?;
    let count = plan.connections();
    let (heads, cursors) = match peer {
        Peer::Starling(dial) => {
            open_all(&mut herd, count, progress, |index| {
                let (mut link, _) = dial.open(index, &plan.user(index))?;
                link.enrol(&plan.room(plan.room_of(index)))?;
                Ok(link.into_parts())
            })?;
            follow_all(&mut herd, plan)?
        }
        Peer::Plain(plain) => {
            open_all(&mut herd, count, progress, |index| {
                let stream = plain.join(index, &plan.room(plan.room_of(index)))?;
                Ok((stream, Decoder::new(Role::Client, INCOMING)))
            })?;
            (vec![0; count], Vec::new())
        }
    };
    Ok(Crowd { herd, heads, cursors })
}

/// Opens connections on a few threads, while this one answers the pings of those that are open. The first error ends
/// it.
fn open_all(
    herd: &mut Herd,
    count: usize,
    progress: &mut dyn FnMut(usize) -> Result<()>,
    open: impl Fn(usize) -> Result<(TcpStream, Decoder)> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let waker = herd.waker();
    // A thread that finds no room here waits for the loop, which takes all there is at each turn.
    let (opened, seats) = sync_channel(AT_ONCE);
    let work = |opened: SyncSender<Result<(usize, TcpStream, Decoder)>>| -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(());
            }
            let seat = open(index).map(|(stream, decoder)| (index, stream, decoder));
            let is_last = seat.is_err();
            // Without a receiver the loop has ended with an error.
            if opened.send(seat).is_err() || is_last {
                return Ok(());
            }
            waker.wake()?;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(count) {
            let opened = opened.clone();
            scope.spawn(|| work(opened));
        }
        drop(opened);
        let taken = take_all(herd, count, progress, &seats);
        next.store(count, Ordering::Relaxed);
        drop(seats);
        taken
    })
}

fn take_all(
    herd: &mut Herd,
    count: usize,
    progress: &mut dyn FnMut(usize) -> Result<()>,
    seats: &Receiver<Result<(usize, TcpStream, Decoder)>>,
) -> Result<()> {
    let mut missing = count;
    while missing > 0 {
        match seats.try_recv() {
            Ok(seat) => {
                let (index, stream, decoder) = seat?;
                herd.put(index, stream, decoder)?;
                missing -= 1;
            }
            Err(TryRecvError::Empty) => {
                progress(count - missing)?;
                herd.turn(TURN, &mut Connecting)?;
            }
            Err(TryRecvError::Disconnected) => bail!("a thread that connects has panicked"),
        }
    }
    Ok(())
}

/// Lets all connections follow their rooms; returns where each room stood.
fn follow_all(herd: &mut Herd, plan: &Plan) -> Result<(Vec<u64>, Vec<String>)> {
    let count = plan.connections();
    let mut following = Following {
        heads: vec![None; count],
        answered: 0,
    };
    let mut masks = Masks::new(count);
    let mut heard = (0, Instant::now());
    let mut asked = 0;
    while following.answered < count {
        while asked < count.min(following.answered + AT_ONCE * 8) {
            let room = LooseId::Text(plan.room(plan.room_of(asked)));
            let subscribe = Subscribe {
                rooms: vec![SubscribeRoom {
                    room_id: room,
                    cursor: None,
                }],
                ..Subscribe::default()
            };
            let mut frame = Vec::new();
            let id = CommandId::Number(FOLLOW);
            push_command("subscribe", Some(&id), &subscribe, &mut masks, &mut frame)?;
            herd.send(asked, &frame)?;
            asked += 1;
        }
        if following.answered > heard.0 {
            heard = (following.answered, Instant::now());
        } else if heard.1.elapsed() > PATIENCE {
            bail!(
                "{} of {count} connections have no answer to subscribe",
                count - following.answered
            );
        }
        herd.turn(TURN, &mut following)?;
    }
    Ok(following.heads.into_iter().flatten().unzip())
}

/// Connections that are open and wait for the others. What they hear of those who join is not counted.
struct Connecting;

impl Sink for Connecting {
    fn message(&mut self, _: usize, _: Instant, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn counted(&mut self, _: usize, _: Instant, _: u64) -> Result<()> {
        Ok(())
    }

    fn ended(&mut self, socket: usize, why: &str) -> Result<()> {
        bail!("connection {socket} ended while others connected: {why}")
    }
}

/// Answers to `subscribe`.
struct Following {
    heads: Vec<Option<(u64, String)>>,
    answered: usize,
}

impl Sink for Following {
    fn message(&mut self, socket: usize, _: Instant, payload: &[u8]) -> Result<()> {
        let envelope = Envelope::parse(payload)?;
        envelope.check()?;
        if envelope.id != Some(CommandId::Number(FOLLOW)) {
            if is_durable(payload) && self.heads[socket].is_some() {
                bail!("somebody else writes into the rooms of this test: use another --prefix");
            }
            return Ok(());
        }
        let reply: SubscribedRooms = envelope.data()?;
        match reply.rooms.as_slice() {
            [SubscribedRoom::Live(live)] => {
                self.heads[socket] = Some((live.head, live.cursor.to_string()));
            }
            [SubscribedRoom::Failed { error, .. }] => bail!("cannot follow a room: {}", error.message),
            rooms => bail!("one room was asked for, {} answered", rooms.len()),
        }
        self.answered += 1;
        Ok(())
    }

    fn counted(&mut self, socket: usize, _: Instant, _: u64) -> Result<()> {
        bail!("connection {socket} is read in full, not counted")
    }

    fn ended(&mut self, socket: usize, why: &str) -> Result<()> {
        bail!("connection {socket} ended before it followed its room: {why}")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use starling_protocol::ws::Limits;

    use super::*;

    fn decoder() -> Decoder {
        Decoder::new(Role::Client, Limits::default())
    }

    #[test]
    fn everybody_gets_a_place_and_one_error_fails_all() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let mut herd = Herd::new().unwrap();
        let open = |_| Ok((TcpStream::connect(addr)?, decoder()));
        // All fit into the listener's backlog, since nobody accepts them.
        open_all(&mut herd, 50, &mut |_| Ok(()), open).unwrap();
        open_all(&mut herd, 0, &mut |_| Ok(()), open).unwrap();
        let outcome = open_all(&mut herd, 50, &mut |_| Ok(()), |index| match index {
            37 => bail!("no {index}"),
            _ => open(index),
        });
        assert_eq!(outcome.unwrap_err().to_string(), "no 37");
    }

    #[test]
    fn members_of_a_room_sit_together() {
        let plan = Plan {
            prefix: "t".into(),
            rooms: 3,
            members: 4,
        };
        let rooms: Vec<usize> = (0..plan.connections()).map(|i| plan.room_of(i)).collect();
        assert_eq!(rooms, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(
            (plan.room(2), plan.user(11)),
            ("t-r00002".into(), "t-u000011".into())
        );
    }
}
