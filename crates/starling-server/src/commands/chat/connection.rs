//! The socket under a [`Session`]: it dials, pumps frames, notices silence, and dials again with back-off and full
//! jitter until the server says that this client shall not come back.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use anyhow::{Context, anyhow};
use futures_util::{Sink as _, Stream as _};
use rand::{Rng, rngs::StdRng};
use starling_core::{Clock, SystemClock};
use starling_protocol::{CloseCode, Codec, ErrorBody};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, Request, StatusCode, header},
        protocol::{CloseFrame, frame::coding},
    },
};

use crate::wire::Frame;

use super::{
    Credentials,
    session::{Break, News, Order, Session},
};

/// The ceiling of the first wait; it doubles with each attempt that fails.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The ceiling of every wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How long a handshake may take, and the welcome after it.
const PATIENCE: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Dialing = Pin<Box<dyn Future<Output = Result<Socket, Error>>>>;

/// See the module.
pub(super) struct Connection {
    url: String,
    credentials: Credentials,
    pub(super) session: Session,
    link: Link,
    /// Attempts since the server took the session up last.
    attempts: u32,
    rng: StdRng,
}

enum Link {
    Waiting(Instant),
    Dialing(Dialing),
    Open(Box<Open>),
}

struct Open {
    socket: Socket,
    /// When the server has been silent for too long.
    silent_at: Instant,
    /// When the server wants this connection to move.
    migrate_at: Option<Instant>,
}

/// What a step on an open connection came to.
enum Step {
    Received(Message),
    Gone(String),
    Woken,
}

impl Connection {
    /// A connection that will be opened by the first [`Connection::next`].
    pub(super) fn new(url: String, credentials: Credentials, session: Session, rng: StdRng) -> Self {
        Self {
            url,
            credentials,
            session,
            link: Link::Waiting(Instant::now()),
            attempts: 0,
            rng,
        }
    }

    /// Does what the user wants.
    pub(super) fn order(&mut self, order: Order) {
        self.session.order(order);
    }

    /// The next piece of news. May be dropped and called again at any time without a loss.
    ///
    /// # Errors
    /// When there is no use in connecting again.
    pub(super) async fn next(&mut self) -> anyhow::Result<News> {
        loop {
            if let Some(news) = self.session.news.pop_front() {
                return Ok(news);
            }
            match &mut self.link {
                Link::Waiting(until) => {
                    sleep_until(*until).await;
                    self.link = Link::Dialing(dial(self.request()?));
                }
                Link::Dialing(dialing) => {
                    let dialed = dialing.await;
                    self.on_dialed(dialed)?;
                }
                Link::Open(open) => {
                    let step = open.step(&mut self.session).await;
                    self.on_step(step)?;
                }
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        if let Link::Open(open) = &mut self.link {
            let frame = CloseFrame {
                code: coding::CloseCode::Normal,
                reason: "".into(),
            };
            // The server ends the session either way.
            drop(timeout(Duration::from_secs(1), open.socket.close(Some(frame))).await);
        }
    }

    fn request(&self) -> anyhow::Result<Request<()>> {
        let mut request = self
            .url
            .as_str()
            .into_client_request()
            .with_context(|| format!("--url {}", self.url))?;
        let token = self.credentials.token(SystemClock.now())?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .context("--token has characters that no token has")?;
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(Codec::Json.subprotocol()),
        );
        Ok(request)
    }

    fn on_dialed(&mut self, dialed: Result<Socket, Error>) -> anyhow::Result<()> {
        match dialed {
            Ok(socket) => {
                let silent_at = Instant::now() + PATIENCE;
                self.link = Link::Open(Box::new(Open {
                    socket,
                    silent_at,
                    migrate_at: None,
                }));
            }
            Err(Error::Http(response)) if is_final(response.status()) => {
                let body = response.body().as_deref().unwrap_or_default();
                let text = serde_json::from_slice::<ErrorBody>(body).map_or_else(
                    |_| {
                        format!(
                            "{} answers {}: is this the address of a Starling server?",
                            self.url,
                            response.status()
                        )
                    },
                    |error| format!("the server refuses the token: {}", error.message),
                );
                return Err(anyhow!(text));
            }
            Err(Error::Http(response)) => self.away(format!("{} answers {}", self.url, response.status())),
            Err(Error::Url(error)) => return Err(anyhow!("--url {}: {error}", self.url)),
            Err(error) => self.away(format!("cannot reach {}: {error}", self.url)),
        }
        Ok(())
    }

    fn on_step(&mut self, step: Step) -> anyhow::Result<()> {
        let Link::Open(open) = &mut self.link else {
            return Ok(());
        };
        let now = Instant::now();
        let message = match step {
            Step::Received(message) => message,
            Step::Gone(why) => {
                self.away(why);
                return Ok(());
            }
            Step::Woken if open.migrate_at.is_some_and(|at| at <= now) => {
                self.session.on_break();
                self.link = Link::Waiting(now);
                return Ok(());
            }
            Step::Woken if open.silent_at <= now => {
                self.away("the server is silent".into());
                return Ok(());
            }
            Step::Woken => {
                self.session.wake();
                return Ok(());
            }
        };
        open.silent_at = now + self.session.heartbeat.map_or(PATIENCE, |heartbeat| heartbeat * 2);
        match message {
            Message::Text(text) => self.on_text(&text, now),
            Message::Close(frame) => self.on_close(frame.as_ref()),
            _ => Ok(()),
        }
    }

    fn on_text(&mut self, text: &str, now: Instant) -> anyhow::Result<()> {
        let heard = match Frame::read(text) {
            Ok(frame) => self.session.hear(frame, now),
            Err(error) => Err(Break::Resume(format!("the server is not understood: {error}"))),
        };
        if self.session.is_live() {
            self.attempts = 0;
        }
        match heard {
            Ok(()) => {}
            Err(Break::Resume(why)) => self.away(why),
            Err(Break::Migrate(wait)) => {
                if let Link::Open(open) = &mut self.link {
                    open.migrate_at = Some(now + wait);
                }
            }
            Err(Break::Refresh) => {
                if let Credentials::Signer(..) = &self.credentials {
                    let token = self.credentials.token(SystemClock.now())?;
                    self.session.refresh(token);
                }
            }
        }
        Ok(())
    }

    fn on_close(&mut self, frame: Option<&CloseFrame>) -> anyhow::Result<()> {
        let number = frame.map_or(1005, |frame| u16::from(frame.code));
        let known = CloseCode::ALL.into_iter().find(|code| code.code() == number);
        let reason = frame.map_or("", |frame| frame.reason.as_str());
        let reason = super::text::escaped(if reason.is_empty() {
            known.map_or("no reason given", CloseCode::reason)
        } else {
            reason
        });
        if known.map_or(number >= 4500, CloseCode::is_terminal) {
            return Err(anyhow!(
                "the server has ended this session: {reason} (close code {number})"
            ));
        }
        self.away(format!("{reason} (close code {number})"));
        Ok(())
    }

    /// Waits a random time up to a ceiling that doubles (full jitter), so that the clients of a server that comes back
    /// do not all come at once.
    fn away(&mut self, why: String) {
        self.session.on_break();
        let ceiling = FIRST_WAIT
            .saturating_mul(1 << self.attempts.min(10))
            .min(LONGEST_WAIT);
        self.attempts += 1;
        let wait = ceiling.mul_f64(self.rng.random::<f64>());
        self.link = Link::Waiting(Instant::now() + wait);
        self.session.news.push_back(News::Away { why });
    }
}

fn dial(request: Request<()>) -> Dialing {
    Box::pin(async move {
        match timeout(PATIENCE, connect_async(request)).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::Io(std::io::ErrorKind::TimedOut.into())),
        }
    })
}

/// Whether the answer to the handshake will be the same next time.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        )
}

impl Open {
    async fn step(&mut self, session: &mut Session) -> Step {
        let wake_at = [session.wake_at(), self.migrate_at]
            .into_iter()
            .flatten()
            .fold(self.silent_at, Instant::min);
        tokio::select! {
            step = self.pump(session) => step,
            () = sleep_until(wake_at) => Step::Woken,
        }
    }

    /// Writes what is to be sent and waits for what comes. A frame leaves the session only when the socket takes it.
    async fn pump(&mut self, session: &mut Session) -> Step {
        poll_fn(|cx| {
            let mut socket = Pin::new(&mut self.socket);
            while !session.out.is_empty() {
                match socket.as_mut().poll_ready(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Step::Gone(error.to_string())),
                }
                let frame = session.out.pop_front().unwrap_or_default();
                if let Err(error) = socket.as_mut().start_send(Message::text(frame)) {
                    return Poll::Ready(Step::Gone(error.to_string()));
                }
            }
            if let Poll::Ready(Err(error)) = socket.as_mut().poll_flush(cx) {
                return Poll::Ready(Step::Gone(error.to_string()));
            }
            socket.poll_next(cx).map(|message| match message {
                Some(Ok(message)) => Step::Received(message),
                Some(Err(error)) => Step::Gone(error.to_string()),
                None => Step::Gone("the server has closed the connection".into()),
            })
        })
        .await
    }
}
