// What a reader copies from a README of these packages, into a project of its own.
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CLIENTS = fileURLToPath(new URL("..", import.meta.url));
/** Where the READMEs' gateway is. */
const SERVER = "http://127.0.0.1:8080";

/** The first blocks of code in a package's README, by language; they talk to the gateway at `url`. */
export function starts(name: string, languages: readonly string[], url: string): string[] {
  const text = readFileSync(join(CLIENTS, name, "README.md"), "utf8");
  return languages.map((language) => {
    const code = text.split(`\`\`\`${language}\n`)[1]?.split("```")[0];
    if (!code) throw new Error(`${name}/README.md has no block of ${language}`);
    return code.replace(SERVER, url);
  });
}

/** A folder in which the packages are installed, as they were built last. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "starling-project-"));

  constructor() {
    for (const name of ["client", "react", "vue"]) {
      const built = join(CLIENTS, name, "dist/index.js");
      if (!existsSync(built)) throw new Error(`there is no ${built}: \`npm run build\` comes first`);
    }
    symlinkSync(join(CLIENTS, "node_modules"), join(this.folder, "node_modules"));
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
