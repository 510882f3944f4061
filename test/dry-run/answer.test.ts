/** Who asked by mail is answered once, by whichever file ends last. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Effect } from "../../src/domain/effect.ts";
import { report } from "../../src/domain/failures.ts";
import type { DryRunNotice } from "../../src/domain/notice.ts";
import { answerDelivery, endDryRun, noticeOf } from "../../src/dry-run/answer.ts";
import type { AnswerDeps, Asked } from "../../src/dry-run/deps.ts";
import { dryRunTables } from "../../src/dry-run/tables.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { type AskingWorld, askingWorldOn } from "./world.ts";

let database: FreshDatabase;
let world: AskingWorld;
beforeAll(async () => {
  database = await freshDatabase();
  world = askingWorldOn(database.connectionString);
});
afterAll(async () => {
  await database.drop();
});

const effect: Effect = {
  at: "2026-11-20T12:00:00.000Z",
  mode: "delta",
  records: 0,
  rows: 1,
  accepted: 1,
  rejected: 0,
  inserted: 1,
  changed: 0,
  unchanged: 0,
  stale: 0,
  superseded: 0,
  retired: 0,
  kept: null,
  fields: { exact: true, counts: [] },
  examples: [],
  verdict: "apply",
  reasons: [],
  unjudged: [],
};

const told: DryRunNotice[] = [];
const deps = (): AnswerDeps => ({
  tables: dryRunTables(world.database),
  compose(notice) {
    if (notice.kind === "dry-run") told.push(notice);
    return { recipient: "contact", subject: "Dry run", text: "text", html: "html" };
  },
  mailDomain: "feeds.example",
});

interface Given {
  readonly files?: number;
  readonly sender?: string;
  readonly proof?: string;
  readonly door?: "mail" | "upload";
  readonly state?: string;
  readonly fileStates?: readonly string[];
}

const failureIn = (state: string) =>
  ["parsed", "parsing", "compared"].includes(state) ? null : JSON.stringify(report("file-empty", { name: "a.csv" }));

/** A delivery that asked, with its files. */
async function asked({
  files = 1,
  sender = "erp@acme.example",
  proof = "address",
  door = "mail",
  state = "parsed",
  fileStates = [],
}: Given = {}) {
  const feed = await world.feed();
  const delivery = randomUUID().replaceAll("-", "");
  await forceIn(
    world.database,
    `INSERT INTO deliveries (id, customer_id, feed_id, door, state, raw_key, raw_bytes, raw_sha256, sender, sender_proof, received_at, failure)
     VALUES ($1, $2, $3, $4, $5, 'raw', 0, repeat('0', 64), $6, $7, '2026-11-20T11:00:00Z', $8)`,
    [delivery, feed.customerId, feed.feedId, door, state, sender, proof, failureIn(state)],
  );
  const ids: string[] = [];
  for (let position = 0; position < files; position++) {
    const { id } = await world.question(feed, position, []);
    const fileState = fileStates[position] ?? "parsed";
    await forceIn(
      world.database,
      "UPDATE files SET delivery_id = $2, position = $3, state = $4, failure = $5 WHERE id = $1",
      [id, delivery, position, fileState, failureIn(fileState)],
    );
    ids.push(id);
  }
  return { delivery, ids };
}

const mailsOf = (delivery: string) =>
  world.database.query<{ address: string; recipient: string }>(
    "SELECT address, recipient FROM notifications WHERE key LIKE $1",
    [`%${delivery}%`],
  );
const stateOf = async (id: string) =>
  (await world.one<{ state: string }>("SELECT state FROM files WHERE id = $1", [id])).state;

describe("the answer", () => {
  it("goes to whoever asked, once, however often the file ends", async () => {
    const { delivery, ids } = await asked();
    expect(await endDryRun(deps(), ids[0]!, effect)).toBe(true);
    await endDryRun(deps(), ids[0]!, effect);
    await answerDelivery(deps(), delivery);
    expect(await mailsOf(delivery)).toEqual([{ address: "erp@acme.example", recipient: "contact" }]);
    expect(await stateOf(ids[0]!)).toBe("compared");
  });

  it("waits for the last file, and tells of all", async () => {
    const { delivery, ids } = await asked({ files: 3 });
    expect(await endDryRun(deps(), ids[0]!, effect)).toBe(false);
    expect(await endDryRun(deps(), ids[2]!, effect)).toBe(false);
    expect(await mailsOf(delivery)).toEqual([]);
    expect(await endDryRun(deps(), ids[1]!, effect)).toBe(true);
    expect(await mailsOf(delivery)).toHaveLength(1);
    expect(told.at(-1)?.files.map((file) => file.effect?.inserted)).toEqual([1, 1, 1]);
  });

  it("is written by one of several files that end at the same moment", async () => {
    for (let round = 0; round < 5; round++) {
      const { delivery, ids } = await asked({ files: 3 });
      await Promise.all(ids.map((id) => endDryRun(deps(), id, effect)));
      expect(await mailsOf(delivery)).toHaveLength(1);
      expect(await Promise.all(ids.map(stateOf))).toEqual(["compared", "compared", "compared"]);
    }
  });

  it("waits after all where another file is opened again between two looks", async () => {
    const { delivery, ids } = await asked({ files: 2, fileStates: ["parsed", "compared"] });
    const open = (state: string) =>
      forceIn(world.database, "UPDATE files SET state = $2 WHERE id = $1", [ids[1]!, state]);
    const real = deps();
    const disturbed: AnswerDeps = {
      ...real,
      tables: {
        ...real.tables,
        async askedBy(id) {
          await open("parsed");
          return real.tables.askedBy(id);
        },
      },
    };
    expect(await endDryRun(disturbed, ids[0]!, effect)).toBe(false);
    expect([await stateOf(ids[0]!), await mailsOf(delivery)]).toEqual(["compared", []]);
    expect(await endDryRun(real, ids[1]!, effect)).toBe(true);
    expect(await mailsOf(delivery)).toHaveLength(1);
  });

  it("waits for the delivery to be read to its end", async () => {
    const { delivery, ids } = await asked({ state: "parsing" });
    expect(await endDryRun(deps(), ids[0]!, effect)).toBe(false);
    await forceIn(world.database, "UPDATE deliveries SET state = 'parsed' WHERE id = $1", [delivery]);
    expect(await answerDelivery(deps(), delivery)).toBe(true);
    expect(await mailsOf(delivery)).toHaveLength(1);
  });

  it("tells of a file that cannot be read beside one that can", async () => {
    const { delivery, ids } = await asked({ files: 2, fileStates: ["rejected", "parsed"] });
    expect(await endDryRun(deps(), ids[1]!, effect)).toBe(true);
    expect(told.at(-1)?.files.map(({ failure }) => failure?.sentence)).toEqual([
      "The file “a.csv” is empty.",
      undefined,
    ]);
    expect(told.at(-1)?.receivedAt).toBe("2026-11-20T11:00:00Z");
    expect(await mailsOf(delivery)).toHaveLength(1);
  });

  it("waits where one file of it has failed for a reason of ours, and comes when that is mended", async () => {
    const { delivery, ids } = await asked({ files: 2, fileStates: ["dead", "parsed"] });
    expect(await endDryRun(deps(), ids[1]!, effect)).toBe(false);
    expect([await stateOf(ids[1]!), await mailsOf(delivery)]).toEqual(["compared", []]);
    await forceIn(world.database, "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [ids[0]!]);
    expect(await endDryRun(deps(), ids[0]!, effect)).toBe(true);
    expect(await mailsOf(delivery)).toHaveLength(1);
  });

  it.each([
    ["an upload", { door: "upload" as const }],
    ["a sender whom nothing has proven", { proof: "quarantined" }],
    ["an automatic mail", { proof: "automatic" }],
    ["one of our own addresses", { sender: "acme.stock.token+dryrun@FEEDS.example" }],
    ["two addresses", { sender: "a@x.example, b@y.example" }],
    ["an address with something around it", { sender: "Eve <eve@evil.example>" }],
    ["an address that is none", { sender: "nobody" }],
    ["a line break in an address", { sender: "a@x.example\r\nBcc: b@y.example" }],
  ])("never goes to %s", async (_, given) => {
    const { delivery, ids } = await asked(given);
    expect(await endDryRun(deps(), ids[0]!, effect)).toBe(false);
    expect(await answerDelivery(deps(), delivery)).toBe(false);
    expect(await mailsOf(delivery)).toEqual([]);
    expect(await stateOf(ids[0]!)).toBe("compared");
  });

  it.each(["quarantined", "ignored", "dead", "parsing"])("is not written of a delivery that is %s", async (state) => {
    const { delivery } = await asked({ files: 0, state });
    expect(await answerDelivery(deps(), delivery)).toBe(false);
    expect(await mailsOf(delivery)).toEqual([]);
  });

  it("ends the shadow of a replay without a mail, though its delivery came by mail", async () => {
    const { delivery, ids } = await asked();
    await forceIn(world.database, "UPDATE files SET cause = 'replay', replay_id = 1 WHERE id = $1", [ids[0]!]);
    expect(await endDryRun(deps(), ids[0]!, effect)).toBe(false);
    expect([await stateOf(ids[0]!), await mailsOf(delivery)]).toEqual(["compared", []]);
  });
});

describe("what a customer reads of a failure", () => {
  const noticed = (failure: ReturnType<typeof report>) =>
    noticeOf({
      id: "0".repeat(32),
      customer: "acme",
      customerTitle: "Acme",
      feed: "stock",
      feedTitle: "Stock",
      door: "mail",
      sender: "erp@acme.example",
      senderProof: "address",
      subject: null,
      receivedAt: "2026-11-20T11:00:00Z",
      state: "rejected",
      failure,
      files: [],
    } satisfies Asked).failure;

  it("is its own words where the customer can act, and nothing of how we are built where it is ours", () => {
    expect(noticed(report("file-empty", { name: "a.csv" }))?.hint).toBe(
      "Check that the export ran, then send it again.",
    );
    const ours = noticed(report("chunk-missing", { key: "chunks/1/2/3" }));
    expect(JSON.stringify(ours)).not.toContain("chunks");
  });

  it("is not what our operator is to do", () => {
    const drift = noticed(
      report("format-drift", { cause: "other-delimiter", sentence: "Columns are divided by tabs now." }),
    );
    expect(drift?.sentence).toContain("Columns are divided by tabs now.");
    expect(drift?.hint).not.toContain("accept the new one");
  });
});
