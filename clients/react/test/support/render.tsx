import type { Starling } from "@starling/client";
import { act, type RenderResult, render } from "@testing-library/react";
import { type ReactNode, StrictMode } from "react";
import { pass } from "../../../client/test/support/script.js";
import { StarlingProvider } from "../../src/index.js";

/** Does something, and lets what follows from it settle, rendering included. */
export async function acting(work: () => unknown = () => {}, ms = 0): Promise<void> {
  await act(async () => {
    work();
    await pass(ms);
  });
}

/** In StrictMode, which begins and ends every effect once more. */
export async function show(
  starling: Starling,
  ui: ReactNode,
): Promise<RenderResult & { show(ui: ReactNode): void }> {
  const all = (inside: ReactNode) => (
    <StrictMode>
      <StarlingProvider client={starling}>{inside}</StarlingProvider>
    </StrictMode>
  );
  const result = render(all(ui));
  await acting();
  return { ...result, show: (next) => result.rerender(all(next)) };
}

/** A component that runs a hook: what it gave at the last render, and how often it rendered. */
export function probe<T, Input = undefined>(useHook: (input: Input) => T) {
  const seen: T[] = [];
  return {
    // biome-ignore lint/correctness/noComponentHookFactories: made once, outside of any component
    Probe: ({ input }: { input?: Input }) => {
      seen.push(useHook(input as Input));
      return null;
    },
    get value() {
      return seen.at(-1) as T;
    },
    get renders() {
      return seen.length;
    },
  };
}
