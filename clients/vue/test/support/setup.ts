import { afterEach, beforeEach, vi } from "vitest";
import { createApp } from "vue";
import { unmountAll } from "./mount.js";

// The first application waits for devtools, by a timer that is not to be counted with a test's.
createApp({});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  unmountAll();
  vi.useRealTimers();
});
