// Where programs are on this machine, and what to do about those that are not.
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where Debian keeps one folder for each version of Postgres. */
const POSTGRES = "/usr/lib/postgresql";

/** Debian's packages of what the tests start. */
const PACKAGES: Readonly<Record<string, string>> = {
  chromium: "chromium",
  initdb: "postgresql",
  nginx: "nginx",
  postgres: "postgresql",
  "redis-server": "redis-server",
  setpriv: "util-linux",
};

/** Whether a test that cannot run is a failure: in CI, and where somebody names the gateway that is to be tested. */
export const isStrict = Boolean(process.env.CI || process.env.STARLING_BINARY);

/** Where a program is. */
export function find(name: string): string | undefined {
  return folders()
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** Where a program is that a test cannot do without. */
export function program(name: string): string {
  const path = find(name);
  if (!path) throw new Error(lack(name));
  return path;
}

/** What to do about a program that is not here. */
export function lack(name: string): string {
  return `there is no ${name} here; install it (Debian: apt-get install ${PACKAGES[name] ?? name})`;
}

/** Debian keeps programs for root, and the versions of Postgres, outside of everybody's PATH. */
function folders(): string[] {
  const versions = existsSync(POSTGRES) ? readdirSync(POSTGRES) : [];
  const newest = versions.sort((a, b) => Number(b) - Number(a));
  return [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    ...newest.map((version) => join(POSTGRES, version, "bin")),
  ];
}
