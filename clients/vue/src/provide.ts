import { Starling, type StarlingOptions } from "@starling/client";
import { type InjectionKey, inject, onScopeDispose, type Plugin, provide } from "vue";

const KEY: InjectionKey<Starling> = Symbol("starling");

/** Either a client of your own, which you connect and disconnect, or what to make one of. */
export type StarlingSource = { client: Starling } | { options: StarlingOptions };

/** A plugin that gives the client to a whole application. One made of `options` ends with the application. */
export function createStarling(source: StarlingSource): Plugin {
  return {
    install(app) {
      const { client, end } = begin(source);
      app.provide(KEY, client);
      app.onUnmount(end);
    },
  };
}

/** Gives the client to everything below the present component. One made of `options` ends with the component. */
export function provideStarling(source: StarlingSource): Starling {
  const { client, end } = begin(source);
  provide(KEY, client);
  onScopeDispose(end);
  return client;
}

/** The client that was provided above. */
export function useStarling(): Starling {
  const client = inject(KEY);
  if (!client) {
    throw new Error("there is no Starling client here; use app.use(createStarling(…)) or provideStarling(…)");
  }
  return client;
}

function begin(source: StarlingSource): { client: Starling; end: () => void } {
  if ("client" in source) return { client: source.client, end: () => {} };
  const client = new Starling(source.options);
  // Rejections are in `client.status`.
  client.connect().catch(() => {});
  return { client, end: () => client.disconnect() };
}
