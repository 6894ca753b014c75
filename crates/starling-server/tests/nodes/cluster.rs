//! The processes of a cluster, and how clients come in.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    process::ExitStatus,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use starling_testkit::{
    client::{DEADLINE, Dial, TestClient, http, number, text},
    e2e::token,
    fixtures::{
        nginx::NginxFixture,
        postgres::PostgresFixture,
        proxy::{ChaosProxy, Direction, Mode},
        redis::RedisFixture,
    },
};
use tempfile::TempDir;

use crate::support::{Server, free_addr};

pub(crate) const NODES: usize = 3;
pub(crate) const ROOM: &str = "r";

/// Tests are faster than people, and drain faster than a deploy.
const SETTINGS: [(&str, &str); 9] = [
    ("STARLING_BACKEND", "cluster"),
    ("STARLING_AUTH__HS256_SECRET", token::SECRET),
    ("STARLING_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ("STARLING_LIMITS__COMMANDS_PER_MINUTE", "1000000"),
    ("STARLING_LIMITS__COMMAND_BURST", "1000000"),
    ("STARLING_MESSAGING__RATE_PER_MINUTE", "1000000"),
    ("STARLING_MESSAGING__BURST", "1000000"),
    ("STARLING_DRAIN__READINESS_DELAY", "200ms"),
    ("STARLING_DRAIN__WINDOW", "1s"),
];

/// Three nodes behind nginx. All of it ends when this is dropped.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    pub(crate) nginx: NginxFixture,
    pub(crate) redis: RedisFixture,
    database: String,
    folder: TempDir,
    /// Variables of every node, beside the usual ones.
    variables: Vec<(String, String)>,
    /// Between the first node and Postgres, where a test wants to break that.
    link: Option<ChaosProxy>,
    postgres: Arc<PostgresFixture>,
}

struct Node {
    id: String,
    addr: SocketAddr,
    /// While it runs.
    server: Mutex<Option<Server>>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with more variables for every node.
    pub(crate) fn start_with(variables: &[(String, String)]) -> Self {
        Self::start_by(variables, PostgresFixture::shared(), None)
    }

    /// The same; the first node's link to Postgres can be made to hang.
    pub(crate) async fn start_with_a_link(variables: &[(String, String)]) -> Self {
        let postgres = PostgresFixture::shared();
        let link = ChaosProxy::before(postgres.port()).await.expect("a proxy");
        Self::start_by(variables, postgres, Some(link))
    }

    fn start_by(
        variables: &[(String, String)],
        postgres: Arc<PostgresFixture>,
        link: Option<ChaosProxy>,
    ) -> Self {
        let nodes: Vec<Node> = (1..=NODES)
            .map(|n| Node {
                id: format!("node-{n}"),
                addr: free_addr(),
                server: Mutex::new(None),
            })
            .collect();
        let addrs: Vec<SocketAddr> = nodes.iter().map(|node| node.addr).collect();
        let cluster = Self {
            nodes,
            nginx: NginxFixture::start(&addrs),
            redis: RedisFixture::start(),
            database: postgres.database(),
            folder: tempfile::tempdir().unwrap(),
            variables: variables.to_vec(),
            link,
            postgres,
        };
        for n in 0..NODES {
            cluster.start_node(n);
        }
        cluster
    }

    /// Starts a node, again or for the first time, and waits until it listens.
    pub(crate) fn start_node(&self, n: usize) {
        let node = &self.nodes[n];
        let redis = self.redis.url();
        let database = self.database_of(n);
        let mut variables = SETTINGS.to_vec();
        let more = self.variables.iter();
        variables.extend(more.map(|(name, value)| (name.as_str(), value.as_str())));
        variables.extend([
            ("STARLING_SERVER__NODE_ID", node.id.as_str()),
            ("STARLING_REDIS__URL", redis.as_str()),
            ("STARLING_POSTGRES__URL", database.as_str()),
        ]);
        *node.server.lock().unwrap() = Some(Server::start(node.addr, self.folder.path(), &variables));
    }

    /// Where a node finds the database.
    fn database_of(&self, n: usize) -> String {
        let Some(link) = self.link.as_ref().filter(|_| n == 0) else {
            return self.database.clone();
        };
        let (user, place) = self.database.split_once('@').expect("a URL with a user");
        let (_, name) = place.split_once('/').expect("a URL with a database");
        format!("{user}@127.0.0.1:{}/{name}", link.port())
    }

    /// The first node's link to Postgres takes what it is given, and hands nothing on.
    pub(crate) fn hang_link(&self) {
        let link = self.link.as_ref().expect("started with a link");
        link.set(Mode::BlackHole(Direction::ToServer));
    }

    /// Shuts the nodes out of their database.
    pub(crate) fn close_database(&self) {
        let (_, name) = self.database.rsplit_once('/').expect("a URL with a database");
        let name = name.split('?').next().unwrap();
        self.postgres
            .sql(&format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false"));
        self.postgres.sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ));
    }

    /// `kill -9`.
    pub(crate) fn kill(&self, n: usize) {
        self.running(n).kill();
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(&self, n: usize) -> ExitStatus {
        self.running(n).terminate()
    }

    fn running(&self, n: usize) -> Server {
        let server = self.nodes[n].server.lock().unwrap().take();
        server.expect("the node runs")
    }

    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.addr).collect()
    }

    /// A client through nginx, and the node that it came to.
    pub(crate) async fn client(&self, user: &str) -> (TestClient, usize) {
        self.dial(self.nginx.addr(), user).await
    }

    /// A client at this node, past nginx.
    pub(crate) async fn client_at(&self, n: usize, user: &str) -> TestClient {
        self.dial(self.nodes[n].addr, user).await.0
    }

    /// Clients of these users through nginx, each at another node.
    pub(crate) async fn spread(&self, users: [&str; NODES]) -> [TestClient; NODES] {
        let mut places = BTreeSet::new();
        let mut clients = Vec::with_capacity(NODES);
        for user in users {
            let (client, node) = self.client(user).await;
            places.insert(node);
            clients.push(client);
        }
        assert_eq!(places.len(), NODES, "nginx gives to whom has fewest: {places:?}");
        clients.try_into().ok().expect("so many")
    }

    /// The same, as members of the room.
    pub(crate) async fn members(&self, users: [&str; NODES]) -> [TestClient; NODES] {
        let mut clients = self.spread(users).await;
        for client in &mut clients {
            join(client).await;
        }
        for client in &mut clients {
            client.settled().await;
        }
        clients
    }

    async fn dial(&self, addr: SocketAddr, user: &str) -> (TestClient, usize) {
        let dial = Dial {
            bearer: Some(token::sign(&token::claims(user))),
            ..Dial::default()
        };
        let mut client = TestClient::dial(addr, &dial).await.expect("an upgrade");
        let welcome = client.event("welcome").await;
        let id = text(&welcome, "nodeId");
        let node = self.nodes.iter().position(|node| node.id == id);
        (client, node.expect("a node of this cluster"))
    }

    /// An answer of a node itself, once it is such.
    pub(crate) async fn answer_where(
        &self,
        n: usize,
        path: &str,
        such: impl Fn(&http::Answer) -> bool,
    ) -> Value {
        let waiting = async {
            loop {
                let answer = http::get(self.nodes[n].addr, path, &[]).await;
                if such(&answer) {
                    return answer.json();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waiting = tokio::time::timeout(DEADLINE, waiting).await;
        waiting.unwrap_or_else(|_| panic!("{path} of node {n} does not become so"))
    }

    /// Waits until `/readyz` of a node has this status, and gives its state of Redis.
    pub(crate) async fn redis_where(&self, n: usize, status: &str) -> Value {
        let ready = self
            .answer_where(n, "/readyz", |answer| {
                answer.status == 200 && answer.json()["status"] == status
            })
            .await;
        ready["services"]["redis"].clone()
    }
}

pub(crate) async fn join(client: &mut TestClient) -> Value {
    client.call("join_room", json!({ "roomId": ROOM })).await
}

/// Sends a message with its content as its client id, and gives its seq.
pub(crate) async fn send(client: &mut TestClient, content: &str) -> u64 {
    number(&client.call("send_message", message(content)).await, "seq")
}

pub(crate) fn message(content: &str) -> Value {
    json!({ "roomId": ROOM, "clientId": content, "content": content })
}

/// Follows the room from a cursor on; what was missed comes as events.
pub(crate) async fn resume(client: &mut TestClient, cursor: &Value) -> Value {
    let rooms = json!({ "rooms": [{ "roomId": ROOM, "cursor": cursor }] });
    client.call("subscribe", rooms).await["rooms"][0].clone()
}

/// The durable events of the room among envelopes.
pub(crate) fn durable(envelopes: Vec<Value>) -> impl Iterator<Item = Value> {
    envelopes
        .into_iter()
        .filter(|envelope| envelope["data"]["roomId"] == ROOM && envelope["data"]["eventId"].is_string())
}

/// Everything that was ever written to the room.
pub(crate) async fn log(client: &mut TestClient) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let page = json!({ "roomId": ROOM, "after": events.len(), "limit": 500 });
        let page = client.call("fetch_events", page).await;
        events.extend(page["events"].as_array().expect("events").iter().cloned());
        if page["hasMore"] != true {
            return events;
        }
    }
}

/// Waits until the watcher is told that a user has this status, and gives what it was told.
pub(crate) async fn told(watcher: &mut TestClient, user: &str, status: &str) -> Value {
    let such = |known: &Value| known["userId"] == user && known["status"] == status;
    let event = watcher
        .event_where("presence_changed", |data| {
            data["users"]
                .as_array()
                .is_some_and(|users| users.iter().any(such))
        })
        .await;
    let users = event["users"].as_array().expect("users");
    users.iter().find(|known| such(known)).expect("the user").clone()
}
