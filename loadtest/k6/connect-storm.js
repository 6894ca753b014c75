// Everybody comes at once: how fast are handshakes taken, and is nobody turned away?

import { Client, pause } from "./lib/client.js";
import { exact } from "./lib/metrics.js";
import { number, summary, text, userOf } from "./lib/settings.js";

const rate = number("RATE", 200); // handshakes a second
const holdMs = number("HOLD", 5) * 1000; // how long each stays

export const options = {
  summaryTrendStats: summary,
  scenarios: {
    storm: {
      executor: "constant-arrival-rate",
      rate,
      duration: text("DURATION", "20s"),
      preAllocatedVUs: Math.ceil(rate * (holdMs / 1000 + 1)),
    },
  },
  thresholds: {
    ...exact,
    connect_to_welcome: ["p(95)<500", "p(99)<1000"],
    // Arrivals that found no free VU: then k6 was the bottleneck, and the run says nothing.
    dropped_iterations: ["count==0"],
  },
};

export default async function () {
  const client = new Client(userOf(__VU));
  if (await client.connect()) {
    await pause(holdMs);
  }
  client.close();
}
