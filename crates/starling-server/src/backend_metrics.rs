//! What Redis and Postgres look like from this node, as instruments: one line each. The exporter adds `_total`.

use opentelemetry::metrics::Meter;
use starling_cluster::{Cluster, postgres::PostgresMetrics, redis::RedisMetrics};

type Redis = (&'static str, &'static str, fn(&RedisMetrics) -> u64);
type Postgres = (&'static str, &'static str, fn(&PostgresMetrics) -> u64);

const REDIS_COUNTERS: [Redis; 12] = [
    (
        "starling_redis_connections_lost",
        "Connections that ended by themselves, or were ended because no answer came.",
        |m| m.connections_lost.get(),
    ),
    ("starling_redis_published", "Messages that Redis took.", |m| {
        m.published.get()
    }),
    (
        "starling_redis_publish_failures",
        "Messages that Redis did not take, or of which it is not known.",
        |m| m.publish_failures.get(),
    ),
    ("starling_redis_received", "Messages that came in.", |m| {
        m.received.get()
    }),
    (
        "starling_redis_dropped",
        "Messages dropped because the receiver was too slow; the log has them.",
        |m| m.dropped.get(),
    ),
    (
        "starling_redis_gaps",
        "Times that messages may have been lost, so that the log was swept.",
        |m| m.gaps.get(),
    ),
    (
        "starling_redis_topics_moved",
        "Topics subscribed again because their slot of the cluster moved.",
        |m| m.moved.get(),
    ),
    (
        "starling_redis_probes_unanswered",
        "Probes of a silent connection without an answer.",
        |m| m.probes_unanswered.get(),
    ),
    (
        "starling_presence_leases_lost",
        "Leases of this node that had ended, or were lost with the data of Redis.",
        |m| m.leases_lost.get(),
    ),
    (
        "starling_presence_reaped",
        "Users cleaned up after nodes that died or stopped.",
        |m| m.reaped.get(),
    ),
    (
        "starling_presence_last_seen_unknown",
        "Look-ups answered without the time of last seen.",
        |m| m.last_seen_unknown.get(),
    ),
    (
        "starling_limits_local",
        "Limits decided by this node alone, because Redis was away or slow.",
        |m| m.limits_local.get(),
    ),
];

const REDIS_GAUGES: [Redis; 4] = [
    (
        "starling_redis_command_connections",
        "Connections for commands that are open.",
        |m| m.command_links_up.get(),
    ),
    (
        "starling_redis_subscriber_connections",
        "Connections for receiving that are open, with all their subscriptions.",
        |m| m.subscriber_links_up.get(),
    ),
    (
        "starling_redis_topics",
        "Topics that this node is subscribed to.",
        |m| m.topics.get(),
    ),
    (
        "starling_redis_receive_queue",
        "Messages that wait for the node's pump.",
        |m| m.queued.get(),
    ),
];

const POSTGRES_COUNTERS: [Postgres; 9] = [
    ("starling_postgres_batches", "Batches stored.", |m| m.batches),
    ("starling_postgres_drafts", "Drafts in the stored batches.", |m| {
        m.drafts
    }),
    (
        "starling_postgres_batch_retries",
        "Batches decided again, because another node created one of their rooms meanwhile.",
        |m| m.batch_retries,
    ),
    (
        "starling_postgres_batches_not_stored",
        "Batches of which nothing was stored.",
        |m| m.batches_not_stored,
    ),
    (
        "starling_postgres_batches_unknown",
        "Batches whose outcome was not known at first.",
        |m| m.batches_unknown,
    ),
    (
        "starling_postgres_writer_connects",
        "Connections for appending that were opened.",
        |m| m.writer_connects,
    ),
    ("starling_postgres_reads", "Reads answered.", |m| m.reads),
    (
        "starling_postgres_read_retries",
        "Reads tried again, because their connection was found dead.",
        |m| m.read_retries,
    ),
    ("starling_postgres_read_errors", "Reads that failed.", |m| {
        m.read_errors
    }),
];

const POSTGRES_GAUGES: [Postgres; 4] = [
    (
        "starling_postgres_writers_in_use",
        "Connections for appending that are busy.",
        |m| m.writers_in_use,
    ),
    (
        "starling_postgres_pool_connections",
        "Connections for reading that are open.",
        |m| m.pool_size,
    ),
    (
        "starling_postgres_pool_in_use",
        "Connections for reading that are busy.",
        |m| m.pool_in_use,
    ),
    (
        "starling_postgres_pool_waiting",
        "Reads that wait for a connection.",
        |m| m.pool_waiting,
    ),
];

/// Registers all of them. The callbacks read what is there anyway: nothing is counted twice.
pub(crate) fn register(meter: &Meter, cluster: &Cluster) {
    for (name, description, read) in REDIS_COUNTERS {
        let redis = cluster.redis().clone();
        meter
            .u64_observable_counter(name)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&redis), &[]))
            .build();
    }
    for (name, description, read) in REDIS_GAUGES {
        let redis = cluster.redis().clone();
        meter
            .u64_observable_gauge(name)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&redis), &[]))
            .build();
    }
    for (name, description, read) in POSTGRES_COUNTERS {
        let cluster = cluster.clone();
        meter
            .u64_observable_counter(name)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&cluster.postgres()), &[]))
            .build();
    }
    for (name, description, read) in POSTGRES_GAUGES {
        let cluster = cluster.clone();
        meter
            .u64_observable_gauge(name)
            .with_description(description)
            .with_callback(move |observer| observer.observe(read(&cluster.postgres()), &[]))
            .build();
    }
}
