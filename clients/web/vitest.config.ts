import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  test: {
    restoreMocks: true,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["test/**/*.test.{ts,tsx}"], environment: "happy-dom" },
      },
      {
        extends: true,
        // A real gateway, a real browser: each file has its own, and one after the other is enough for a small machine.
        test: {
          name: "e2e",
          include: ["e2e/**/*.test.ts"],
          globalSetup: "../testing/setup.ts",
          fileParallelism: false,
          testTimeout: 90_000,
          expect: { poll: { timeout: 15_000 } },
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        // Takes the pictures of the README: `npm run screenshots`.
        test: {
          name: "screenshots",
          include: ["e2e/screenshots.ts"],
          globalSetup: "../testing/setup.ts",
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
