import { Starling, type StarlingOptions } from "@starling/client";
import { createContext, type ReactNode, use, useLayoutEffect, useRef, useState } from "react";

const Context = createContext<Starling | undefined>(undefined);

/** Either a client of your own, which you connect and disconnect, or what to make one of. */
export type StarlingProviderProps = { children?: ReactNode } & (
  | { client: Starling; options?: never }
  | { options: StarlingOptions; client?: never }
);

/** Gives the client to everything below. */
export function StarlingProvider({ client, options, children }: StarlingProviderProps): ReactNode {
  if (client) return <Context value={client}>{children}</Context>;
  return <OwnClient options={options}>{children}</OwnClient>;
}

/** Made once, connected while it is mounted. For another user, another `key`. */
function OwnClient({ options, children }: { options: StarlingOptions; children: ReactNode }): ReactNode {
  const [client] = useState(() => new Starling(options));
  const isMounted = useRef(false);
  // Layout effects: a client is connecting when effects of its children begin.
  useLayoutEffect(() => {
    isMounted.current = true;
    // Rejections are in `client.status`.
    client.connect().catch(() => {});
    return () => {
      isMounted.current = false;
      // StrictMode unmounts and mounts in one turn: the connection and what waits for it are kept.
      queueMicrotask(() => {
        if (!isMounted.current) client.disconnect();
      });
    };
  }, [client]);
  return <Context value={client}>{children}</Context>;
}

/** The client of the provider above. */
export function useStarling(): Starling {
  const client = use(Context);
  if (!client) throw new Error("there is no Starling client here; render this inside <StarlingProvider>");
  return client;
}
