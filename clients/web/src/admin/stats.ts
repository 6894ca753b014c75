/** What `/api/v1/admin/nodes` says of each node: how it was when it last reported, some seconds ago. */
export interface NodeView {
  nodeId: string;
  address: string;
  version: string;
  startedAt: string;
  reportedAt: string;
  connections: number;
  users: number;
  rooms: number;
  /** Since its start, as all that follows. */
  messagesIn: number;
  messagesOut: number;
  latencyMs: { average: number; p95: number; p99: number };
  memoryBytes: number | null;
  draining: boolean;
}

/** A second. */
export interface Rates {
  in: number;
  out: number;
}

/** A node, with what went on there between its last two reports: none after the first one. */
export interface LiveNode extends NodeView {
  rates?: Rates;
}

/** The cluster at one time. */
export interface Sample extends Rates {
  connections: number;
}

/** Two minutes, at a sample every two seconds. */
export const HISTORY = 60;

const NONE: Rates = { in: 0, out: 0 };

/** The nodes as they are now, with their rates since they were as `before`. */
export function withRates(nodes: readonly NodeView[], before: readonly LiveNode[]): readonly LiveNode[] {
  return nodes.map((node) => {
    const last = before.find(({ nodeId }) => nodeId === node.nodeId);
    // One that was started again counts from nothing.
    if (!last || last.startedAt !== node.startedAt) return node;
    const seconds = (Date.parse(node.reportedAt) - Date.parse(last.reportedAt)) / 1000;
    // It has not reported since.
    if (seconds <= 0) return last;
    const rate = (key: "messagesIn" | "messagesOut") => (node[key] - last[key]) / seconds;
    return { ...node, rates: { in: rate("messagesIn"), out: rate("messagesOut") } };
  });
}

/** All nodes together. */
export function sampleOf(nodes: readonly LiveNode[]): Sample {
  return {
    in: sum(nodes, ({ rates = NONE }) => rates.in),
    out: sum(nodes, ({ rates = NONE }) => rates.out),
    connections: sum(nodes, ({ connections }) => connections),
  };
}

/** Latencies of the cluster: the mean over all messages, and the slowest node's quantiles. */
export function latencyOf(nodes: readonly NodeView[]): NodeView["latencyMs"] {
  const messages = sum(nodes, ({ messagesIn }) => messagesIn);
  const total = sum(nodes, ({ messagesIn, latencyMs }) => messagesIn * latencyMs.average);
  const slowest = (key: "p95" | "p99") => Math.max(0, ...nodes.map(({ latencyMs }) => latencyMs[key]));
  return { average: messages ? total / messages : 0, p95: slowest("p95"), p99: slowest("p99") };
}

export function sum(nodes: readonly LiveNode[], of: (node: LiveNode) => number): number {
  return nodes.reduce((total, node) => total + of(node), 0);
}
