/** Drift, through everything that is real: a list of all there is comes by mail, is compared, healed, told or left alone. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "../../cli/local/settings.ts";
import { mailOf } from "../../cli/samples/mail.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { jsonOf, mailfeed } from "../cli/run.ts";
import { type Mail, standingRecords, startTestStack, type TestStack, until } from "../support/stack.ts";
import { testFeeds } from "../support/test-feeds.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ testFeeds: true });
});
afterAll(() => stack?.stop());

/** Hours before now at which the first mail was sent; each is an hour younger than the one before. */
const FIRST_HOURS_AGO = 90;
const HOUR_MS = 3_600_000;
let sent = 0;

interface Article {
  readonly key: string;
  readonly amount?: number | string;
  readonly place?: string;
  readonly shelf?: string;
}

/** `A0`, `A1` … */
const articles = (count: number): Article[] => Array.from({ length: count }, (_, i) => ({ key: `A${i}` }));

const csv = (rows: readonly Article[]): string =>
  [
    "Article;Amount;Place;Shelf",
    ...rows.map((a) => `${a.key};${a.amount ?? 1};${a.place ?? "hall"};${a.shelf ?? "s"}`),
    "",
  ].join("\r\n");

function mailFor(feed: string, rows: readonly Article[]): Mail {
  sent++;
  const to = feedAddress(testFeeds.find((one) => one.feed === feed)!, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN);
  const from = "erp@acme.example";
  const raw = mailOf({
    from,
    to,
    subject: `${feed} ${sent}`,
    date: new Date(Date.now() - FIRST_HOURS_AGO * HOUR_MS + sent * HOUR_MS),
    messageId: `<reconcile-${sent}.${process.pid}.${Date.now()}@acme.example>`,
    body: "Automatic export.",
    attachments: [{ name: `${feed}.csv`, contentType: "text/csv", bytes: new TextEncoder().encode(csv(rows)) }],
  });
  return { from, to, raw };
}

/** The states of the files of a delivery, each with its cause. */
async function send(feed: string, rows: readonly Article[]): Promise<string[]> {
  const { files } = await stack.deliver(mailFor(feed, rows));
  return files.map(({ state, failure }) => (failure === null ? state : `${state}: ${failure.code}`));
}

interface Report {
  readonly id: string;
  readonly state: string;
  readonly numbers: Record<string, unknown> | null;
  readonly reasons: string[];
  readonly healing_file_id: string | null;
  readonly decided_by: string | null;
  readonly note: string | null;
  readonly rows: { items: { kind: string; key: string; sentence: string; explanation: { reason: string } | null }[] };
}

const reportsOf = async (feed: string, token?: string) =>
  (await stack.api<{ items: Report[] }>(`/v1/drift?customer=acme&feed=${feed}`, token)).body.items;

/** The latest report of a feed, with its rows. */
async function latest(feed: string): Promise<Report> {
  const [newest] = await reportsOf(feed);
  return (await stack.api<Report>(`/v1/drift/${newest!.id}`)).body;
}

const foundIn = ({ rows }: Report): string[] =>
  rows.items
    .map(({ kind, key, explanation }) => `${kind} ${key}${explanation === null ? "" : `: ${explanation.reason}`}`)
    .sort();

const recordsOf = async (feed: string) =>
  Object.fromEntries(
    (await standingRecords(stack))
      .filter((record) => record.feed === `acme/${feed}` && record.status === "active")
      .map(({ key, data }) => [key, data]),
  );

const expected = (rows: readonly Article[]) =>
  Object.fromEntries(
    rows.map(({ key, amount = 1, place = "hall", shelf = "s" }) => [key, { article: key, amount, place, shelf }]),
  );

/** Behind the back of all files. */
const edit = (feed: string, key: string, change: string) =>
  stack.sql.query(
    `UPDATE records r SET ${change} FROM feeds f WHERE f.id = r.feed_id AND f.slug = $1 AND r.natural_key = $2`,
    [feed, key],
  );
const remove = (feed: string, key: string) =>
  stack.sql.query("DELETE FROM records r USING feeds f WHERE f.id = r.feed_id AND f.slug = $1 AND r.natural_key = $2", [
    feed,
    key,
  ]);

async function theCronRuns(): Promise<void> {
  const query = new URLSearchParams({ cron: "*/10 * * * *", time: String(Date.now()), format: "json" });
  const response = await fetch(`${stack.url}/cdn-cgi/local/scheduled?${query}`);
  expect(response.ok).toBe(true);
  await response.body?.cancel();
}

const post = <T>(path: string, body: unknown = {}) => stack.post<T>(path, { body: JSON.stringify(body) });

describe("a snapshot", () => {
  const all = articles(20);

  it("of what is here as there finds nothing, and is never applied itself", async () => {
    expect(await send("goods", all)).toEqual(["applied"]);
    expect(await send("goods-now", all)).toEqual(["compared"]);
    expect(await latest("goods")).toMatchObject({
      state: "clean",
      numbers: { records: 20, snapshot_rows: 20, drift: 0 },
    });
    expect(await recordsOf("goods-now")).toEqual({});
  });

  it("shows every kind of drift; what is within the limits heals by a file of ours, evented with its cause", async () => {
    await remove("goods", "A1");
    await edit("goods", "A2", `data = jsonb_set(data, '{amount}', '7')`);
    await edit("goods", "A3", `data = jsonb_set(data, '{amount}', '7'), row_hash = gen_random_uuid()`);
    await edit("goods", "A4", `data = jsonb_set(data, '{amount}', '"1"')`);
    await edit("goods", "A5", "status = 'retired'");
    await stack.sql.query(
      `INSERT INTO records (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
       SELECT customer_id, feed_id, 'X1', gen_random_uuid(), '{"article": "X1", "amount": 1}', order_key, 1, file_id
       FROM records r WHERE natural_key = 'A0' AND feed_id = (SELECT id FROM feeds WHERE slug = 'goods')`,
    );
    await edit("goods", "A6", `data = jsonb_set(data, '{shelf}', '"mine"')`);

    expect(await send("goods-now", all)).toEqual(["compared", "applied"]);
    const report = await latest("goods");
    expect(foundIn(report)).toEqual([
      "differs A2",
      "differs A3",
      "differs A4",
      "differs A6: platform-field",
      "missing-here A1",
      "missing-here A5",
      "missing-there X1",
    ]);
    expect(report).toMatchObject({ state: "healed", numbers: { drift: 6, explained: { "platform-field": 1 } } });
    expect(await recordsOf("goods")).toEqual({ ...expected(all), A6: { ...expected(all).A6, shelf: "mine" } });

    const { body: page } = await stack.api<{ items: { id: string }[] }>("/v1/records?customer=acme&feed=goods&key=A2");
    const { body: history } = await stack.api<{ items: { cause: string; file: { id: string } }[] }>(
      `/v1/records/${page.items[0]!.id}/history`,
    );
    expect(history.items[0]).toMatchObject({
      cause: "reconcile",
      kind: "changed",
      file: { id: report.healing_file_id },
    });
    const audited = await stack.sql.query("SELECT action FROM audit_log WHERE subject = $1", [
      `drift report ${report.id}`,
    ]);
    expect(audited).toEqual([{ action: "drift-healed" }]);
  });

  it("a second one finds none", async () => {
    expect(await send("goods-now", all)).toEqual(["compared"]);
    const report = await latest("goods");
    expect(report).toMatchObject({ state: "clean", numbers: { drift: 0, explained: { "platform-field": 1 } } });
  });

  it("above the limits waits: nothing is changed, the operator and the contact are told, an alert stands", async () => {
    for (const key of ["A10", "A11", "A12", "A13", "A14", "A15", "A16"]) await remove("goods", key);
    expect(await send("goods-now", all)).toEqual(["compared"]);
    const report = await latest("goods");
    expect(report).toMatchObject({ state: "waiting", numbers: { drift: 7 }, reasons: ["7 rows, more than 6"] });
    expect(Object.keys(await recordsOf("goods"))).toHaveLength(13);
    const { body } = await stack.api<{ items: { recipient: string; subject: string }[] }>(
      "/v1/notifications?customer=acme&feed=goods",
    );
    expect(body.items.map(({ recipient }) => recipient).sort()).toEqual(["contact", "operator"]);
    const alerts = await stack.api<{ items: { subject: string }[] }>("/v1/alerts?kind=drift-waits");
    expect(alerts.body.items).toMatchObject([{ subject: "acme/goods", severity: "critical" }]);
  });

  it("is released by an operator, healed, and the alert is over", async () => {
    const { id } = await latest("goods");
    const customer = await stack.customerToken("acme");
    expect((await stack.post(`/v1/drift/${id}/release`, { token: customer })).status).toBe(403);
    expect(await post(`/v1/drift/${id}/release`, { note: "asked Acme" })).toMatchObject({ status: 202 });
    await stack.follow(
      (
        await stack.sql.query(
          "SELECT delivery_id FROM files WHERE id = (SELECT file_id FROM drift_reports WHERE id = $1)",
          [id],
        )
      )[0]!.delivery_id as string,
    );
    expect(await latest("goods")).toMatchObject({ state: "healed", note: "asked Acme" });
    expect(Object.keys(await recordsOf("goods"))).toHaveLength(20);
    expect((await stack.api<{ items: unknown[] }>("/v1/alerts?kind=drift-waits")).body.items).toEqual([]);
  });

  it("or rejected: the records stay, and it cannot be released any more", async () => {
    for (const key of ["A10", "A11", "A12", "A13", "A14", "A15", "A16"]) await remove("goods", key);
    await send("goods-now", all);
    const { id } = await latest("goods");
    expect(await post(`/v1/drift/${id}/reject`, { note: "a test system" })).toMatchObject({ status: 202 });
    expect(await post(`/v1/drift/${id}/reject`)).toMatchObject({ status: 202 });
    expect(await post(`/v1/drift/${id}/release`)).toMatchObject({ status: 409, body: { state: "rejected" } });
    expect(Object.keys(await recordsOf("goods"))).toHaveLength(13);
    expect((await stack.api<{ items: unknown[] }>("/v1/alerts?kind=drift-waits")).body.items).toEqual([]);
    expect(await send("goods", articles(20).slice(10, 17))).toEqual(["applied"]);
  });

  it("that nobody decides about is over after a week, and both are told", async () => {
    for (const key of ["A10", "A11", "A12", "A13", "A14", "A15", "A16"]) await remove("goods", key);
    await send("goods-now", all);
    const { id } = await latest("goods");
    await stack.sql.query(
      "UPDATE drift_reports SET compared_at = compared_at - interval '7 days 1 minute' WHERE id = $1",
      [id],
    );
    await theCronRuns();
    expect(await latest("goods")).toMatchObject({ state: "rejected", note: "nobody decided in 7 days" });
    const { body } = await stack.api<{ items: { subject: string }[] }>("/v1/notifications?customer=acme&feed=goods");
    expect(body.items.filter(({ subject }) => subject.includes("nobody decided"))).toHaveLength(2);
    expect(await send("goods", articles(20).slice(10, 17))).toEqual(["applied"]);
  });

  it("that a newer one follows is over: only the newest can be released", async () => {
    for (const key of ["A10", "A11", "A12", "A13", "A14", "A15", "A16"]) await remove("goods", key);
    await send("goods-now", all);
    const { id } = await latest("goods");
    await send("goods-now", all);
    expect((await stack.api<Report>(`/v1/drift/${id}`)).body).toMatchObject({
      state: "rejected",
      decided_by: "mailfeed",
    });
    expect(await latest("goods")).toMatchObject({ state: "waiting" });
    expect(await send("goods", articles(20).slice(10, 17))).toEqual(["applied"]);
  });

  it("does not undo what a newer file has said", async () => {
    const behind = mailFor("goods-now", all);
    await send("goods", [{ key: "A7", amount: 99 }]);
    expect((await stack.deliver(behind)).files.map(({ state }) => state)).toEqual(["compared"]);
    expect(foundIn(await latest("goods"))).toContain("differs A7: newer-file");
    expect((await recordsOf("goods")).A7).toMatchObject({ amount: 99 });
    expect(await send("goods", [{ key: "A7" }])).toEqual(["applied"]);
  });

  it("of another key is held and says why; released it is asked again", async () => {
    const { files } = await stack.deliver(mailFor("goods-odd", [{ key: "A1" }]));
    const { id, failure } = files[0]!;
    expect(failure?.sentence).toBe(
      "The snapshot cannot be compared: the key is place, that of the feed it is compared with article.",
    );
    expect(await post(`/v1/files/${id}/release`)).toMatchObject({ status: 202 });
    await until("held again", async () => {
      const [row] = await stack.sql`SELECT state FROM files WHERE id = ${id} AND state = 'held'`;
      return row;
    });
    expect(await post(`/v1/files/${id}/reject`, { reason: "wrong key" })).toMatchObject({ status: 200 });
  });

  it("is not seen by another customer", async () => {
    await stack.sql.query("INSERT INTO customers (slug, title) VALUES ('other', 'Other')");
    const token = await stack.customerToken("other");
    const [report] = await reportsOf("goods");
    expect((await stack.api(`/v1/drift/${report!.id}`, token)).status).toBe(404);
    expect((await stack.api("/v1/drift?customer=acme", token)).status).toBe(404);
    expect((await stack.api<{ items: unknown[] }>("/v1/drift", token)).body.items).toEqual([]);
  });
});

describe("a mail that was lost", () => {
  it("shows as an older version here, a record too few, and one too many: all as there after the next snapshot", async () => {
    const lost = [
      ...articles(20)
        .slice(1)
        .map((one) => (one.key === "A9" ? { ...one, amount: 12 } : one)),
      { key: "B1" },
    ];
    expect(await send("goods-now", lost)).toEqual(["compared", "applied"]);
    const report = await latest("goods");
    expect(foundIn(report).filter((one) => !one.includes(":"))).toEqual([
      "differs A9",
      "missing-here B1",
      "missing-there A0",
    ]);
    expect(report.rows.items.find(({ key }) => key === "A9")?.sentence).toContain("amount is 1 here and 12 in the ERP");
    expect(Object.keys(await recordsOf("goods")).sort()).toEqual(lost.map(({ key }) => key).sort());
    expect(await send("goods-now", lost)).toEqual(["compared"]);
    expect(await latest("goods")).toMatchObject({ state: "clean" });
    expect(await send("goods-now", articles(20))).toEqual(["compared", "applied"]);
    const history = await stack.sql`SELECT kind FROM changes c JOIN records r ON r.id = c.record_id
      WHERE r.natural_key = 'A0' AND r.feed_id = (SELECT id FROM feeds WHERE slug = 'goods') ORDER BY c.version`;
    expect(history.map(({ kind }) => kind)).toEqual(["inserted", "retired", "restored"]);
  });
});

describe("what explains a difference", () => {
  const all = articles(20);
  const asThere = all.map((one) => (one.key === "A8" ? { ...one, amount: 5 } : one));

  it("is a row of the same key that could not be read, until what it should have said comes", async () => {
    const good = Array.from({ length: 20 }, () => ({ key: "A9" }));
    expect(await send("goods", [{ key: "A8", amount: "many" }, ...good])).toEqual(["applied"]);
    await send("goods-now", asThere);
    expect(await latest("goods")).toMatchObject({ state: "clean", numbers: { explained: { "rejected-row": 1 } } });
    expect(await send("goods", [{ key: "A8" }])).toEqual(["applied"]);
  });

  it("is a file that is held; it is applied, or else the drift heals", async () => {
    expect(
      await send("goods", [
        { key: "A8", amount: 5 },
        { key: "A9", amount: "many" },
      ]),
    ).toEqual(["held: too-many-rejects"]);
    await send("goods-now", asThere);
    expect(await latest("goods")).toMatchObject({ state: "clean", numbers: { explained: { "held-file": 1 } } });
    expect((await recordsOf("goods")).A8).toMatchObject({ amount: 1 });
    await stack.sql`UPDATE files SET state = 'rejected' WHERE state = 'held' AND feed_id = (SELECT id FROM feeds WHERE slug = 'goods')`;
    await stack.sql`UPDATE files SET received_at = received_at - interval '8 days' WHERE rejected > 0`;
    await send("goods-now", asThere);
    expect(await latest("goods")).toMatchObject({ state: "healed" });
    expect((await recordsOf("goods")).A8).toMatchObject({ amount: 5 });
  });
});

describe("a snapshot that does not come", () => {
  const missing = async () =>
    (
      await stack.api<{ items: { subject: string; detail: string }[] }>("/v1/alerts?kind=snapshot-missing")
    ).body.items.map(({ subject, detail }) => [subject, detail]);

  it("is an alert, until one comes", async () => {
    await theCronRuns();
    expect(await missing()).toEqual([]);
    await stack.sql`UPDATE files SET received_at = received_at - interval '49 hours'
      WHERE feed_id = (SELECT id FROM feeds WHERE slug = 'goods-now')`;
    await theCronRuns();
    expect(await missing()).toEqual([["acme/goods-now", expect.stringContaining("one is due every 48 hours")]]);
    expect(await send("goods-now", articles(20))).toContain("compared");
    await theCronRuns();
    expect(await missing()).toEqual([]);
  });
});

describe("mailfeed drift", () => {
  const drift = (...args: readonly string[]) =>
    mailfeed("drift", ...args, "--url", stack.url, "--token", stack.operator);

  it("lists what was compared, shows what differs, and decides", async () => {
    for (const key of ["A10", "A11", "A12", "A13", "A14", "A15", "A16"]) await remove("goods", key);
    await send("goods-now", articles(20));
    const { id } = await latest("goods");
    const listed = await drift("list", "--customer", "acme", "--feed", "goods");
    expect([listed.code, listed.stderr]).toEqual([0, ""]);
    expect(listed.stdout).toMatch(
      new RegExp(`^${id}  \\S+  acme/goods  waiting  7 of 13 records differ from goods-now`, "m"),
    );
    const shown = await drift("show", id);
    expect(shown.stdout).toContain("above the limits: 7 rows, more than 6");
    expect(shown.stdout).toContain("“A10” is in the ERP's list and not here.");
    expect((await drift("release", id, "--note", "asked Acme")).stdout).toContain(`Drift report ${id} is `);
    expect(await drift("reject", id)).toMatchObject({ code: 1 });
    expect(await drift("show", "999999")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no drift report"),
    });
    const [json] = jsonOf<{ items: { id: string }[] }>(await drift("list", "--json"));
    expect(json!.items[0]!.id).toBe(id);
  });

  it.each([[[]], [["odd"]], [["show"]], [["show", "x"]], [["check", "goods"]], [["list", "7"]]])(
    "says how it is called: %j",
    async (args) => {
      expect(await drift(...args)).toMatchObject({ code: 2 });
    },
  );
});

describe("a full feed without a snapshot", () => {
  const all = articles(20);
  const check = () => post<{ drift: { id: string; state: string } }>("/v1/feeds/acme/shelves/reconcile");

  it("cannot be compared before a file of it has come", async () => {
    expect(await send("shelves", all)).toEqual(["applied"]);
    const { status, body } = await post<{ detail: string }>("/v1/feeds/acme/goods/reconcile");
    expect([status, body.detail]).toEqual([422, expect.stringContaining("no full file")]);
  });

  it("is held against its last file, again and again, and healed by it", async () => {
    expect((await check()).body.drift.state).toBe("clean");
    await remove("shelves", "A1");
    await edit("shelves", "A2", `data = jsonb_set(data, '{amount}', '7')`);
    const healing = await check();
    expect(healing.status).toBe(202);
    const [row] = await stack.sql.query(
      "SELECT f.delivery_id FROM drift_reports d JOIN files f ON f.id = d.file_id WHERE d.id = $1",
      [healing.body.drift.id],
    );
    await stack.follow(row!.delivery_id as string);
    expect(await latest("shelves")).toMatchObject({ state: "healed", numbers: { drift: 2 } });
    expect(await recordsOf("shelves")).toEqual(expected(all));
    await remove("shelves", "A3");
    await check();
    await stack.follow(row!.delivery_id as string);
    expect((await check()).body.drift.state).toBe("clean");
    expect(await recordsOf("shelves")).toEqual(expected(all));
    expect((await reportsOf("shelves")).map(({ state }) => state)).toEqual(["clean", "healed", "healed", "clean"]);
  });

  it("is checked from the command line", async () => {
    const door = ["--url", stack.url, "--token", stack.operator];
    const said = await mailfeed("drift", "check", "acme/shelves", ...door);
    expect([said.code, said.stdout]).toEqual([
      0,
      expect.stringMatching(/^Drift report \d+ \(clean\): 0 of 20 records differ from its last full file\n$/),
    ]);
    expect(await mailfeed("drift", "check", "acme/goods", ...door)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no full file of the feed has been applied yet"),
    });
  });

  it("is compared by the cron once a day", async () => {
    await stack.sql.query("UPDATE drift_reports SET created_at = created_at - interval '25 hours'");
    await remove("shelves", "A4");
    await theCronRuns();
    const [report] = await reportsOf("shelves");
    expect(report).toMatchObject({ numbers: { drift: 1 } });
    await theCronRuns();
    expect(await reportsOf("shelves")).toHaveLength(6);
  });
});
