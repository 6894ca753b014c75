//! Everything that takes part, and what the plan's steps do to it.

use std::{collections::VecDeque, time::Duration};

use starling_core::{
    Action, Authority, ClientId, Draft, EventId, RoomEvent, RoomId, Timestamp, UserId, event::MessageCreated,
};
use tokio::time::Instant;

use super::{
    checks::Seen,
    client::{Awaited, Client, Known, Link, Sent, State},
    log::Log,
    node::{Node, Said, Ticket},
    pipe::Pipe,
    plan::{CLIENTS, Fate, NODES, Plan, ROOMS, Step, Works},
    session::{Command, ServerSession},
};
use crate::lanes::batch::Batch;

pub(super) struct World {
    pub(super) now: Instant,
    replay: u64,
    pub(super) log: Log,
    pub(super) nodes: Vec<Node>,
    pub(super) clients: Vec<Client>,
    /// What dead nodes had asked the log for.
    orphans: VecDeque<Batch<Ticket>>,
    /// For ids of all kinds.
    count: u64,
    pub(super) seen: Seen,
}

impl World {
    /// Every user is a member of every room; nobody is connected.
    pub(super) fn new(plan: &Plan) -> Self {
        let now = Instant::now();
        let rooms: Vec<_> = (0..ROOMS)
            .map(|n| RoomId::parse(&format!("r{n}")).expect("a room id"))
            .collect();
        let client = |n| Client {
            user: UserId::parse(&format!("u{n}")).expect("a user id"),
            link: None,
            rooms: rooms.iter().cloned().map(Known::new).collect(),
            sent: Vec::new(),
            gaps: 0,
        };
        let mut world = Self {
            now,
            replay: plan.replay,
            log: Log::default(),
            nodes: (0..NODES).map(|_| Node::new(plan.replay, ROOMS, now)).collect(),
            clients: (0..CLIENTS).map(client).collect(),
            orphans: VecDeque::new(),
            count: 0,
            seen: Seen::default(),
        };
        for client in &world.clients {
            for room in &rooms {
                world.log.admit(room, &client.user);
            }
        }
        if plan.warm {
            for _ in 0..8 {
                world.let_clients_go_on();
                world.let_nodes_go_on();
            }
        }
        world
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Connect(client, node) => self.connect(client.into(), node.into()),
            Step::Cut(client) => self.cut(client.into()),
            Step::Read(client) => self.read(client.into()),
            Step::Subscribe(client, room) => self.subscribe(client.into(), room.into()),
            Step::Send(client, room, count) => {
                for _ in 0..count {
                    let content = format!("{} of {client}", self.count);
                    self.append(client.into(), room.into(), Action::Send(message(content)));
                }
            }
            Step::Repeat(client, pick) => {
                if let Some(sent) = picked(self.clients[usize::from(client)].sent.len(), pick) {
                    self.submit(client.into(), sent);
                }
            }
            Step::Join(client, room) => self.append(client.into(), room.into(), join()),
            Step::Kick(client, room) => {
                let next = usize::from((client + 1) % CLIENTS);
                let user = self.clients[next].user.clone();
                self.append(client.into(), room.into(), Action::Kick { user, reason: None });
            }
            Step::Flow(node) => self.flow(node.into()),
            Step::Session(node, pick) => {
                let node = &mut self.nodes[usize::from(node)];
                if let Some(at) = picked(node.sessions.len(), pick) {
                    node.run_session(at, &self.log);
                }
            }
            Step::Lane(node, lane, fate) => self.run_lane(node.into(), lane.into(), fate),
            Step::Task(node, pick, works) => {
                self.nodes[usize::from(node)].run_task(pick.into(), works, &self.log);
            }
            Step::Shard(node, most) => self.nodes[usize::from(node)].run_shard(most.into(), self.now),
            Step::Sweep(node, works) => self.nodes[usize::from(node)].sweep(works, &self.log),
            Step::Hear(node, pick, heard) => {
                self.nodes[usize::from(node)].hear(pick.into(), heard);
            }
            Step::Tick(millis) => self.now += Duration::from_millis(millis.into()),
            Step::Crash(node) => self.crash(node.into()),
            Step::Orphan(pick, works) => {
                if let Some(at) = picked(self.orphans.len(), pick)
                    && let Some(batch) = self.orphans.remove(at)
                    && works == Works::Well
                {
                    self.log.append(batch.drafts());
                }
            }
        }
    }

    // ---- clients ----------------------------------------------------------------------------------------------

    /// A client without a connection gets one, and sends again what was not answered.
    pub(super) fn connect(&mut self, client: usize, node: usize) {
        if self.clients[client].link.is_some() {
            return;
        }
        self.count += 1;
        let (key, pipe) = (self.count, Pipe::default());
        let entry = &mut self.nodes[node];
        let user = self.clients[client].user.clone();
        entry
            .sessions
            .push(ServerSession::new(key, user, pipe.clone(), entry.metrics.clone()));
        self.clients[client].link = Some(Link::new(node, key, pipe));
        for sent in 0..self.clients[client].sent.len() {
            let entry = &self.clients[client].sent[sent];
            if entry.acked.is_none() && !entry.is_refused {
                self.submit(client, sent);
            }
        }
    }

    pub(super) fn cut(&mut self, client: usize) {
        if let Some(session) = self.session_of(client) {
            session.is_cut = true;
            session.commands.clear();
        }
        self.clients[client].link = None;
    }

    /// It reads what has come; where the server has closed the connection, that is the end of it.
    pub(super) fn read(&mut self, client: usize) {
        let is_open = self
            .session_of(client)
            .is_some_and(|session| session.session.conn.closing().is_none());
        self.clients[client].read(&self.log);
        if !is_open {
            self.cut(client);
        }
    }

    pub(super) fn subscribe(&mut self, client: usize, room: usize) {
        self.count += 1;
        let id = i64::try_from(self.count).expect("a short run");
        let Some(link) = &mut self.clients[client].link else {
            return;
        };
        let again = match link.states[room] {
            State::Off => false,
            State::Gone => true,
            State::Asked { .. } | State::Live => return,
        };
        link.states[room] = State::Asked { again };
        link.wait_for(id, Awaited::Subscribe(room));
        let known = &self.clients[client].rooms[room];
        let (room, cursor) = (known.id.clone(), known.cursor);
        let Some(session) = self.session_of(client) else {
            return;
        };
        if again {
            session
                .commands
                .push_back(Command::Unsubscribe { room: room.clone() });
        }
        session
            .commands
            .push_back(Command::Subscribe { id, room, cursor });
    }

    fn append(&mut self, client: usize, room: usize, action: Action) {
        if self.clients[client].link.is_some() {
            let sent = self.sent(client, room, action);
            self.clients[client].sent.push(sent);
            self.submit(client, self.clients[client].sent.len() - 1);
        }
    }

    /// Sends it, or sends it again.
    pub(super) fn submit(&mut self, client: usize, at: usize) {
        let sent = self.clients[client].sent[at].clone();
        let draft = Box::new(self.draft(client, &sent));
        self.count += 1;
        let id = i64::try_from(self.count).expect("a short run");
        let lane = sent.room;
        if let Some(session) = self.session_of(client) {
            session.commands.push_back(Command::Append { id, lane, draft });
            if let Some(link) = &mut self.clients[client].link {
                link.wait_for(id, Awaited::Append(at));
            }
        }
    }

    fn sent(&mut self, client: usize, room: usize, action: Action) -> Sent {
        self.count += 1;
        Sent {
            room,
            client_id: ClientId::parse(&format!("{client}-{}", self.count)).expect("a client id"),
            action,
            acked: None,
            is_refused: false,
            is_late: false,
        }
    }

    fn draft(&mut self, client: usize, sent: &Sent) -> Draft {
        self.count += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.count.to_be_bytes());
        let at = Timestamp::from_millis(1);
        Draft {
            room: self.clients[client].rooms[sent.room].id.clone(),
            sender: self.clients[client].user.clone(),
            sender_name: None,
            authority: Authority::Member,
            client_id: sent.client_id.clone(),
            event_id: EventId::new(at, random),
            at,
            action: sent.action.clone(),
        }
    }

    fn session_of(&mut self, client: usize) -> Option<&mut ServerSession> {
        let link = self.clients[client].link.as_ref()?;
        let sessions = &mut self.nodes[link.node].sessions;
        sessions.iter_mut().find(|session| session.key() == link.key)
    }

    // ---- nodes ------------------------------------------------------------------------------------------------

    pub(super) fn run_lane(&mut self, node: usize, lane: usize, fate: Fate) {
        match self.nodes[node].run_lane(lane, fate, &mut self.log) {
            Said::Nothing => {}
            Said::Publish(room, events) => self.publish(node, &room, &events),
        }
    }

    /// To every node that has subscribed by now; a node does not listen to itself.
    fn publish(&mut self, from: usize, room: &RoomId, events: &[RoomEvent]) {
        for (at, node) in self.nodes.iter_mut().enumerate() {
            if at != from && node.subscribed.contains(room) {
                node.heard.push(events.to_vec());
            }
        }
    }

    /// Everything on a node goes one step on, but for the bus and the sweep.
    pub(super) fn flow(&mut self, node: usize) {
        for at in (0..self.nodes[node].sessions.len()).rev() {
            self.nodes[node].run_session(at, &self.log);
        }
        for lane in 0..usize::from(ROOMS) {
            self.run_lane(node, lane, Fate::Stored);
        }
        self.nodes[node].run_all_tasks(&self.log);
        self.nodes[node].run_shard(usize::MAX, self.now);
    }

    fn crash(&mut self, node: usize) {
        for client in 0..self.clients.len() {
            if self.clients[client]
                .link
                .as_ref()
                .is_some_and(|link| link.node == node)
            {
                // What the kernel has taken still arrives.
                self.clients[client].read(&self.log);
                self.clients[client].link = None;
            }
        }
        let mut dead = std::mem::replace(&mut self.nodes[node], Node::new(self.replay, ROOMS, self.now));
        self.seen.count(&dead.metrics);
        self.orphans.extend(dead.orphans());
    }

    /// No transaction stays open for ever.
    pub(super) fn end_orphans(&mut self) {
        for batch in std::mem::take(&mut self.orphans) {
            self.log.append(batch.drafts());
        }
    }
}

fn join() -> Action {
    Action::Join {
        auto_create: None,
        max_rooms: 10,
    }
}

fn message(content: String) -> MessageCreated {
    MessageCreated {
        content,
        content_type: "text/plain".into(),
        reply_to: None,
        thread: None,
        attachments: Vec::new(),
        mentions: Vec::new(),
        metadata: None,
    }
}

fn picked(len: usize, pick: u8) -> Option<usize> {
    (len > 0).then(|| usize::from(pick) % len)
}
