import type { Starling } from "@starling/client";
import { StarlingProvider } from "@starling/react";
import { createContext, type ReactNode, use } from "react";
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
  return (
    <StarlingProvider client={value.starling}>
      <Context value={value}>{children}</Context>
    </StarlingProvider>
  );
}

export function useSigned(): Signed {
  const signed = use(Context);
  if (!signed) throw new Error("useSigned is for components below SignedProvider");
  return signed;
}
