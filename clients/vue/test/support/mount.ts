import type { Starling } from "@starling/client";
import { createApp, defineComponent, h } from "vue";
import { createStarling, type StarlingSource } from "../../src/index.js";

const mounted = new Set<() => void>();

/** Ends what a test left. */
export function unmountAll(): void {
  for (const unmount of mounted) unmount();
}

/** Runs composables in the setup of a component below the client's provider. */
export function using<T>(from: Starling | StarlingSource, setup: () => T): { value: T; unmount: () => void } {
  let value: T | undefined;
  const Probe = defineComponent({
    setup() {
      value = setup();
      return () => h("div");
    },
  });
  const unmount = mount(from, Probe).unmount;
  return { value: value as T, unmount };
}

/** Shows a component below the client's provider. */
export function mount(
  from: Starling | StarlingSource,
  component: Parameters<typeof createApp>[0],
  props: Record<string, unknown> = {},
): { root: HTMLElement; unmount: () => void } {
  const root = document.body.appendChild(document.createElement("div"));
  const app = createApp(component, props);
  app.use(createStarling("options" in from || "client" in from ? from : { client: from }));
  app.mount(root);
  const unmount = () => {
    if (!mounted.delete(unmount)) return;
    app.unmount();
    root.remove();
  };
  mounted.add(unmount);
  return { root, unmount };
}
