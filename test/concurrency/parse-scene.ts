/** Parse over a real database, with an archive, chunks and a queue in memory, for several consumers at once. */
import { randomBytes } from "node:crypto";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { type ApplyFile, parseDeliveryMessage } from "../../src/domain/messages.ts";
import { composeMessage } from "../../src/notify/compose.ts";
import { parseHandler } from "../../src/parse/handler.ts";
import { bytesSource } from "../../src/parse/open/source.ts";
import { parseTables } from "../../src/parse/tables.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Two faults, one for each adapter: an amount that is no number, and a price that is none. */
const CONTENT = `Article;Amount;Price
${Array.from({ length: 40 }, (_, i) => `A${100 + i};${i};${i}.50`).join("\n")}
B1;many;1.50
B2;7;cheap
`;

const amount = { name: "amount", source: { header: "Amount" } };
const price = { name: "price", source: { header: "Price" } };

/** The same feed by two deployments: one reads amounts as numbers, the other one prices. */
export const ADAPTERS = {
  old: [
    { ...amount, type: "integer" },
    { ...price, type: "text" },
  ],
  new: [
    { ...amount, type: "text" },
    { ...price, type: "decimal", decimalMark: ".", scale: 2 },
  ],
  /** Nothing is said of the format: it is detected, proposed, and the file held. */
  unknown: undefined,
} as const;

export type AdapterName = keyof typeof ADAPTERS;

const adapterOf = (customer: string, name: AdapterName): Adapter => {
  const columns = ADAPTERS[name];
  const shared = {
    customer,
    customerTitle: "Acme",
    feed: "stock",
    title: "Stock",
    mode: "delta" as const,
    intake: { policy: "trust-address" as const, senders: ["@acme.example"] },
  };
  if (columns === undefined) return defineFeed(shared);
  return defineFeed({
    ...shared,
    file: { charset: "utf-8", delimiter: ";", header: true },
    columns: [{ name: "article", source: { header: "Article" }, type: "identifier" }, ...columns],
    key: ["article"],
  });
};

export interface Scene {
  readonly customer: string;
  readonly id: string;
  /** What was sent to apply. */
  readonly sent: ApplyFile[];
  /** Reads the delivery as one consumer does. */
  consume(adapter: AdapterName, over?: Pick<Database, "query" | "transaction">): Promise<void>;
  /** All that parse has left, without ids and times. */
  state(): Promise<object>;
}

/** A delivery of a customer of its own; or one more of a customer that is there, with `more` at its end. */
export function sceneOn(
  connectionString: string,
  customer = `c${randomBytes(6).toString("hex")}`,
  more = "",
): Scene & { readonly database: Database } {
  const database = postgres(connectionString);
  const id = randomBytes(16).toString("hex");
  const bytes = new TextEncoder().encode(`${CONTENT}${more}`);
  const chunks = new Map<string, string>();
  const sent: ApplyFile[] = [];
  const rawKey = `raw/${customer}/2026/11/20/${id}.bin`;
  const facts: DeliveryFacts = {
    v: 1,
    id,
    customer,
    feed: "stock",
    door: "upload",
    sender: "test",
    verdict: { kind: "proven", proof: "token" },
    name: "stock.csv",
    receivedAt: "2026-11-20T06:00:00.000Z",
    bytes: bytes.length,
    sha256: "0".repeat(64),
  };
  const message = parseDeliveryMessage({ customer, feed: "stock", correlationId: id, rawKey });

  return {
    database,
    customer,
    id,
    sent,
    consume: (adapter, over = database) =>
      parseHandler(message, {
        feeds: [adapterOf(customer, adapter)],
        openRaw: async () => ({ facts, source: bytesSource(bytes) }),
        archivePassword: () => undefined,
        tables: parseTables({ ...database, ...over }),
        async putChunk(fileId, version, { n }, chunk) {
          chunks.set(`${fileId}/${version}/${n}`, Buffer.from(chunk).toString("latin1"));
        },
        enqueueApply: async (word) => void sent.push(word),
        compose: composeMessage,
        log: SILENT,
      }),
    async state() {
      const [delivery] = await database.query(
        "SELECT state, failure->>'code' AS code, payloads FROM deliveries WHERE id = $1",
        [id],
      );
      const files = await database.query<{ id: string; version: string; chunks: { n: number }[] }>(
        `SELECT id::text, adapter_version AS version, state, failure->>'code' AS code, chunks, accepted, rejected, lines, as_of::text,
           content_sha256 FROM files WHERE delivery_id = $1 ORDER BY position`,
        [id],
      );
      const rejects = await database.query(
        `SELECT r.line, r.position, r.code, r.column_name FROM rejects r JOIN files f ON f.id = r.file_id
         WHERE f.delivery_id = $1 ORDER BY 1, 2`,
        [id],
      );
      const stored = files.map((file) => file.chunks.map(({ n }) => chunks.get(`${file.id}/${file.version}/${n}`)));
      return { delivery, files: files.map(({ id: _, ...file }) => file), rejects, stored };
    },
  };
}

/** Stops before its `at`-th statement, from 1, until it is let go; the later ones pass. */
export function stopping(database: Database, at: number) {
  let calls = 0;
  let open: () => void = () => undefined;
  let arrive: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<"reached">((resolve) => {
    arrive = () => resolve("reached");
  });
  const pass = async () => {
    calls++;
    if (calls < at) return;
    arrive();
    await gate;
  };
  return {
    reached,
    letGo: () => open(),
    async query<T>(text: string, params?: readonly unknown[]): Promise<T[]> {
      await pass();
      return database.query<T>(text, params);
    },
    async transaction(statements: Parameters<Database["transaction"]>[0]) {
      await pass();
      return database.transaction(statements);
    },
  };
}
