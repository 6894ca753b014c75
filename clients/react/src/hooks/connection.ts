import type { ConnectionStatus } from "@starling/client";
import { useStarling } from "../provider.js";
import { useStore } from "./store.js";

/** The connection as it is, and what can be done about it. */
export interface ConnectionInfo extends ConnectionStatus {
  /** Connects after a `disconnected`. Nothing happens while there is a connection, or one on its way. */
  readonly connect: () => void;
  /** Reconnects now instead of at `retryAt`. */
  readonly retry: () => void;
}

/** State of the connection. */
export function useConnection(): ConnectionInfo {
  const starling = useStarling();
  const status = useStore(starling.status);
  return {
    ...status,
    // Rejections are in the status.
    connect: () => void starling.connect().catch(() => {}),
    retry: starling.wake,
  };
}
