/**
 * Fairness: how long a quiet customer's small file takes from mail to applied while a noisy customer's large files are in
 * progress, against the same on the idle system. One stack, one run: workerd, local queues, a real Postgres.
 *
 * Every file of the noisy customer changes every row, and the next file is mailed before the one in progress is done. Its
 * limits are those of every customer; what they are good for is shown by the same once more without a rate.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { startChild } from "../cli/local/child-process.ts";
import { mailIn } from "../cli/local/mailroom.ts";
import { withDatabase } from "../cli/local/pg-backend.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN, PROJECT_ROOT } from "../cli/local/settings.ts";
import { startStack } from "../cli/local/stack.ts";
import { benchInventoryBytes, zipOf } from "../cli/samples/generate.ts";
import { mailOf } from "../cli/samples/mail.ts";
import type { Adapter } from "../src/domain/adapter.ts";
import { feedAddress } from "../src/domain/address.ts";
import type { EndpointReady } from "./apply/endpoint-process.ts";
import { benchServer } from "./apply/server.ts";
import { noisy, quiet } from "./fairness/feeds.ts";
import { type Aim, figureOf, median, type Report, type Sizes } from "./parse/figures.ts";

const QUIET_ROWS = 100;
/** The promise that one customer never hurts another, as a number. */
const MAX_RATIO = 2;
/** Samples of the quiet feed, idle and busy. */
const MIN_SAMPLES = 21;
/** So that the samples fall on all that a large file does: over some twenty seconds. */
const BETWEEN_MS = 700;
/** Before anything is measured: connections, compiled code, statistics. */
const WARM_UP = 3;
/** A large file on a busy machine. */
const DEADLINE_MS = 300_000;
const POLL_MS = 5;
/** More than are ever sent; their dates begin so many minutes ago. */
const MAX_MAILS = 1_000;
const DATABASE = "mailfeed_fairness";

export async function benchFairness({ rows, runs }: Sizes, report: Report): Promise<void> {
  const server = await benchServer();
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
  await admin.query(`CREATE DATABASE ${DATABASE}`);
  const url = withDatabase(server.url, DATABASE);
  const endpoint = await startChild<EndpointReady>(new URL("./apply/endpoint-process.ts", import.meta.url), { url });
  const folder = mkdtempSync(join(tmpdir(), "mailfeed-fairness-"));
  const configFile = join(folder, "wrangler.toml");
  const main = join(import.meta.dirname, "fairness/worker.ts");
  const config = readFileSync(join(PROJECT_ROOT, "wrangler.toml"), "utf8");
  writeFileSync(
    configFile,
    config.replace(/^main = .*$/m, () => `main = ${JSON.stringify(main)}`),
  );
  const database = { ...endpoint.ready, kind: "postgres" as const, stop: async () => undefined };
  const stack = await startStack({ port: 0, folder, database, configFile });
  const sql = new pg.Client(url);
  await sql.connect();
  try {
    const world = worldOf(stack, sql, rows);
    for (let i = 0; i < WARM_UP; i++) await world.quietFile();
    const samples = Math.max(MIN_SAMPLES, runs);
    const quietFiles = async () => {
      const timed: Timed[] = [];
      for (let i = 0; i < samples; i++) {
        timed.push(await world.quietFile());
        await pause(BETWEEN_MS);
      }
      return timed;
    };
    const beside = async () => {
      const stopNoise = await world.makeNoise();
      const busy = await quietFiles();
      console.error(`  ${await stopNoise()} files of ${rows} rows were on their way meanwhile`);
      return busy;
    };
    const idle = await quietFiles();
    const busy = await beside();
    const idleAgain = await quietFiles();
    await world.unlimited(noisy);
    const flooded = await beside();

    const rested = [...idle, ...idleAgain];
    const tell = (title: string, part: keyof Timed, loud: readonly Timed[], aim?: Aim) => {
      const base = median(rested.map((one) => one[part]));
      console.error(`  ${title}: idle ${base} ms, busy ${loud.map((one) => one[part]).join(" ")} ms`);
      report(
        figureOf(
          "fairness",
          `${title}, busy / idle`,
          "×",
          loud.map((one) => one[part] / base),
          aim,
        ),
      );
    };
    tell(`${QUIET_ROWS} rows from mail to applied beside ${rows}`, "total", busy, { atMost: MAX_RATIO });
    tell("of it, from mail to parsed", "parse", busy);
    tell("of it, from parsed to applied", "apply", busy);
    tell("the same beside a customer without a rate", "total", flooded);
    report(
      figureOf(
        "fairness",
        "the same on the idle system",
        "ms",
        rested.map((one) => one.total),
      ),
    );
  } finally {
    await sql.end();
    await stack.stop();
    await endpoint.stop();
    await admin.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`);
    await admin.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of one file: `parse` from the mail's first byte to the parsed row, `apply` from there to the end. */
interface Timed {
  readonly total: number;
  readonly parse: number;
  readonly apply: number;
}

function worldOf(stack: { url: string; token: string }, sql: pg.Client, rows: number) {
  const door = { ...stack, feeds: [noisy, quiet] };
  const zipped = [1, 2].map((seed) => zipOf([{ name: "inventory.csv", bytes: benchInventoryBytes(rows, seed) }]));
  const startedMs = Date.now() - MAX_MAILS * 60_000;
  let sent = 0;

  async function send(feed: Adapter, name: string, contentType: string, bytes: Uint8Array): Promise<string> {
    sent++;
    // The order of files is that of the mails' dates, which have full seconds; none lies in the future or long ago.
    const date = new Date(startedMs + sent * 60_000);
    const from = "erp@bench.example";
    const to = feedAddress(feed, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN);
    const messageId = `<${sent}.${feed.customer}@bench.example>`;
    const attachments = [{ name, contentType, bytes }];
    const raw = mailOf({ from, to, subject: name, date, messageId, body: "Automatic export.", attachments });
    const accepted = await mailIn(door, { from, to, raw: new Uint8Array(raw) });
    if (!accepted.accepted) throw new Error(`the mail was refused: ${accepted.reason}`);
    return accepted.deliveryId;
  }

  async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS / 1_000} s`);
      await pause(POLL_MS);
    }
  }

  const fileOf = async (deliveryId: string) => {
    const { rows: found } = await sql.query<{ state: string; parsed_at: Date | null; applied_at: Date | null }>(
      "SELECT state, parsed_at, applied_at FROM files WHERE delivery_id = $1",
      [deliveryId],
    );
    return found[0];
  };

  return {
    async unlimited(feed: Adapter): Promise<void> {
      const response = await fetch(`${stack.url}/v1/customers/${feed.customer}/limits`, {
        method: "PUT",
        headers: { Authorization: `Bearer ${stack.token}` },
        body: JSON.stringify({ files_at_once: 4, rows_per_second: 10_000_000, burst_rows: 100_000_000 }),
      });
      if (!response.ok && response.status !== 404)
        throw new Error(`limits: ${response.status} ${await response.text()}`);
    },

    /** A small file, from the mail to its last statement. The database's clock is this machine's. */
    async quietFile(): Promise<Timed> {
      const bytes = benchInventoryBytes(QUIET_ROWS, sent + 10);
      const fromMs = Date.now();
      const id = await send(quiet, "inventory.csv", "text/csv", bytes);
      const file = await until("the quiet file", async () => {
        const found = await fileOf(id);
        if (found?.state === "held" || found?.state === "rejected") throw new Error(`the quiet file is ${found.state}`);
        return found?.state === "applied" ? found : undefined;
      });
      const [parsedMs, appliedMs] = [file.parsed_at!.getTime(), file.applied_at!.getTime()];
      return { total: appliedMs - fromMs, parse: parsedMs - fromMs, apply: appliedMs - parsedMs };
    },

    /** Large files, one behind the other, two of them on their way at any time. Answers when the first is being applied. */
    async makeNoise(): Promise<() => Promise<number>> {
      let going = true;
      let broken: unknown;
      const ids: string[] = [];
      const ended = (state: string | undefined) => state === "applied" || state === "held" || state === "rejected";
      const keep = async () => {
        while (going) {
          const states = await Promise.all(ids.map(async (id) => (await fileOf(id))?.state));
          if (states.filter((state) => !ended(state)).length < 2) {
            ids.push(await send(noisy, "inventory.zip", "application/zip", zipped[ids.length % 2]!));
          } else await pause(200);
        }
      };
      const keeping = keep().catch((thrown: unknown) => {
        broken = thrown;
      });
      await until("the first large file", async () =>
        ids[0] && (await fileOf(ids[0]))?.state === "applying" ? true : undefined,
      );
      return async () => {
        going = false;
        await keeping;
        if (broken !== undefined) throw broken;
        return ids.length;
      };
    },
  };
}
