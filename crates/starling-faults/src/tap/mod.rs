//! A proxy that knows where one message on the wire ends and the next begins, and can therefore lose, repeat, delay or
//! withhold exactly one.
//!
//! This is how a gateway is killed at an exact point with nothing built into it: what it does next waits for bytes that
//! the tap holds back. So the binary that ships is the binary that is tested.
//!
//! | module | what it holds |
//! |---|---|
//! | [`resp`] | Redis's frames |
//! | [`postgres`] | Postgres's frames |
//! | [`rules`] | what is done to a frame |

mod postgres;
mod resp;
mod rules;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Duration, Instant, sleep, sleep_until},
};

pub(crate) use self::rules::{Noise, Point};
use self::rules::{Rules, Verdict};
use crate::report::line;

/// Frames of one direction that are late at once; beyond it the next one is not delayed.
const MOST_LATE: usize = 1024;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// RESP, version 2 or 3.
    Redis,
    /// The frontend/backend protocol, version 3, without TLS.
    Postgres,
}

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// A tap on a free port of 127.0.0.1 before one server. It ends when dropped, and all its connections with it.
pub(crate) struct Tap {
    address: SocketAddr,
    control: Arc<Control>,
    acceptor: JoinHandle<()>,
}

struct Control {
    wire: Wire,
    rules: Mutex<Rules>,
    /// Counts how often all connections were cut: a connection ends when it changes.
    cuts: watch::Sender<u64>,
}

impl Control {
    fn judge(&self, way: Way, frame: &Bytes) -> Verdict {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.judge(self.wire, way, frame)
    }
}

impl Tap {
    pub(crate) async fn before(wire: Wire, server: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let control = Arc::new(Control {
            wire,
            rules: Mutex::new(Rules::new(seed)),
            cuts: watch::Sender::new(0),
        });
        let acceptor = tokio::spawn(accept(listener, server, control.clone()));
        Ok(Self {
            address,
            control,
            acceptor,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Withholds the `nth` frame from now that is at this point, and all behind it on its connection, until
    /// [`Tap::cut`]. The receiver is told at that moment. A trap set earlier is forgotten.
    pub(crate) fn trap(&self, point: Point, nth: u32) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.with(|rules| rules.trap(point, nth, tell));
        told
    }

    /// Takes away a trap that was not sprung.
    pub(crate) fn disarm(&self) {
        self.with(Rules::disarm);
    }

    /// What happens by chance to what was published, on its way to the gateway.
    pub(crate) fn set_noise(&self, noise: Noise) {
        self.with(|rules| rules.noise = noise);
    }

    /// Whether what the gateway publishes reaches nobody, while it is told that it did.
    pub(crate) fn set_mute(&self, mute: bool) {
        self.with(|rules| rules.mute = mute);
    }

    /// Cuts all connections now. New ones are served.
    pub(crate) fn cut(&self) {
        self.control.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How many frames were lost, repeated, delayed or diverted so far.
    pub(crate) fn touched(&self) -> u64 {
        self.with(|rules| rules.touched)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Rules) -> T) -> T {
        let mut rules = self.control.rules.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut rules)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, control: Arc<Control>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of descriptors: try again when some may be free.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let control = control.clone();
        tokio::spawn(async move {
            let mut cuts = control.cuts.subscribe();
            cuts.borrow_and_update();
            tokio::select! {
                () = serve(client, server, &control) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

async fn serve(client: TcpStream, server: SocketAddr, control: &Arc<Control>) {
    let Ok(upstream) = TcpStream::connect(server).await else {
        return;
    };
    if client.set_nodelay(true).is_err() || upstream.set_nodelay(true).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = upstream.into_split();
    tokio::join!(
        pump(from_client, to_server, Way::ToServer, control),
        pump(from_server, to_client, Way::ToClient, control),
    );
}

/// Cuts a stream of bytes into frames.
struct Splitter {
    wire: Wire,
    way: Way,
    /// Postgres: the first message of a client has no type.
    begun: bool,
}

impl Splitter {
    /// The next whole frame, if it is there. An error for what is none: then the tap does not understand the wire, and
    /// must not go on as if it did.
    fn next(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let length = match self.wire {
            Wire::Redis => resp::length(buffer)?,
            Wire::Postgres => postgres::length(buffer, self.way == Way::ToServer && !self.begun)?,
        };
        Ok(length.map(|length| {
            self.begun = true;
            buffer.split_to(length).freeze()
        }))
    }
}

/// Hands on one direction, frame by frame.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, control: &Arc<Control>) {
    let mut splitter = Splitter {
        wire: control.wire,
        way,
        begun: false,
    };
    let mut buffer = BytesMut::with_capacity(16 << 10);
    let mut late: Vec<(Instant, Bytes)> = Vec::new();
    loop {
        let due = late.iter().map(|(at, _)| *at).min();
        let wake = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
        tokio::select! {
            read = from.read_buf(&mut buffer) => match read {
                Ok(1..) => {}
                Ok(0) | Err(_) => {
                    // The other direction may go on.
                    let _ = to.shutdown().await;
                    return;
                }
            },
            () = sleep_until(wake) => {}
        }
        let mut out = BytesMut::new();
        let now = Instant::now();
        late.retain(|(at, frame)| {
            let waits = *at > now;
            if !waits {
                out.extend_from_slice(frame);
            }
            waits
        });
        let frozen = loop {
            let frame = match splitter.next(&mut buffer) {
                Ok(Some(frame)) => frame,
                Ok(None) => break false,
                Err(error) => {
                    line(format_args!(
                        "a tap does not understand what goes {way:?}: {error}"
                    ));
                    return;
                }
            };
            match control.judge(way, &frame) {
                Verdict::Pass => out.extend_from_slice(&frame),
                Verdict::Lose => {}
                Verdict::Repeat => {
                    out.extend_from_slice(&frame);
                    out.extend_from_slice(&frame);
                }
                Verdict::Replace(other) => out.extend_from_slice(&other),
                Verdict::Late(by) if late.len() < MOST_LATE => late.push((now + by, frame)),
                Verdict::Late(_) => out.extend_from_slice(&frame),
                Verdict::Withhold => break true,
                Verdict::WithholdRest => {
                    out.extend_from_slice(&frame);
                    break true;
                }
            }
        };
        if to.write_all(&out).await.is_err() {
            return;
        }
        if frozen {
            // Until the connection is cut.
            control.sprung();
            std::future::pending::<()>().await;
        }
    }
}

impl Control {
    /// Tells who set the trap, after what came before it was handed on.
    fn sprung(&self) {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.tell_sprung();
    }
}

#[cfg(test)]
mod tests;
