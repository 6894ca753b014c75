/** What `/stats` says of the node that answered. */
export interface Stats {
  nodeId: string;
  uptimeSeconds: number;
  connections: { current: number; peak: number; total: number };
  users: number;
  rooms: number;
  messages: { in: number; out: number; errors: number };
  latencyMs: { average: number; p95: number; p99: number };
  memory: { residentBytes: number | null; outboxBytes: number; ringBytes: number };
}

/** What `/api/v1/admin/nodes` says of each node of the cluster. */
export interface NodeView {
  nodeId: string;
  address: string | null;
  version: string;
  startedAt: string;
  connections: number;
  users: number;
  rooms: number;
}

/** Stats with when they were taken, in milliseconds since 1970. */
export interface Sample {
  at: number;
  stats: Stats;
}

export interface Rates {
  /** A second. */
  in: number;
  out: number;
  errors: number;
}

/** Two minutes, at a sample every two seconds. */
export const HISTORY = 60;

/** Samples with one more behind them. Behind a balancer another node may have answered: its numbers do not continue. */
export function appended(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1)?.stats;
  const isSame = last && last.nodeId === next.stats.nodeId && last.uptimeSeconds <= next.stats.uptimeSeconds;
  return isSame ? [...samples, next].slice(-HISTORY - 1) : [next];
}

/** What went on between each sample and the next. */
export function ratesOf(samples: readonly Sample[]): readonly Rates[] {
  return samples.slice(1).map((sample, i) => {
    const before = samples[i] ?? sample;
    const seconds = Math.max((sample.at - before.at) / 1000, 0.001);
    const rate = (key: keyof Rates) => (sample.stats.messages[key] - before.stats.messages[key]) / seconds;
    return { in: rate("in"), out: rate("out"), errors: rate("errors") };
  });
}
