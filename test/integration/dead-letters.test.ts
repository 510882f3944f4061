/**
 * What got stuck, through everything that is real: a mail and a file that a faulty part cannot work on are parked alone, an
 * operator sees why and has them redriven when the part is mended, and they land once.
 *
 * The faulty part stands in the database: it refuses the files of one mail, and the records of one file.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateSamples, type Sample } from "../../cli/samples/generate.ts";
import {
  type Mail,
  mailOfSample,
  standingRecords,
  startTestStack,
  type TestStack,
  until,
  written,
} from "../support/stack.ts";

const samples = generateSamples({ scale: 0.05, now: new Date(Date.now() - 3_600_000) });
const sampleOf = (feed: string): Sample => samples.find((sample) => sample.feed === feed)!;
const poisonMail = sampleOf("inventory");
const poisonFile = sampleOf("store");
const others = samples.filter((sample) => sample !== poisonMail && sample !== poisonFile);

interface Letter {
  readonly id: string;
  readonly state: string;
  readonly cause: string;
  readonly redrive_of: string | null;
  readonly failure: { readonly sentence: string };
  readonly lives: readonly { readonly id: string }[];
  readonly delivery: { readonly id: string; readonly raw_url: string };
}

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
  // An exception is no trouble that passes, so it is parked at once.
  await stack.sql.query(`CREATE FUNCTION faulty_part() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_TABLE_NAME = 'files' AND to_jsonb(NEW) ->> 'path' LIKE '%${poisonMail.fileName}%' OR TG_TABLE_NAME = 'ledger' AND EXISTS
      (SELECT FROM files f WHERE f.id = (to_jsonb(NEW) ->> 'file_id')::bigint AND f.path LIKE '%${poisonFile.fileName}%')
    THEN RAISE EXCEPTION 'a faulty part'; END IF;
    RETURN NEW;
  END $$`);
  for (const table of ["files", "ledger"]) {
    await stack.sql.query(
      `CREATE TRIGGER faulty_part BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION faulty_part()`,
    );
  }
});
afterAll(() => stack?.stop());

const list = async (query = "") =>
  (await stack.api<{ items: Letter[]; causes: { cause: string; letters: number }[] }>(`/v1/dead-letters${query}`)).body;
const one = async (id: string) => (await stack.api<Letter>(`/v1/dead-letters/${id}`)).body;
const post = (path: string, body: unknown) =>
  stack.post<Record<string, unknown>>(`/v1/dead-letters${path}`, { body: JSON.stringify(body) });

const lettersOf = (cause: string, count: number) =>
  until(`${count} open letters of ${cause}`, async () => {
    const { items } = await list(`?cause=${cause}`);
    return items.length === count ? items : undefined;
  });

const rowsOf = (of: readonly Sample[]) => of.reduce((sum, { rows }) => sum + rows, 0);

const accepted = async (mail: Mail): Promise<string> => {
  const answer = await stack.mailIn(mail);
  if (!answer.accepted) throw new Error(answer.reason);
  return answer.deliveryId;
};

const applied = (sample: Sample) => ({
  state: "parsed",
  files: [{ state: "applied", books: { records: { inserted: sample.rows } } }],
});

async function theSweepRuns(): Promise<void> {
  const query = new URLSearchParams({ cron: "*/10 * * * *", time: String(Date.now()), format: "json" });
  const response = await fetch(`${stack.url}/cdn-cgi/local/scheduled?${query}`);
  expect(response.ok).toBe(true);
  await response.body?.cancel();
}

const mend = async () => {
  for (const table of ["files", "ledger"]) await stack.sql.query(`DROP TRIGGER faulty_part ON ${table}`);
};

describe("a mail and a file that a faulty part cannot work on", () => {
  const mail = mailOfSample(poisonMail);
  let mailId: string;
  let fileMailId: string;
  let mailLetter: Letter;
  let fileLetter: Letter;

  it("are parked alone, each with its reason, while all others land", async () => {
    mailId = await accepted(mail);
    fileMailId = await accepted(mailOfSample(poisonFile));
    for (const sample of others) expect(await stack.deliver(mailOfSample(sample))).toMatchObject(applied(sample));

    [mailLetter] = (await lettersOf("parse.database-refused", 1)) as [Letter];
    [fileLetter] = (await lettersOf("apply.database-refused", 1)) as [Letter];
    for (const { failure } of [mailLetter, fileLetter]) expect(failure.sentence).toContain("a faulty part");
    expect(await stack.follow(mailId)).toMatchObject({
      state: "dead",
      failure: { code: "database-refused" },
      files: [],
    });
    expect(await stack.follow(fileMailId)).toMatchObject({ state: "parsed", files: [{ state: "dead" }] });
    expect((await list()).causes).toHaveLength(2);
    expect(await written(stack)).toEqual({ versions: rowsOf(others), events: rowsOf(others) });
  });

  it("are shown with the mail itself, byte for byte, to operators alone", async () => {
    const { delivery } = await one(mailLetter.id);
    expect(delivery).toMatchObject({ id: mailId, state: "dead" });
    const raw = await fetch(`${stack.url}${delivery.raw_url}`, {
      headers: { Authorization: `Bearer ${stack.operator}` },
    });
    expect(raw.headers.get("Content-Disposition")).toBe(`attachment; filename="${mailId}.eml"`);
    expect(Buffer.compare(new Uint8Array(await raw.arrayBuffer()), mail.raw)).toBe(0);
    const customer = await stack.customerToken("acme");
    expect((await stack.api(delivery.raw_url, customer)).status).toBe(403);
    expect((await stack.api("/v1/dead-letters", customer)).status).toBe(403);
  });

  it("redriven before the part is mended, die again and name their first life", async () => {
    expect(await post(`/${mailLetter.id}/redrive`, {})).toMatchObject({
      status: 202,
      body: { dead_letter: { sent: true } },
    });
    expect((await post("/redrive", { cause: fileLetter.cause })).body).toMatchObject({
      redriven: [{ id: fileLetter.id, sent: true }],
      left: 0,
    });
    for (const first of [mailLetter, fileLetter]) {
      const [second] = await lettersOf(first.cause, 1);
      expect(second).toMatchObject({ redrive_of: first.id });
      expect((await one(second!.id)).lives.map(({ id }) => id)).toEqual([first.id, second!.id]);
    }
    expect(await stack.follow(mailId)).toMatchObject({ state: "dead" });
    expect(await stack.follow(fileMailId)).toMatchObject({ files: [{ state: "dead" }] });
  });

  it("redriven afterwards, by an operator and by the sweep, land once", async () => {
    await mend();
    const [again] = await lettersOf(mailLetter.cause, 1);
    await Promise.all([1, 2, 3].map(() => post(`/${again!.id}/redrive`, {})));
    expect(await stack.follow(mailId)).toMatchObject(applied(poisonMail));

    const marked = await post(`/causes/${fileLetter.cause}/fixed`, { note: "the part is mended" });
    expect(marked).toMatchObject({ status: 202, body: { waiting: 1 } });
    expect(await stack.follow(fileMailId)).toMatchObject({ files: [{ state: "dead" }] });
    await theSweepRuns();
    await until("the file to be applied", async () => {
      const { files } = await stack.follow(fileMailId);
      return files[0]?.state === "applied" || undefined;
    });

    const rows = rowsOf(samples);
    expect(await standingRecords(stack)).toHaveLength(rows);
    expect(await written(stack)).toEqual({ versions: rows, events: rows });
    expect((await list()).items).toEqual([]);
    expect((await list("?state=redriven")).items).toHaveLength(4);
    const audited =
      await stack.sql`SELECT actor, action FROM audit_log WHERE action IN ('redrive', 'mark-fixed') ORDER BY id`;
    expect(audited.map(({ actor, action }) => [actor, action])).toEqual([
      ["local operator", "redrive"],
      ["local operator", "redrive"],
      ["local operator", "redrive"],
      ["local operator", "mark-fixed"],
      ["local operator", "redrive"],
    ]);
  });
});
