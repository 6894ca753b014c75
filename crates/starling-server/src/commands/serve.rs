//! `starling serve`: from a checked configuration to a node that listens, and to its end.

use std::{
    convert::Infallible,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use secrecy::ExposeSecret;
use starling_core::{NodeId, SystemClock, ports::Rate};
use starling_gateway::{
    AuthConfig, AuthKey, Gateway, NodeConfig,
    config::{
        ConnectionLimits, DrainSettings, GuestSettings, MessageLimits, PresenceSettings, RingLimits,
        RoomLimits,
    },
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    backend,
    canary::Canary,
    cli::Cli,
    config::{self, Config, GuestPolicy},
    secret::{self, TokenKey},
    telemetry::{self, otlp::Collector, push::Push, spans::Spans},
};

/// Serves until a signal ends it: SIGTERM drains, SIGINT (Ctrl-C) stops at once.
pub(crate) fn run(cli: &Cli) -> anyhow::Result<()> {
    let config = Config::load(cli)?;
    telemetry::logs::init(&config.telemetry)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let auth = auth(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut node = node_config(&config)?;
    let node_id = node.node_id.clone();
    let collector = |signal| Collector::of(&config.telemetry, signal, &node_id);
    let spans = match collector(config::Signal::Traces) {
        Some(collector) => Some(Spans::to(&collector)?),
        None => None,
    };
    node.traces = spans
        .as_ref()
        .map(|spans| spans.traces(config.telemetry.trace_ratio));
    let push = match collector(config::Signal::Metrics) {
        Some(collector) => Some(Push::new(collector, Arc::new(SystemClock))?),
        None => None,
    };
    runtime.block_on(serve(&config, node, &auth, push.as_ref()))?;
    // Blocking reads that nobody waits for any more must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    if let Some(spans) = spans {
        spans.finish();
    }
    Ok(())
}

async fn serve(
    config: &Config,
    node: NodeConfig,
    auth: &AuthConfig,
    push: Option<&Push>,
) -> anyhow::Result<()> {
    // Listen to signals first: one that comes while the database opens must not kill the process half-way.
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    let opened = backend::open(config, node.node_id.clone()).await?;
    let gateway = Gateway::start(node, opened.backend.clone(), auth, Arc::new(SystemClock)).await?;
    opened.register_metrics(&gateway.meter("backend"));
    announce(config, &gateway);
    let canary = Canary::of(config, opened.backend.retention.clone(), &gateway)?;
    let singing = canary.as_ref().map(|canary| canary.run(&gateway));
    let pushing = push.map(|push| push.run(&gateway, config.telemetry.metrics_interval));
    let ended = tokio::select! {
        ended = until_ended(&gateway, &mut terminate, &mut interrupt) => ended,
        never = if_any(singing) => match never {},
        never = if_any(pushing) => match never {},
    };
    if let Some(push) = push {
        push.finish(&gateway).await;
    }
    ended
}

async fn if_any(task: Option<impl Future<Output = Infallible>>) -> Infallible {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// Until a signal, an administrator or an accident ends the node.
async fn until_ended(
    gateway: &Gateway,
    terminate: &mut Signal,
    interrupt: &mut Signal,
) -> anyhow::Result<()> {
    tokio::select! {
        _ = terminate.recv() => {}
        () = gateway.drain_wanted() => {}
        _ = interrupt.recv() => {
            gateway.shut_down().await;
            tracing::info!("stopped");
            return Ok(());
        }
        () = gateway.stopped() => anyhow::bail!("a part of the node has ended by accident; see the log"),
    }
    tokio::select! {
        () = gateway.drain() => {}
        // Who has no patience.
        _ = terminate.recv() => gateway.shut_down().await,
        _ = interrupt.recv() => gateway.shut_down().await,
    }
    tracing::info!("stopped");
    Ok(())
}

fn announce(config: &Config, gateway: &Gateway) {
    let addr = gateway.addr();
    tracing::info!(%addr, node.id = %gateway.node().config().node_id, backend = ?config.backend, "listening");
    let text = format!(
        "Starling listens on http://{addr}\n\
         \x20 WebSocket  ws://{addr}/ws\n\
         \x20 API        http://{addr}/docs\n\
         \x20 a token    starling token --user alice\n\
         \x20 a chat     starling chat --room general --user alice\n"
    );
    // Nobody reads the standard output of a service whose pipe is closed; the log has the address too.
    let _ = io::stdout()
        .write_all(text.as_bytes())
        .and_then(|()| io::stdout().flush());
}

fn auth(config: &Config) -> anyhow::Result<AuthConfig> {
    let key = match secret::token_key(config, getrandom::fill)? {
        TokenKey::Shared(secret) => AuthKey::Hs256(secret.expose_secret().as_bytes().to_vec()),
        TokenKey::Public(path) => {
            AuthKey::PublicPem(std::fs::read(&path).with_context(|| path.display().to_string())?)
        }
    };
    Ok(AuthConfig {
        key,
        issuer: config.auth.issuer.clone(),
        audience: config.auth.audience.clone(),
        leeway_seconds: config.auth.leeway.as_secs(),
    })
}

/// The node's settings out of the configuration.
fn node_config(config: &Config) -> anyhow::Result<NodeConfig> {
    let Config {
        server,
        rooms,
        messaging,
        presence,
        limits,
        drain,
        ..
    } = config;
    let node_id = match &server.node_id {
        Some(id) => NodeId::parse(id).with_context(|| format!("server.node_id = {id:?}"))?,
        None => NodeId::parse(&format!("node-{}", uuid::Uuid::now_v7()))?,
    };
    let guests = GuestSettings {
        token_ttl: config.auth.guest_token_ttl,
        refresh_ttl: config.auth.guest_refresh_ttl,
    };
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(NodeConfig {
        listen: server.listen,
        listen_also: server.listen_also.clone(),
        advertise: server.advertise.clone(),
        header_timeout: server.header_timeout,
        max_connections: server.max_connections,
        trusted_proxies: server.trusted_proxies.clone(),
        sndbuf_bytes: server.sndbuf_bytes,
        cors_origins: config.cors.origins.clone(),
        authenticate_timeout: config.auth.authenticate_timeout,
        guests: match config.auth.guests {
            GuestPolicy::On => Some(guests),
            GuestPolicy::Auto if config.backend == config::Backend::Embedded => Some(guests),
            GuestPolicy::Auto | GuestPolicy::Off => None,
        },
        rooms: RoomLimits {
            auto_create: rooms.auto_create,
            max_per_user: count(rooms.max_per_user),
            max_members: count(rooms.max_members),
            max_per_session: rooms.max_per_session,
            history_on_join: rooms.history_on_join,
            expire_empty_after: rooms.expire_empty_after,
            linger: rooms.linger,
        },
        messages: MessageLimits {
            max_length: messaging.max_length,
            rate: Rate {
                per_minute: messaging.rate_per_minute,
                burst: messaging.burst,
            },
            max_metadata_bytes: messaging.max_metadata_bytes,
            max_unacked: messaging.max_unacked,
        },
        presence: PresenceSettings {
            heartbeat: presence.heartbeat,
            grace: presence.grace,
            max_watched: presence.max_watched,
            room_detail_limit: presence.room_detail_limit,
            merge: presence.merge,
        },
        limits: ConnectionLimits {
            frame_bytes: limits.frame_bytes,
            bad_frames_per_minute: limits.bad_frames_per_minute,
            commands: Rate {
                per_minute: limits.commands_per_minute,
                burst: limits.command_burst,
            },
            connections_per_user: limits.connections_per_user,
            handshakes: Rate {
                per_minute: limits.handshakes_per_minute,
                burst: limits.handshakes_per_minute,
            },
            outbox_bytes: limits.outbox_bytes,
            outbox_frames: limits.outbox_frames,
            slow_consumer_timeout: limits.slow_consumer_timeout,
            replay_events_per_room: limits.replay_events_per_room as u64,
            replay_events_per_connection: limits.replay_events_per_connection as u64,
        },
        rings: RingLimits {
            events: limits.ring_events,
            bytes: limits.ring_bytes,
            total_bytes: limits.ring_total_bytes,
        },
        drain: DrainSettings {
            readiness_delay: drain.readiness_delay,
            window: drain.window,
            timeout: drain.timeout,
        },
        ..NodeConfig::new(node_id)
    })
}
