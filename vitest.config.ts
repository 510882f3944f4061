import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/**
 * Two projects: `node` (pure steps, command line, database and whole-stack tests) and `workerd` (the same pure steps and
 * the Worker's own doors inside Cloudflare's runtime).
 */
export default defineConfig({
  test: {
    reporters: ["default", "./test/support/summary-reporter.ts"],
    projects: [
      {
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/**/*.workerd.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          globalSetup: ["test/support/postgres-setup.ts"],
        },
      },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                // The server's own database: tests that need tables hand the Worker one of their own.
                DATABASE_URL: `postgresql://local:local@${new URL(inject("endpointUrl")).host}/postgres`,
                DATABASE_ENDPOINT: inject("endpointUrl"),
                ADDRESS_SECRET: "tests-only-address-secret",
              },
            },
          })),
        ],
        test: {
          name: "workerd",
          include: ["test/**/*.workerd.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          globalSetup: ["test/support/postgres-setup.ts"],
        },
      },
    ],
  },
});
