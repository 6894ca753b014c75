import { useEffect } from "react";
import type { Account } from "../account/accounts.js";
import { hrefOf } from "../route.js";
import { durationOf } from "../text/time.js";
import { Icon } from "../ui/icon.js";
import { ThemeSwitch } from "../ui/theme-switch.js";
import "../styles/admin.css";
import { Chart } from "./chart.js";
import { type NodeView, ratesOf, type Sample } from "./stats.js";
import { useCluster } from "./use-cluster.js";

const number = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const bytes = new Intl.NumberFormat(undefined, {
  style: "unit",
  unit: "megabyte",
  maximumFractionDigits: 1,
});

const sum = (nodes: readonly NodeView[], key: "connections" | "users" | "rooms"): number =>
  nodes.reduce((total, node) => total + node[key], 0);

interface AdminPageProps {
  account: Account;
  onSignedOut: (why?: string) => void;
}

/** The cluster in numbers, for those whose token has the role `admin`. */
export default function AdminPage({ account, onSignedOut }: AdminPageProps) {
  const { nodes, samples, problem, isRefused } = useCluster(account.userId);
  useEffect(() => {
    document.title = "Administration · Starling";
  }, []);
  return (
    <main className="admin">
      <header className="admin-head">
        <a className="icon-button" href={hrefOf({ page: "home" })} aria-label="Back to the rooms">
          <Icon name="back" />
        </a>
        <h1>Administration</h1>
        <ThemeSwitch />
      </header>
      {problem && (
        <div className="notice" role="alert">
          <Icon name="warning" />
          <span>{problem}</span>
          {isRefused && (
            <button
              type="button"
              className="small"
              onClick={() => onSignedOut("Sign in with a token of an admin.")}
            >
              Sign in as an admin
            </button>
          )}
        </div>
      )}
      {nodes && <Totals nodes={nodes} />}
      <ThisNode samples={samples} />
      {nodes && <Nodes nodes={nodes} />}
    </main>
  );
}

function Totals({ nodes }: { nodes: readonly NodeView[] }) {
  const rows = [
    ["Nodes", nodes.length],
    ["Connections", sum(nodes, "connections")],
    ["Users online", sum(nodes, "users")],
    ["Rooms open", sum(nodes, "rooms")],
  ] as const;
  return (
    <section aria-labelledby="cluster">
      <h2 id="cluster">Cluster</h2>
      <dl className="tiles">
        {rows.map(([label, value]) => (
          <div key={label} className="tile">
            <dt>{label}</dt>
            <dd>{number.format(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The node that answers: what happens on it, live. */
function ThisNode({ samples }: { samples: readonly Sample[] }) {
  const stats = samples.at(-1)?.stats;
  if (!stats) return null;
  const rates = ratesOf(samples);
  const now = rates.at(-1);
  const { latencyMs, memory, connections, messages } = stats;
  return (
    <section aria-labelledby="this-node">
      <h2 id="this-node">
        Node <code>{stats.nodeId}</code>
      </h2>
      <div className="tiles">
        <div className="tile is-wide">
          <h3>Messages in</h3>
          <p className="figure">
            {short.format(now?.in ?? 0)} <small>a second</small>
          </p>
          <Chart label="Messages in a second" values={rates.map((rate) => rate.in)} />
          <p className="muted">{number.format(messages.in)} since the start</p>
        </div>
        <div className="tile is-wide">
          <h3>Deliveries</h3>
          <p className="figure">
            {short.format(now?.out ?? 0)} <small>a second</small>
          </p>
          <Chart label="Deliveries a second" values={rates.map((rate) => rate.out)} />
          <p className="muted">{number.format(messages.out)} since the start</p>
        </div>
        <div className="tile is-wide">
          <h3>Connections</h3>
          <p className="figure">{number.format(connections.current)}</p>
          <Chart label="Connections" values={samples.map((sample) => sample.stats.connections.current)} />
          <p className="muted">
            {number.format(connections.peak)} at most, {number.format(connections.total)} in all
          </p>
        </div>
      </div>
      <dl className="tiles">
        <div className="tile">
          <dt>Latency, average</dt>
          <dd>
            {short.format(latencyMs.average)} <small>ms</small>
          </dd>
        </div>
        <div className="tile">
          <dt>Latency, p95</dt>
          <dd>
            {short.format(latencyMs.p95)} <small>ms</small>
          </dd>
        </div>
        <div className="tile">
          <dt>Latency, p99</dt>
          <dd>
            {short.format(latencyMs.p99)} <small>ms</small>
          </dd>
        </div>
        <div className="tile">
          <dt>Memory</dt>
          <dd>{memory.residentBytes === null ? "–" : bytes.format(memory.residentBytes / 1e6)}</dd>
        </div>
      </dl>
    </section>
  );
}

function Nodes({ nodes }: { nodes: readonly NodeView[] }) {
  const now = Date.now();
  return (
    <section aria-labelledby="nodes">
      <h2 id="nodes">Nodes</h2>
      {/* biome-ignore lint/a11y: what scrolls must be reached by the keyboard. */}
      <div className="table-box" tabIndex={0} role="group" aria-labelledby="nodes">
        <table>
          <thead>
            <tr>
              <th scope="col">Node</th>
              <th scope="col">Address</th>
              <th scope="col">Version</th>
              <th scope="col">Up for</th>
              <th scope="col" className="is-number">
                Connections
              </th>
              <th scope="col" className="is-number">
                Users
              </th>
              <th scope="col" className="is-number">
                Rooms
              </th>
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.nodeId}>
                <th scope="row">{node.nodeId}</th>
                <td>{node.address ?? "–"}</td>
                <td>{node.version}</td>
                <td>{durationOf(Math.max(0, now - Date.parse(node.startedAt)) / 1000)}</td>
                <td className="is-number">{number.format(node.connections)}</td>
                <td className="is-number">{number.format(node.users)}</td>
                <td className="is-number">{number.format(node.rooms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
