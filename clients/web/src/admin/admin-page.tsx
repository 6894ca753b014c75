import { useEffect } from "react";
import type { Account } from "../account/accounts.js";
import { hrefOf } from "../route.js";
import { durationOf } from "../text/time.js";
import { Icon } from "../ui/icon.js";
import { ThemeSwitch } from "../ui/theme-switch.js";
import "../styles/admin.css";
import { Chart } from "./chart.js";
import { type LiveNode, latencyOf, type Sample, sum } from "./stats.js";
import { useCluster } from "./use-cluster.js";

const number = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const megabytes = new Intl.NumberFormat(undefined, {
  style: "unit",
  unit: "megabyte",
  maximumFractionDigits: 1,
});

const memoryOf = (bytes: number | null): string => (bytes === null ? "–" : megabytes.format(bytes / 1e6));

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
      {nodes && <Totals nodes={nodes} samples={samples} />}
      {nodes && <Nodes nodes={nodes} />}
    </main>
  );
}

/** The cluster as one, live. */
function Totals({ nodes, samples }: { nodes: readonly LiveNode[]; samples: readonly Sample[] }) {
  const now = samples.at(-1);
  const latency = latencyOf(nodes);
  return (
    <section aria-labelledby="cluster">
      <h2 id="cluster">Cluster</h2>
      <div className="tiles">
        <div className="tile is-wide">
          <h3>Messages in</h3>
          <p className="figure">
            {short.format(now?.in ?? 0)} <small>a second</small>
          </p>
          <Chart label="Messages in a second" values={samples.map((sample) => sample.in)} />
        </div>
        <div className="tile is-wide">
          <h3>Deliveries</h3>
          <p className="figure">
            {short.format(now?.out ?? 0)} <small>a second</small>
          </p>
          <Chart label="Deliveries a second" values={samples.map((sample) => sample.out)} />
        </div>
        <div className="tile is-wide">
          <h3>Connections</h3>
          <p className="figure">{number.format(now?.connections ?? 0)}</p>
          <Chart label="Connections" values={samples.map((sample) => sample.connections)} />
        </div>
      </div>
      <dl className="tiles">
        <Figure label="Nodes" value={number.format(nodes.length)} />
        <Figure label="Users online" value={number.format(sum(nodes, ({ users }) => users))} />
        <Figure label="Rooms open" value={number.format(sum(nodes, ({ rooms }) => rooms))} />
        <Figure label="Latency, average" value={short.format(latency.average)} unit="ms" />
        <Figure label="Latency, p95" value={short.format(latency.p95)} unit="ms" />
        <Figure label="Latency, p99" value={short.format(latency.p99)} unit="ms" />
      </dl>
      <p className="muted admin-note">
        Users and rooms on several nodes count on each. Latencies are from a message to its reply, since the
        start; p95 and p99 are the slowest node's.
      </p>
    </section>
  );
}

function Figure({ label, value, unit }: { label: string; value: string; unit?: string }) {
  return (
    <div className="tile">
      <dt>{label}</dt>
      <dd>
        {value} {unit && <small>{unit}</small>}
      </dd>
    </div>
  );
}

const COLUMNS = ["Connections", "Users", "Rooms", "Messages/s", "Latency p95", "Memory"];

function Nodes({ nodes }: { nodes: readonly LiveNode[] }) {
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
              <th scope="col">Version</th>
              <th scope="col">Up for</th>
              {COLUMNS.map((column) => (
                <th key={column} scope="col" className="is-number">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.nodeId}>
                <th scope="row">
                  {node.nodeId} {node.draining && <span className="tag">draining</span>}
                  <small className="address">{node.address}</small>
                </th>
                <td>{node.version}</td>
                <td>{durationOf(Math.max(0, now - Date.parse(node.startedAt)) / 1000)}</td>
                <td className="is-number">{number.format(node.connections)}</td>
                <td className="is-number">{number.format(node.users)}</td>
                <td className="is-number">{number.format(node.rooms)}</td>
                <td className="is-number">{node.rates ? short.format(node.rates.in) : "–"}</td>
                <td className="is-number">{short.format(node.latencyMs.p95)} ms</td>
                <td className="is-number">{memoryOf(node.memoryBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
