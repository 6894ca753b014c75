import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    restoreMocks: true,
    projects: [
      { extends: true, test: { name: "unit", include: ["test/**/*.test.ts"] } },
      {
        extends: true,
        // Real gateways: one file after the other is enough for a small machine.
        test: {
          name: "e2e",
          include: ["e2e/**/*.test.ts"],
          globalSetup: "../testing/setup.ts",
          fileParallelism: false,
          testTimeout: 90_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 15_000 } },
        },
      },
    ],
  },
});
