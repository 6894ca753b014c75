import { inject } from "vitest";
import { find, isStrict, lack } from "./machine.js";

declare module "vitest" {
  interface ProvidedContext {
    /** The path of the program `starling`; undefined where there is none, and tests of it are to be skipped. */
    starling: string | undefined;
  }
}

/**
 * Whether there is no gateway or not all of these programs, for `describe.skipIf`. Where tests are strict that is an
 * error: a test that is skipped there would be missed by nobody.
 */
export function missing(...programs: readonly string[]): boolean {
  const lacks = programs.filter((name) => !find(name)).map(lack);
  if (lacks.length && isStrict) throw new Error(lacks.join("\n"));
  for (const line of lacks) process.stderr.write(`tests are skipped: ${line}\n`);
  return inject("starling") === undefined || lacks.length > 0;
}

/** The program `starling`, in tests that were not skipped. */
export function starling(): string {
  const path = inject("starling");
  if (!path) throw new Error("there is no gateway: begin with describe.skipIf(missing())");
  return path;
}
