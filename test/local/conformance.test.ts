import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { startDatabase } from "../../cli/local/database.ts";
import { emptyDatabase } from "../support/database.ts";
import { conforms } from "./conformance.ts";

conforms("Postgres", async () => {
  const { connectionString, drop } = await emptyDatabase();
  return { connectionString, endpointUrl: inject("endpointUrl"), stop: drop };
});

conforms("PGlite", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "mailfeed-test-"));
  const database = await startDatabase({ dataDir });
  return {
    ...database,
    stop: async () => {
      await database.stop();
      await rm(dataDir, { recursive: true });
    },
  };
});
