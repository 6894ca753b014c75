import type { ReactNode } from "react";
import { type ConnectionInfo, useConnection } from "../hooks/connection.js";
import { classes, type Labels, type Props } from "./props.js";

const LABELS = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Connection lost. Reconnecting…",
  disconnected: "Disconnected",
  retry: "Reconnect now",
  connect: "Connect",
};

export type ConnectionStatusProps = Props<
  "div",
  Labels<typeof LABELS> & {
    /** What to show instead. */
    children?: (connection: ConnectionInfo) => ReactNode;
  }
>;

/** Says how the connection is, to screen readers too. `data-state` has the state. */
export function ConnectionStatus({ labels, children, className, ...rest }: ConnectionStatusProps): ReactNode {
  const connection = useConnection();
  const { state, retryAt, error, retry, connect } = connection;
  const texts = { ...LABELS, ...labels };
  return (
    <div
      role="status"
      {...rest}
      className={classes("starling-connection-status", className)}
      data-state={state}
    >
      {children ? (
        children(connection)
      ) : (
        <>
          <span className="starling-connection-state">{texts[state]}</span>
          {state === "disconnected" && error && error.code !== "disconnected" && (
            <span className="starling-connection-error">{error.message}</span>
          )}
          {state === "reconnecting" && retryAt !== undefined && (
            <button type="button" onClick={retry}>
              {texts.retry}
            </button>
          )}
          {state === "disconnected" && (
            <button type="button" onClick={connect}>
              {texts.connect}
            </button>
          )}
        </>
      )}
    </div>
  );
}
