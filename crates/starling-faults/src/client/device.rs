//! One device of a user: it connects wherever it can, resumes, sends again what was not answered, and acts.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use starling_testkit::e2e::token;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Duration, Instant, sleep, sleep_until},
};

use super::{
    Cast, DEVICES, Home, Phase, Status,
    follow::{Following, Standing, seen},
    history::{Entry, History, Mine, Room, Source, What},
    model::Model,
    socket::{Socket, Why},
};

/// How often it asks whether anybody is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A connection that has said nothing for so long is dead.
const SILENCE: Duration = Duration::from_secs(8);
/// Messages without an answer at once: below what the server allows.
const MOST_UNANSWERED: usize = 40;
/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(50);
/// Tokens outlive every step of the clock.
const TOKEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// A message without an answer.
pub(super) struct Pending {
    pub(super) room: usize,
    pub(super) client_id: String,
    pub(super) content: String,
    pub(super) twin: bool,
    /// The connection that it was written to last.
    pub(super) sent_on: u64,
    pub(super) not_before: Instant,
}

/// What a command that is under way asked.
pub(super) enum Asked {
    Message(String),
    /// Follow rooms, each from a cursor's seq on.
    Subscribe(Vec<(usize, u64)>),
    Join(usize, Option<u64>),
    Leave(usize),
    Page(usize),
    Change(usize, &'static str),
    Mark(usize, u64),
    /// Its answer says nothing that is kept.
    Other,
}

/// One connection.
pub(super) struct Link {
    pub(super) socket: Socket,
    under_way: HashMap<u64, Asked>,
    heard: Instant,
    asked: Instant,
}

/// See the module.
pub(super) struct Device {
    pub(super) cast: Arc<Cast>,
    pub(super) user: usize,
    pub(super) name: String,
    pub(super) chance: StdRng,
    pub(super) rooms: Vec<Standing>,
    pub(super) pending: VecDeque<Pending>,
    /// Its own messages that were acknowledged lately: what can be edited, or sent once more.
    pub(super) own: VecDeque<(usize, u64, String, String)>,
    pub(super) sent: u64,
    /// When to follow again a room that it is out of.
    pub(super) back_at: Vec<Instant>,
    pub(super) act_at: Instant,
    history: History,
    status: Arc<Status>,
    connections: u64,
}

impl Device {
    pub(super) fn new(cast: Arc<Cast>, user: usize, n: usize, status: Arc<Status>) -> Self {
        let number = user * DEVICES + n;
        let name = format!("device-{user}-{n}");
        let now = Instant::now();
        let rooms = (0..cast.rooms.len()).map(|room| Standing {
            model: (number % cast.rooms.len() == room).then(Model::default),
            ..Standing::default()
        });
        Self {
            rooms: rooms.collect(),
            back_at: vec![now; cast.rooms.len()],
            chance: StdRng::seed_from_u64(cast.seed ^ ((number as u64 + 1) << 32)),
            history: History {
                device: name.clone(),
                user: cast.users[user].clone(),
                entries: Vec::new(),
            },
            pending: VecDeque::new(),
            own: VecDeque::new(),
            sent: 0,
            act_at: now,
            connections: 0,
            cast,
            user,
            name,
            status,
        }
    }

    pub(super) fn note(&mut self, what: What) {
        let at = self.cast.started.elapsed();
        self.history.entries.push(Entry { at, what });
    }

    fn is_mine(&self, room: usize) -> bool {
        self.cast.belongs(self.user, room)
    }

    /// Until the phase is [`Phase::End`].
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<Home>>) {
        let mut phase = self.cast.phase.subscribe();
        let mut pause = Duration::from_millis(50);
        while *phase.borrow_and_update() != Phase::End {
            let door = &self.cast.doors[self.chance.random_range(0..self.cast.doors.len())];
            let (addr, through) = (door.addr, door.name.clone());
            let claims = json!({ "sub": self.cast.users[self.user], "exp": token::in_future(TOKEN) });
            let token = token::sign(&claims);
            let dialling = Socket::connect(addr, &token);
            let dialled = tokio::select! {
                dialled = dialling => dialled,
                () = answer_all(&mut asked, &self.history, self.user, &self.rooms) => continue,
            };
            let why = match dialled {
                Ok((socket, welcome)) => {
                    pause = Duration::from_millis(50);
                    let node = welcome["nodeId"].as_str().unwrap_or_default().to_owned();
                    self.note(What::Connected { node, through });
                    self.cast.counts.connected.fetch_add(1, Relaxed);
                    match self.live(socket, &mut phase, &mut asked).await {
                        Ok(()) => "its own wish".to_owned(),
                        Err(why) => why,
                    }
                }
                Err(why) => format!("{why} ({through})"),
            };
            self.note(What::Lost { why });
            self.status.idle.store(false, Relaxed);
            self.status.there.store(false, Relaxed);
            self.rooms.iter_mut().for_each(Standing::disconnected);
            // Full jitter, as every client should.
            let wait = self.chance.random_range(Duration::ZERO..pause);
            pause = (pause * 2).min(Duration::from_secs(1));
            tokio::select! {
                () = sleep(wait) => {}
                () = answer_all(&mut asked, &self.history, self.user, &self.rooms) => {}
            }
        }
    }

    /// One connection, from its welcome to its end. `Ok` when the device itself has ended it.
    async fn live(
        &mut self,
        socket: Socket,
        phase: &mut watch::Receiver<Phase>,
        asked: &mut mpsc::Receiver<oneshot::Sender<Home>>,
    ) -> Result<(), Why> {
        let now = Instant::now();
        let mut link = Link {
            socket,
            under_way: HashMap::new(),
            heard: now,
            asked: now,
        };
        self.connections += 1;
        self.act_at = now + self.cast.pace;
        let mut tick = now;
        loop {
            tokio::select! {
                envelope = link.socket.read() => {
                    link.heard = Instant::now();
                    self.take(&mut link, &envelope?).await?;
                }
                () = sleep_until(tick) => {
                    tick = Instant::now() + TICK;
                    if link.heard.elapsed() > SILENCE {
                        return Err("silence".into());
                    }
                    let current = phase.borrow_and_update().clone();
                    if current == Phase::End {
                        link.socket.close().await;
                        return Ok(());
                    }
                    if self.due(&mut link, &current).await? {
                        link.socket.close().await;
                        return Ok(());
                    }
                }
                home = asked.recv() => if let Some(tell) = home {
                    // Who asked may have given up.
                    let _ = tell.send(home_of(&self.history, self.user, &self.rooms));
                },
            }
        }
    }

    /// Sends what is due. `true` when the device wants another connection.
    async fn due(&mut self, link: &mut Link, phase: &Phase) -> Result<bool, Why> {
        let now = Instant::now();
        if link.asked + HEARTBEAT < now {
            link.asked = now;
            self.ask(link, "ping", &json!({}), Asked::Other).await?;
        }
        self.follow(link).await?;
        self.send_pending(link).await?;
        if *phase == Phase::Work {
            self.status.idle.store(false, Relaxed);
            self.status.there.store(false, Relaxed);
            if self.act_at <= now {
                let pace = self.cast.pace;
                self.act_at = now + self.chance.random_range(pace / 5..pace * 9 / 5);
                return self.act(link).await;
            }
            return Ok(false);
        }
        let mine = |room: usize| self.cast.belongs(self.user, room);
        let follows = self
            .rooms
            .iter()
            .enumerate()
            .filter(|(room, _)| mine(*room))
            .all(|(_, standing)| standing.following == Following::Yes && standing.paging_to.is_none());
        let changes = link
            .under_way
            .values()
            .any(|asked| matches!(asked, Asked::Change(..) | Asked::Mark(..)));
        let idle = follows && self.pending.is_empty() && !changes;
        self.status.idle.store(idle, Relaxed);
        let there = match phase {
            Phase::Reach(heads) => {
                let mut rooms = self.rooms.iter().zip(heads.iter()).enumerate();
                rooms.all(|(room, (standing, head))| !mine(room) || standing.seq() >= *head)
            }
            _ => false,
        };
        self.status.there.store(idle && there, Relaxed);
        Ok(false)
    }

    /// Asks to follow every room of its own that it does not follow, and for what it misses of those that it does.
    async fn follow(&mut self, link: &mut Link) -> Result<(), Why> {
        let now = Instant::now();
        let mut known = Vec::new();
        for room in 0..self.rooms.len() {
            let name = self.cast.rooms[room].clone();
            if let Some(page) = self.rooms[room].page(&name) {
                self.ask(link, "fetch_events", &page, Asked::Page(room)).await?;
            }
            let standing = &self.rooms[room];
            if !self.is_mine(room) || self.back_at[room] > now {
                continue;
            }
            match standing.following {
                Following::No if standing.at.is_some() => known.push(room),
                Following::No | Following::Out => {
                    let join = json!({ "roomId": name, "history": 0, "cursor": standing.cursor() });
                    let from = standing.at.as_ref().map(|(seq, _)| *seq);
                    self.asked_to_follow(room);
                    self.ask(link, "join_room", &join, Asked::Join(room, from))
                        .await?;
                }
                Following::Asked | Following::Yes => {}
            }
        }
        if known.is_empty() {
            return Ok(());
        }
        let rooms: Vec<Value> = known
            .iter()
            .map(|room| json!({ "roomId": self.cast.rooms[*room], "cursor": self.rooms[*room].cursor() }))
            .collect();
        let from = known
            .iter()
            .map(|room| (*room, self.rooms[*room].seq()))
            .collect();
        for room in known {
            self.asked_to_follow(room);
        }
        self.ask(
            link,
            "subscribe",
            &json!({ "rooms": rooms }),
            Asked::Subscribe(from),
        )
        .await
    }

    fn asked_to_follow(&mut self, room: usize) {
        self.rooms[room].following = Following::Asked;
        self.rooms[room].forget_pages();
        self.note(What::Asked { room: number(room) });
    }

    /// Sends what waits, in order; after a reconnect all of it again.
    async fn send_pending(&mut self, link: &mut Link) -> Result<(), Why> {
        let now = Instant::now();
        for n in 0..self.pending.len().min(MOST_UNANSWERED) {
            let Pending {
                sent_on, not_before, ..
            } = self.pending[n];
            if sent_on == self.connections || not_before > now {
                continue;
            }
            let pending = &mut self.pending[n];
            pending.sent_on = self.connections;
            let (room, twin, client_id) = (pending.room, pending.twin, pending.client_id.clone());
            let mut message = json!({
                "roomId": self.cast.rooms[room], "clientId": client_id, "content": pending.content,
            });
            if let Some(mentioned) = client_id
                .strip_prefix("to-")
                .and_then(|rest| rest.split('.').next())
            {
                message["mentions"] = json!([mentioned]);
            }
            self.note(What::Sent {
                room: number(room),
                client_id: client_id.clone(),
                twin,
            });
            self.cast.counts.sent.fetch_add(1, Relaxed);
            self.ask(link, "send_message", &message, Asked::Message(client_id))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn ask(
        &mut self,
        link: &mut Link,
        kind: &str,
        data: &Value,
        asked: Asked,
    ) -> Result<(), Why> {
        let id = link.socket.send(kind, data).await?;
        link.under_way.insert(id, asked);
        Ok(())
    }

    // ---- what comes -------------------------------------------------------------------------------------------

    async fn take(&mut self, link: &mut Link, envelope: &Value) -> Result<(), Why> {
        let (kind, data) = (envelope["type"].as_str().unwrap_or_default(), &envelope["data"]);
        if let Some(asked) = envelope["id"].as_u64().and_then(|id| link.under_way.remove(&id)) {
            match kind {
                "error" => self.refused(asked, data),
                _ => self.answered(asked, data),
            }
            return Ok(());
        }
        let room = data["roomId"].as_str();
        let room = room.and_then(|room| self.cast.rooms.iter().position(|known| known == room));
        match (kind, room) {
            ("gap", Some(room)) => self.gap(room, data),
            // The client may wait before it moves; this one moves at once, as its next connection may fail.
            ("migrate", _) => return Err("asked to migrate".into()),
            (_, Some(room)) if data["eventId"].is_string() => {
                self.cast.counts.delivered.fetch_add(1, Relaxed);
                let mine = self.event(room, kind, data, Source::Pushed);
                self.rooms[room].pushed(kind, data);
                if mine == Mine::Ends && data["seq"].as_u64() > Some(self.rooms[room].member_at) {
                    self.out(room);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn event(&mut self, room: usize, kind: &str, data: &Value, source: Source) -> Mine {
        let ends = matches!(kind, "member_kicked" | "member_left")
            && data["userId"] == self.cast.users[self.user].as_str();
        let mine = if ends { Mine::Ends } else { Mine::Nothing };
        let seen = seen(number(room), kind, data);
        self.note(What::Event { seen, source, mine });
        mine
    }

    /// The user is no member any more; they will be back.
    fn out(&mut self, room: usize) {
        if self.rooms[room].following == Following::Yes {
            self.rooms[room].following = Following::Out;
        }
        self.back_at[room] = Instant::now() + Duration::from_millis(self.chance.random_range(300..2000));
    }

    fn gap(&mut self, room: usize, data: &Value) {
        let number_of = |field: &str| data[field].as_u64().unwrap_or_default();
        let (from, to) = (number_of("from"), number_of("to"));
        let rewind = !data["rewindTo"].is_null();
        self.note(What::Gap {
            room: number(room),
            from,
            to,
            rewind,
        });
        let standing = &mut self.rooms[room];
        if to > standing.seq() {
            standing.paging_to = Some(standing.paging_to.map_or(to, |before| before.max(to)));
        }
    }

    fn follows(&mut self, room: usize, from: Option<u64>, answer: &Value) {
        let head = answer["head"].as_u64().unwrap_or_default();
        let after = from.unwrap_or(head);
        if from.is_none() {
            self.rooms[room].begin(head, answer["cursor"].as_str().unwrap_or_default());
        }
        self.rooms[room].following = Following::Yes;
        self.rooms[room].member_at = head;
        self.note(What::Follows {
            room: number(room),
            after,
            head,
        });
    }

    fn does_not_follow(&mut self, room: usize, error: &Value) {
        let code = error["code"].as_str().unwrap_or_default().to_owned();
        let standing = &mut self.rooms[room];
        standing.following = if code == "not_member" {
            Following::Out
        } else {
            Following::No
        };
        self.back_at[room] = Instant::now() + Duration::from_millis(self.chance.random_range(50..500));
        self.note(What::NotFollowing {
            room: number(room),
            code,
        });
    }

    fn answered(&mut self, asked: Asked, data: &Value) {
        match asked {
            Asked::Message(client_id) => self.acked(client_id, data),
            Asked::Join(room, from) => self.follows(room, from, data),
            Asked::Subscribe(rooms) => {
                let answers = data["rooms"].as_array().cloned().unwrap_or_default();
                for ((room, from), answer) in rooms.into_iter().zip(answers) {
                    if answer["error"].is_null() {
                        self.follows(room, Some(from), &answer);
                    } else {
                        self.does_not_follow(room, &answer["error"]);
                    }
                }
            }
            Asked::Leave(room) => {
                self.note(What::Left {
                    room: number(room),
                    seq: data["seq"].as_u64().unwrap_or_default(),
                });
                self.out(room);
            }
            Asked::Page(room) => {
                let events = data["events"].as_array().cloned().unwrap_or_default();
                for event in &events {
                    let kind = event["type"].as_str().unwrap_or_default();
                    self.event(room, kind, &event["data"], Source::Paged);
                }
                self.rooms[room].paged(&events);
            }
            Asked::Change(room, kind) => {
                if let Some(seq) = data["seq"].as_u64() {
                    let room = number(room);
                    self.note(What::Done { room, kind, seq });
                }
            }
            Asked::Mark(room, seq) => {
                let room = number(room);
                let seq = data["seq"].as_u64().unwrap_or(seq);
                self.note(What::Marked { room, seq });
            }
            Asked::Other => {}
        }
    }

    fn acked(&mut self, client_id: String, data: &Value) {
        let n = self
            .pending
            .iter()
            .position(|pending| pending.client_id == client_id);
        let Some(pending) = n.and_then(|n| self.pending.remove(n)) else {
            return;
        };
        let seq = data["seq"].as_u64().unwrap_or_default();
        let id = data["messageId"]
            .as_str()
            .and_then(|id| uuid::Uuid::parse_str(id).ok());
        self.cast.counts.acked.fetch_add(1, Relaxed);
        self.note(What::Acked {
            room: number(pending.room),
            client_id: client_id.clone(),
            seq,
            id: id.map_or(0, |id| id.as_u128()),
            duplicate: data["duplicate"] == true,
        });
        self.own
            .push_back((pending.room, seq, client_id, pending.content));
        if self.own.len() > 64 {
            self.own.pop_front();
        }
    }

    fn refused(&mut self, asked: Asked, error: &Value) {
        let code = error["code"].as_str().unwrap_or_default().to_owned();
        match asked {
            Asked::Message(client_id) => {
                let n = self
                    .pending
                    .iter()
                    .position(|pending| pending.client_id == client_id);
                let Some(mut pending) = n.and_then(|n| self.pending.remove(n)) else {
                    return;
                };
                self.note(What::Refused {
                    room: number(pending.room),
                    client_id,
                    code,
                });
                // What waiting helps is sent again, behind the others: it was refused, so it has no place yet.
                if let Some(wait) = error["retryAfterMs"].as_u64() {
                    pending.not_before = Instant::now() + Duration::from_millis(wait);
                    pending.sent_on = 0;
                    self.pending.push_back(pending);
                }
            }
            Asked::Join(room, _) => self.does_not_follow(room, error),
            Asked::Subscribe(rooms) => {
                for (room, _) in rooms {
                    self.does_not_follow(room, error);
                }
            }
            Asked::Page(room) => {
                self.rooms[room].page_asked = false;
                if code == "not_member" {
                    self.out(room);
                    self.rooms[room].forget_pages();
                }
            }
            Asked::Leave(_) | Asked::Change(..) | Asked::Mark(..) | Asked::Other => {}
        }
    }
}

pub(super) fn number(room: usize) -> Room {
    Room::try_from(room).unwrap_or(Room::MAX)
}

fn home_of(history: &History, user: usize, rooms: &[Standing]) -> Home {
    Home {
        history: history.clone(),
        user,
        rooms: rooms.to_vec(),
    }
}

/// Answers whoever asks what is known, while there is no connection; ends when somebody has.
async fn answer_all(
    asked: &mut mpsc::Receiver<oneshot::Sender<Home>>,
    history: &History,
    user: usize,
    rooms: &[Standing],
) {
    match asked.recv().await {
        // Who asked may have given up.
        Some(tell) => drop(tell.send(home_of(history, user, rooms))),
        // Nobody will ever ask again.
        None => std::future::pending().await,
    }
}
