/**
 * Full feeds behind the gate, through everything that is real: what a list lacks is taken off, a list that is cut off or wrong is
 * held and says why, and a right one takes its place or it is released.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { standingRecords, startTestStack, type TestStack, until } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ testFeeds: true });
});
afterAll(() => stack?.stop());

let sent = 0;

/** A list of `catalogue`, a full feed; each comes after the one before. */
async function send(rows: readonly string[]): Promise<{ readonly id: string; readonly state: string }> {
  sent++;
  const answer = await stack.post<{ delivery: { id: string } }>(
    `/v1/feeds/acme/catalogue/files?name=catalogue-${sent}.csv`,
    { body: `Article;Price;Place\n${rows.join("\n")}\n` },
  );
  const { files } = await stack.follow(answer.body.delivery.id);
  return { id: files[0]!.id, state: files[0]!.state };
}

/** Articles 1 to `articles` at so many cents. */
const list = (articles: number, cents = (n: number) => 1_000 + n) =>
  Array.from({ length: articles }, (_, i) => `A-${i + 1};${(cents(i + 1) / 100).toFixed(2).replace(".", ",")};north`);

interface File {
  readonly state: string;
  readonly failure: { readonly code: string; readonly sentence: string } | null;
  readonly retired: number | null;
}
const fileOf = async (id: string) => (await stack.api<File>(`/v1/files/${id}`)).body;
const there = async () =>
  (await standingRecords(stack)).filter(({ status }) => status === "active").map(({ key }) => key).length;
const ended = (id: string, state: string) =>
  until(`file ${id} is ${state}`, async () => ((await fileOf(id)).state === state ? true : undefined));

interface Numbers {
  readonly plan: Readonly<Record<string, number | string>>;
  readonly books: Readonly<Record<string, number>>;
}
/** What was planned, and what the books say. */
const numbersOf = async (id: string) =>
  (
    (await stack.sql.query(
      `SELECT plan - 'mode' AS plan, jsonb_build_object('accepted', accepted, 'superseded', superseded, 'inserted', inserted,
         'changed', changed, 'unchanged', unchanged, 'stale', stale, 'retired', retired) AS books FROM files WHERE id = $1`,
      [id],
    )) as Numbers[]
  )[0]!;

const KNOWN = 200;

describe("a list of a full feed", () => {
  it("takes off what it does not name any more, few as it is", async () => {
    expect(await send(list(KNOWN))).toMatchObject({ state: "applied" });
    const file = await send(list(KNOWN - 5, (n) => 1_000 + n + Number(n === 1)));
    expect(await fileOf(file.id)).toMatchObject({ state: "applied", retired: 5 });
    expect(await there()).toBe(KNOWN - 5);
    const { plan, books } = await numbersOf(file.id);
    expect(plan).toEqual(books);
    expect(books).toMatchObject({ changed: 1, unchanged: KNOWN - 6, retired: 5 });
  });

  it("that is cut off in the middle is held, with the number that would be gone, and nothing is taken off", async () => {
    const file = await send(list(100));
    const { state, failure } = await fileOf(file.id);
    expect([state, failure?.code]).toEqual(["held", "blast-radius"]);
    expect(failure?.sentence).toContain(
      "95 of 195 records (49 %) are not in the file any more and would be taken off.",
    );
    expect(await there()).toBe(KNOWN - 5);
    const mails = await until("the operator is written to", async () => {
      const { body } = await stack.api<{ items: { file_id: string; state: string; text: string }[] }>(
        "/v1/notifications?customer=acme&feed=catalogue",
      );
      const told = body.items.filter((mail) => mail.file_id === file.id && mail.state === "sent");
      return told.length > 0 ? told : undefined;
    });
    expect(mails[0]?.text.replace(/\s+/g, " ")).toContain("95 of 195 records (49 %)");
  });

  it("that is right takes the place of the one that is held", async () => {
    const [held] = (await stack.api<{ items: { file_id: string }[] }>("/v1/holds?customer=acme&feed=catalogue")).body
      .items;
    const file = await send(list(KNOWN));
    expect(file.state).toBe("applied");
    expect(await fileOf(held!.file_id)).toMatchObject({ state: "rejected", failure: { code: "hold-superseded" } });
    expect(await there()).toBe(KNOWN);
  });

  it("whose prices lost their decimal mark is held for what they add up to; released, it is applied as it was told", async () => {
    const file = await send(list(KNOWN, (n) => (n > KNOWN / 2 ? 100 : 1) * (1_000 + n)));
    const { failure } = await fileOf(file.id);
    expect(failure?.sentence).toMatch(/“price” would add up to [\d,.]+ instead of [\d,.]+: \d+ times as much\./);
    const told = (await numbersOf(file.id)).plan;
    expect((await stack.post(`/v1/files/${file.id}/release`)).status).toBe(202);
    await ended(file.id, "applied");
    const { plan, books } = await numbersOf(file.id);
    expect([plan, books]).toEqual([told, told]);
    expect(books).toMatchObject({ changed: KNOWN / 2, unchanged: KNOWN / 2, retired: 0 });
  });

  it("that names a record in a row that cannot be read does not take it off", async () => {
    const rows = list(KNOWN, (n) => (n > KNOWN / 2 ? 100 : 1) * (1_000 + n));
    const file = await send([...rows.slice(0, -2), `A-${KNOWN - 1};dear;north`, `A-${KNOWN};dear;north`]);
    expect(await fileOf(file.id)).toMatchObject({ state: "applied", retired: 0 });
    expect(await there()).toBe(KNOWN);
  });

  it("with a row whose key cannot be read takes nothing off, says so, and leaves it to the next", async () => {
    const alerts = async () =>
      (await stack.api<{ items: { subject: string; detail: string }[] }>("/v1/alerts?kind=records-kept")).body.items;
    const rows = list(KNOWN - 2, (n) => (n > KNOWN / 2 ? 100 : 1) * (1_000 + n));
    const file = await send([...rows, ";10,00;north"]);
    expect(await fileOf(file.id)).toMatchObject({ state: "applied", retired: 0 });
    expect((await numbersOf(file.id)).plan).toMatchObject({ retired: 0, kept: 2 });
    expect(await there()).toBe(KNOWN);
    expect(await alerts()).toMatchObject([
      { subject: "acme/catalogue", detail: expect.stringContaining(`File ${file.id} lacks 2 of the known records`) },
    ]);
    expect(await fileOf((await send(rows)).id)).toMatchObject({ state: "applied", retired: 2 });
    expect([await there(), await alerts()]).toEqual([KNOWN - 2, []]);
  });

  it("without rows is held, though it is a list like any other", async () => {
    const file = await send([]);
    const { state, failure } = await fileOf(file.id);
    expect([state, failure?.sentence]).toEqual([
      "held",
      expect.stringContaining(`The file has no rows, while ${KNOWN - 2} records are known.`),
    ]);
    expect((await stack.post(`/v1/files/${file.id}/reject`, { body: '{"reason": "empty"}' })).status).toBe(200);
    expect(await there()).toBe(KNOWN - 2);
  });
});
