// Builds the gateway that the tests start, or finds it: vitest's globalSetup.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { find, isStrict } from "./machine.js";
import type {} from "./needs.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HELP =
  "install Rust (https://rustup.rs), so that it is built here, or name a program by STARLING_BINARY";

export default function setup(project: TestProject): void {
  const path = named() ?? built();
  if (!path) {
    const text = `the tests against a real gateway need the program starling: ${HELP}`;
    if (isStrict) throw new Error(text);
    process.stderr.write(`tests are skipped: ${text}\n`);
  }
  project.provide("starling", path);
}

function named(): string | undefined {
  const path = process.env.STARLING_BINARY;
  if (path && !existsSync(path)) throw new Error(`STARLING_BINARY names ${path}, which does not exist`);
  return path || undefined;
}

/** Built each time, so that what is tested is what the sources say; that takes a second where nothing has changed. */
function built(): string | undefined {
  const cargo = find("cargo");
  if (!cargo) return undefined;
  const args = [
    "build",
    "--locked",
    "--package",
    "starling-server",
    "--message-format=json-render-diagnostics",
  ];
  const { status, stdout } = spawnSync(cargo, args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`\`cargo build\` of the gateway failed; ${HELP}`);
  const messages = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { executable?: string | null });
  const path = messages.filter(({ executable }) => executable).at(-1)?.executable;
  if (!path) throw new Error("cargo named no program; is starling-server still the package of starling?");
  return path;
}
