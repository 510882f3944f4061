import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import {
  isAtRest,
  MACHINES,
  type Machine,
  type MachineName,
  mayMove,
  NEW,
  statesMovedBy,
  statesOf,
} from "../../src/domain/states.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";
import { DEAD_LETTER_STATES, DELIVERY_STATES, FILE_STATES } from "../../src/platform/schema.ts";
import { seedDelivery, seedFeed, seedFile } from "../api/seed.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { force } from "../support/force-state.ts";
import { STATES_PAGE, statePage } from "../support/state-picture.ts";

const MACHINE_OF: Readonly<Record<MachineName, Machine>> = MACHINES;
const KINDS = Object.keys(MACHINES) as MachineName[];
/** The ledger has no column to move. */
const MOVING = KINDS.filter((kind) => kind !== "chunk");

describe("the table of states", () => {
  it.each(KINDS)("of a %s leads from new to every state, and names none that is not there", (kind) => {
    const { states, moves } = MACHINE_OF[kind];
    const reached = new Set<string>([NEW]);
    for (let before = -1; before !== reached.size; ) {
      before = reached.size;
      for (const [from, to] of moves) if (reached.has(from)) reached.add(to);
    }
    expect([...reached].sort()).toEqual([NEW, ...Object.keys(states)].sort());
    expect(moves.map(([from]) => from).filter((from) => from !== NEW && !(from in states))).toEqual([]);
  });

  it.each(KINDS)("of a %s names each move once", (kind) => {
    const pairs = MACHINE_OF[kind].moves.map(([from, to]) => `${from} ${to}`);
    expect(new Set(pairs).size).toBe(pairs.length);
  });

  it.each(KINDS)("of a %s lets every state be left that a stage, the sweep or the operator is to move on", (kind) => {
    const { states, moves } = MACHINE_OF[kind];
    const waiting = Object.keys(states).filter((state) => !states[state]!.movedBy.includes("nobody"));
    expect(waiting.filter((state) => !moves.some(([from]) => from === state))).toEqual([]);
  });

  it("knows what may happen and what may not", () => {
    expect(mayMove("file", "held", "parsed")).toBe(true);
    expect(mayMove("file", "applied", "parsed")).toBe(false);
    expect(mayMove("file", NEW, "parsing")).toBe(true);
    expect(mayMove("file", NEW, "applied")).toBe(false);
    expect(mayMove("delivery", "parsed", "parsed")).toBe(false);
  });

  it("says where no stage is at work any more: what follows a delivery stops there", () => {
    expect(statesOf("file").filter((state) => isAtRest("file", state))).toEqual([
      "applied",
      "compared",
      "held",
      "rejected",
      "duplicate",
      "dead",
    ]);
    expect(statesOf("delivery").filter((state) => !isAtRest("delivery", state))).toEqual(["parsing"]);
    expect(statesMovedBy("file", "sweep")).toEqual(["parsing", "parsed", "applying"]);
  });

  it("is drawn in docs/states.md", () => {
    expect(readFileSync(STATES_PAGE, "utf8")).toBe(statePage());
  });
});

describe("the database", () => {
  let fresh: FreshDatabase;
  let database: Database;
  const rows: Record<string, { key: string; id: string }> = {};

  beforeAll(async () => {
    fresh = await freshDatabase();
    database = postgres(fresh.connectionString);
    const feed = await seedFeed(fresh, "acme");
    const delivery = await seedDelivery(fresh, feed);
    const file = await seedFile(fresh, feed, delivery);
    const one = async (text: string, params: unknown[]) => String((await force(fresh.sql, text, params))[0]!.id);
    rows.deliveries = { key: "id", id: delivery };
    rows.files = { key: "id", id: file };
    rows.dead_letters = {
      key: "id",
      id: await one(
        `INSERT INTO dead_letters (stage, message_id, message, failure, attempts) VALUES ('parse', 'm', '{}', $1, 1) RETURNING id`,
        [JSON.stringify(report("raw-missing", { key: "raw/x" }))],
      ),
    };
    rows.notifications = {
      key: "id",
      id: await one(
        `INSERT INTO notifications (key, recipient, customer_id, feed_id, subject, body_text, body_html)
         VALUES ('k', 'operator', $1, $2, '', '', '') RETURNING id`,
        [feed.customerId, feed.feedId],
      ),
    };
    await force(
      fresh.sql,
      `INSERT INTO feed_versions (feed_id, kind, version, state, base, data, created_by) VALUES ($1, 'profile', 1, 'proposed', '', '{}', 'x')`,
      [feed.feedId],
    );
    for (const position of [90, 91]) snapshots.push(await seedFile(fresh, feed, delivery, { position }));
    rows.drift_reports = {
      key: "id",
      id: await one(
        `INSERT INTO drift_reports (file_id, customer_id, feed_id, snapshot_feed_id, order_key, as_of, limits, fields)
         SELECT f.id, f.customer_id, f.feed_id, f.feed_id, f.order_key, f.as_of, '{}', '{}' FROM files f WHERE f.id = $1 RETURNING id`,
        [file],
      ),
    };
    rows.feed_versions = { key: "feed_id", id: String(feed.feedId) };
    const replay = await one(
      "INSERT INTO replays (shadow, gate, created_by) VALUES (false, 'judge', 'x') RETURNING id",
      [],
    );
    rows.replays = { key: "id", id: replay };
    await force(
      fresh.sql,
      `INSERT INTO replay_items (replay_id, delivery_id, customer, feed, lane, as_of, received_at, raw_key, raw_bytes, state)
       VALUES ($1, $2, 'acme', 'stock', 'acme/stock', now(), now(), 'raw/x', 1, 'waiting')`,
      [replay, delivery],
    );
    rows.replay_items = { key: "replay_id", id: replay };
    await force(
      fresh.sql,
      `INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale) VALUES ($1, gen_random_uuid(), 1, 1, 0, 0, 0)`,
      [file],
    );
  });
  afterAll(async () => {
    await fresh.drop();
  });

  /** What a row has beside its state, so that the checks of its table have nothing against it. */
  const beside = (table: string, state: string): string => {
    const failure = JSON.stringify(report("raw-missing", { key: "raw/x" }));
    const failed = (states: string[]) => `, failure = ${states.includes(state) ? `'${failure}'::jsonb` : "NULL"}`;
    if (table === "deliveries") return failed(["quarantined", "ignored", "rejected", "dead"]);
    if (table === "files") {
      return `${failed(["held", "rejected", "dead"])}, duplicate_of = ${state === "duplicate" ? "id" : "NULL"}`;
    }
    if (table === "dead_letters") {
      const by = state === "open" ? "NULL" : "'x'";
      return `, decided_at = ${state === "open" ? "NULL" : "now()"}, decided_by = ${by}, reason = ${state === "discarded" ? "'x'" : "NULL"}`;
    }
    if (table === "notifications") return `, sent_at = ${state === "sent" ? "now()" : "NULL"}`;
    if (table === "drift_reports") {
      const compared = state === "open" || state === "late" ? "NULL" : "now()";
      const numbers = ["snapshot_rows", "records", "missing_here", "missing_there", "differs", "drift"];
      const decided = state === "released" || state === "rejected";
      return `, compared_at = ${compared}, seal = 'hash', ${numbers.map((name) => `${name} = 0`).join(", ")}, healed_at = ${
        state === "healed" ? "now()" : "NULL"
      }, decided_at = ${decided ? "now()" : "NULL"}, decided_by = ${decided ? "'x'" : "NULL"}`;
    }
    if (table === "replays") {
      return `${failed(["failed"])}, ended_at = ${["done", "cancelled", "failed"].includes(state) ? "now()" : "NULL"}`;
    }
    if (table === "replay_items") {
      return `, sent_at = now(), reason = ${["skipped", "failed"].includes(state) ? "'x'" : "NULL"}`;
    }
    if (table !== "feed_versions") return "";
    return state === "proposed" ? ", decided_at = NULL, decided_by = NULL" : ", decided_at = now(), decided_by = 'x'";
  };

  const setting = (table: string, state: string) =>
    `UPDATE ${table} SET state = '${state}'${beside(table, state)} WHERE ${rows[table]!.key} = '${rows[table]!.id}'`;
  const stored = async (table: string) =>
    (
      await fresh.sql.query(`SELECT to_jsonb(x) AS row FROM ${table} x WHERE ${rows[table]!.key} = $1`, [
        rows[table]!.id,
      ])
    )[0]!.row as Record<string, unknown>;

  it.each(MOVING)(
    "lets a %s go exactly the ways of the table; any other is an error that changes nothing",
    async (kind) => {
      const { table } = MACHINE_OF[kind];
      const allowed: string[] = [];
      for (const from of statesOf(kind)) {
        for (const to of statesOf(kind)) {
          await force(fresh.sql, setting(table, from));
          const before = await stored(table);
          const failed = await database.query(setting(table, to)).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          if (failed === undefined) {
            if (from !== to) allowed.push(`${from} → ${to}`);
            expect((await stored(table)).state).toBe(to);
          } else {
            expect(failed).toMatchObject({
              code: "illegal-transition",
              disposition: "park",
              report: { evidence: { what: table, from, to } },
            });
            expect(await stored(table)).toEqual(before);
          }
        }
      }
      const inCode = MACHINE_OF[kind].moves.filter(([from]) => from !== NEW).map(([from, to]) => `${from} → ${to}`);
      expect(allowed.sort()).toEqual(inCode.sort());
    },
  );

  it.each(MOVING)("lets a %s begin exactly where the table says", async (kind) => {
    const { table } = MACHINE_OF[kind];
    const columns = await fresh.sql.query(
      "SELECT attrelid::regclass || '.' || attname AS name FROM pg_attribute WHERE attgenerated <> ''",
    );
    const generated = new Set(columns.map(({ name }) => name));
    const begun: string[] = [];
    for (const state of statesOf(kind)) {
      await force(fresh.sql, setting(table, state));
      const { id: _, ...copy } = await stored(table);
      const made = { ...copy, ...NEW_NAMES[table]?.(`${state}`) };
      const names = Object.keys(made)
        .filter((name) => !generated.has(`${table}.${name}`))
        .join(", ");
      const failed = await database
        .query(
          `INSERT INTO ${table} (${names}) SELECT ${names} FROM jsonb_populate_record(NULL::${table}, $1::jsonb)`,
          [JSON.stringify(made)],
        )
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
      if (failed === undefined) begun.push(state);
      else
        expect(failed).toMatchObject({
          code: "illegal-transition",
          report: { evidence: { what: table, from: NEW, to: state } },
        });
    }
    expect(begun.sort()).toEqual(
      statesOf(kind)
        .filter((state) => mayMove(kind, NEW, state))
        .sort(),
    );
  });

  it("leaves what the ledger has booked as it is, and lets it go with its time", async () => {
    const changed = database.query("UPDATE ledger SET inserted = 0, changed = 1");
    await expect(changed).rejects.toMatchObject({
      code: "illegal-transition",
      report: { evidence: { what: "ledger" } },
    });
    expect(await database.query("DELETE FROM ledger RETURNING inserted")).toEqual([{ inserted: 1 }]);
  });

  it("names a refused move in a sentence that a person can search for", async () => {
    await force(fresh.sql, setting("files", "applied"));
    await expect(database.query(setting("files", "parsed"))).rejects.toMatchObject({
      message: `A row of files (${rows.files!.id}) was to go from “applied” to “parsed”, and there is no such way.`,
    });
  });

  it("lets the lists of the API be those of the table", () => {
    expect([DELIVERY_STATES, FILE_STATES, DEAD_LETTER_STATES]).toEqual([
      Object.keys(MACHINES.delivery.states),
      Object.keys(MACHINES.file.states),
      Object.keys(MACHINES.deadLetter.states),
    ]);
  });

  it("allows in each table's column the states of the table and no other", async () => {
    const checks = await fresh.sql.query(
      `SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname LIKE '%\\_state\\_check'`,
    );
    const inDatabase = Object.fromEntries(
      checks.map(({ name, text }) => [
        name,
        [...String(text).matchAll(/'(\w+)'::text/g)].map((found) => found[1]).sort(),
      ]),
    );
    const inCode = Object.fromEntries(MOVING.map((kind) => [MACHINE_OF[kind].table, [...statesOf(kind)].sort()]));
    expect(inDatabase).toEqual(inCode);
  });
});

/** What must be another one in a second row of a table. */
const NEW_NAMES: Readonly<Record<string, (state: string) => Record<string, unknown>>> = {
  deliveries: (state) => ({ id: Buffer.from(state.padEnd(16)).toString("hex").slice(0, 32) }),
  files: (state) => ({ position: 10 + state.length * 10 + state.charCodeAt(2), duplicate_of: null }),
  dead_letters: (state) => ({ message_id: state }),
  notifications: (state) => ({ key: state }),
  feed_versions: (state) => ({ kind: "mapping", version: 2 + state.length }),
  drift_reports: () => ({ file_id: snapshots.pop() }),
  replay_items: (state) => ({
    delivery_id: Buffer.from(state.padEnd(16)).toString("hex").slice(0, 32),
    lane: state,
  }),
};

/** Files about which no report was made yet. */
const snapshots: string[] = [];
