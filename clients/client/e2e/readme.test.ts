import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Gateway } from "../../testing/gateway.js";
import { missing } from "../../testing/needs.js";
import { Program } from "../../testing/program.js";
import { Project, starts } from "../../testing/readme.js";

test.skipIf(missing())("the start of the README runs as it is written", async () => {
  const [project, gateway] = [new Project(), await Gateway.start()];
  onTestFinished(async () => {
    await gateway.stop();
    project.remove();
  });
  const [code = ""] = starts("client", ["js"], gateway.url);
  const launch = {
    program: process.execPath,
    args: ["--experimental-websocket", project.write("start.mjs", code)],
    log: join(project.folder, "log"),
  };
  // The last line that it writes: the message came back.
  const started = await Program.start(launch, ({ output }) => output.includes("[ 'hello' ]"));
  expect(started.output).not.toContain("Error");
  await started.end("SIGKILL");
});
