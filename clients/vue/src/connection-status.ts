import type { ConnectionState } from "@starling/client";
import { defineComponent, h, type PropType, type SlotsType } from "vue";
import { useConnection } from "./connection.js";

const LABELS = {
  connecting: "Connecting…",
  connected: "Connected",
  reconnecting: "Connection lost. Reconnecting…",
  disconnected: "Disconnected",
  retry: "Reconnect now",
  connect: "Connect",
};

/**
 * Says how the connection is, to screen readers too. `data-state` has the state; `labels` replaces texts, the default
 * slot everything inside.
 */
export const ConnectionStatus = defineComponent({
  name: "ConnectionStatus",
  props: { labels: { type: Object as PropType<Partial<typeof LABELS>>, default: () => ({}) } },
  slots: Object as SlotsType<{
    default: { state: ConnectionState; retryAt: number | undefined; retry: () => void; connect: () => void };
  }>,
  setup(props, { slots }) {
    const { status, retry, connect } = useConnection();
    return () => {
      const { state, retryAt, error } = status.value;
      const texts = { ...LABELS, ...props.labels };
      const button = (label: string, onClick: () => void) => h("button", { type: "button", onClick }, label);
      const content = slots.default?.({ state, retryAt, retry, connect }) ?? [
        h("span", { class: "starling-connection-state" }, texts[state]),
        state === "disconnected" && error && error.code !== "disconnected"
          ? h("span", { class: "starling-connection-error" }, error.message)
          : null,
        state === "reconnecting" && retryAt !== undefined ? button(texts.retry, retry) : null,
        state === "disconnected" ? button(texts.connect, connect) : null,
      ];
      return h("div", { role: "status", class: "starling-connection-status", "data-state": state }, content);
    };
  },
});
