import type { ConnectionState, ConnectionStatus } from "@starling/client";
import { type ComputedRef, computed, type ShallowRef } from "vue";
import { useStarling } from "./provide.js";
import { useStore } from "./store.js";

/** State of the connection. */
export function useConnection(): {
  status: Readonly<ShallowRef<ConnectionStatus>>;
  state: ComputedRef<ConnectionState>;
  /** Connects after a `disconnected`. Nothing happens while there is a connection, or one on its way. */
  connect: () => void;
  /** Reconnects now instead of at `status.retryAt`. */
  retry: () => void;
} {
  const starling = useStarling();
  const status = useStore(starling.status);
  return {
    status,
    state: computed(() => status.value.state),
    // Rejections are in the status.
    connect: () => void starling.connect().catch(() => {}),
    retry: starling.wake,
  };
}
