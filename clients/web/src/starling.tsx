import type { ConnectionStatus, Room, RoomSnapshot, Starling, Store } from "@starling/client";
import { createContext, type ReactNode, use, useSyncExternalStore } from "react";
import type { Account } from "./account/accounts.js";
import type { Names } from "./people/names.js";

/** What everything below the sign-in page has. */
export interface Signed {
  readonly account: Account;
  readonly starling: Starling;
  readonly names: Names;
}

const Context = createContext<Signed | undefined>(undefined);

export function SignedProvider({ value, children }: { value: Signed; children: ReactNode }) {
  return <Context value={value}>{children}</Context>;
}

export function useSigned(): Signed {
  const signed = use(Context);
  if (!signed) throw new Error("useSigned is for components below SignedProvider");
  return signed;
}

export const useStarling = (): Starling => useSigned().starling;

/** The present state of a store. */
export function useStore<T>(store: Pick<Store<T>, "subscribe" | "getSnapshot">): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot);
}

export const useRoomState = (room: Room): RoomSnapshot => useStore(room);

export const useConnection = (): ConnectionStatus => useStore(useStarling().status);
