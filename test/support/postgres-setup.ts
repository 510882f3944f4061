/**
 * The database all tests share: one Postgres server, one Neon endpoint before it, and a template database with every
 * migration applied, from which each test clones its own.
 *
 * Nothing of it starts before the first test asks for a database, so tests of pure steps cost nothing. Vitest calls this
 * once per project; the projects share one server.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { endpointConnectionString } from "../../cli/local/database.ts";
import { startEmbeddedPostgres } from "../../cli/local/embedded-postgres.ts";
import { type NeonEndpoint, startNeonEndpoint } from "../../cli/local/neon-endpoint.ts";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";
import { type PgBackend, pgBackend, withDatabase } from "../../cli/local/pg-backend.ts";
import { migrate } from "../../cli/migrate.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** For `neonConfig.fetchEndpoint`. */
    endpointUrl: string;
    /** `POST <adminUrl>/databases` and `/databases/empty` → {@link CreatedDatabase}; `/databases/drop` takes its name. */
    adminUrl: string;
    templateDatabase: string;
  }
}

/** What the admin door answers. `directUrl` is Postgres' own address, for `pg`. */
export interface CreatedDatabase {
  readonly name: string;
  readonly connectionString: string;
  readonly directUrl: string;
}

const MIGRATIONS = join(import.meta.dirname, "../../migrations");
const SHARED = Symbol.for("mailfeed.test-database");

interface SharedDatabase {
  readonly endpoint: NeonEndpoint;
  readonly template: string;
  users: number;
  stop(): Promise<void>;
}

/** Every project may load its own copy of this module; what they share hangs on the process. */
const process_ = globalThis as { [SHARED]?: Promise<SharedDatabase> };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  process_[SHARED] ??= start();
  const shared = await process_[SHARED];
  shared.users++;
  project.provide("endpointUrl", shared.endpoint.url);
  project.provide("adminUrl", shared.endpoint.url.replace(/\/sql$/, "/test"));
  project.provide("templateDatabase", shared.template);
  return async () => {
    shared.users--;
    if (shared.users > 0) return;
    delete process_[SHARED];
    await shared.stop();
  };
}

/** A server with the template in it. */
interface Booted {
  readonly url: string;
  readonly backend: PgBackend;
  readonly admin: pg.Client;
  stop(): Promise<void>;
}

async function start(): Promise<SharedDatabase> {
  const run = randomBytes(4).toString("hex");
  const template = `mailfeed_template_${run}`;
  const databases = new Set<string>();
  let booting: Promise<Booted> | undefined;
  const booted = () => {
    booting ??= boot(template);
    return booting;
  };

  const drop = async (name: string) => {
    const { admin, backend } = await booted();
    if (!databases.delete(name)) return;
    await backend.closeDatabase(name);
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  };
  const create = async (source: string): Promise<CreatedDatabase> => {
    const { admin, url } = await booted();
    const name = `test_${run}_${randomBytes(6).toString("hex")}`;
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${source}`);
    databases.add(name);
    return {
      name,
      connectionString: endpointConnectionString(endpoint.port, name),
      directUrl: withDatabase(url, name),
    };
  };

  const endpoint = await startNeonEndpoint({
    backend: {
      run: async (queries, options) => (await booted()).backend.run(queries, options),
      close: async () => {
        const running = await booting?.catch(() => undefined); // why it failed, every test has said
        if (running === undefined) return;
        const { backend, admin, stop } = running;
        await backend.close();
        // A server of somebody else's must look as it did before.
        for (const name of [...databases, template]) await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
        await admin.end();
        await stop();
      },
    },
    routes: {
      "POST /test/databases": () => create(template),
      "POST /test/databases/empty": () => create("template0"),
      "POST /test/databases/drop": async (body) => drop(String(Reflect.get(Object(body), "name"))),
    },
  });
  return { endpoint, template, users: 0, stop: endpoint.close };
}

/** Starts the server and makes the template. */
async function boot(template: string): Promise<Booted> {
  const { url, stop } = await startEmbeddedPostgres();
  // One connection, so that databases are made one after the other: clones of one template would wait for each other anyway.
  const admin = new pg.Client(url);
  admin.on("error", (error) => console.info(`The connection to the test server was lost: ${error.message}`));
  const backend = pgBackend(url);
  try {
    await admin.connect();
    await admin.query(`CREATE DATABASE ${template}`);
    await applyMigrations(backend, template);
    return { url, backend, admin, stop };
  } catch (error) {
    await admin.end();
    await stop();
    throw error;
  }
}

async function applyMigrations(backend: PgBackend, template: string): Promise<void> {
  if (!existsSync(MIGRATIONS)) return;
  // An endpoint of its own: the shared one waits for this to be done.
  const { run } = backend;
  const endpoint = await startNeonEndpoint({ backend: { run, close: () => backend.closeDatabase(template) } });
  neonConfig.fetchEndpoint = localFetchEndpoint;
  await migrate(neon(endpointConnectionString(endpoint.port, template)), { folder: MIGRATIONS });
  await endpoint.close();
}
