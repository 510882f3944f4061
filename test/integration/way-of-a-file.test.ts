/** The way of a file, from the mail to the records and their history, through everything that is real. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeliveryStatus, FileStatus } from "../../cli/local/mailroom.ts";
import { generateSamples, type Sample } from "../../cli/samples/generate.ts";
import {
  forgetEverything,
  longAgo,
  type Mail,
  mailOfSample,
  standingRecords,
  startTestStack,
  type TestStack,
  until,
  written,
} from "../support/stack.ts";

/** At half of this the six bad rows of the inventory would be more than its feed allows. */
const SCALE = 0.05;
/** Three editions, four hours apart, all of them in the past. */
const FIRST_EXPORT = new Date(Date.now() - 12 * 3_600_000);

const editions = [1, 2, 3].map((edition) => generateSamples({ scale: SCALE, now: FIRST_EXPORT, edition }));
const [first, second, third] = editions as [Sample[], Sample[], Sample[]];
const named = ({ customer, feed }: { customer: string; feed: string }) => `${customer}/${feed}`;

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
afterAll(() => stack?.stop());

/** One file each, in an end state. */
async function deliverAll(samples: readonly Sample[], round = 1): Promise<{ sample: Sample; file: FileStatus }[]> {
  return Promise.all(
    samples.map(async (sample) => {
      const { files } = await stack.deliver(mailOfSample(sample, round));
      expect(files, named(sample)).toHaveLength(1);
      return { sample, file: files[0]! };
    }),
  );
}

const noChange = { inserted: 0, changed: 0, stale: 0, superseded: 0 };

interface Page<T> {
  readonly items: T[];
  readonly next: string | null;
}

interface Version {
  readonly version: number;
  readonly kind: string;
  readonly changed_fields: string[];
  readonly before: Record<string, unknown> | null;
  readonly after: Record<string, unknown> | null;
  readonly file: { readonly id: string; readonly path: string; readonly line: number };
  readonly delivery: { readonly id: string; readonly subject: string; readonly sender: string };
}

describe("five feeds by mail", () => {
  let recordsOfSecond: Awaited<ReturnType<typeof standingRecords>>;

  it("the first edition lands whole, and its books are those of the file", async () => {
    for (const { sample, file } of await deliverAll(first)) {
      const { preamble, header, continuation } = sample.lines;
      const lines = {
        header,
        preamble,
        footer: 0,
        blank: 0,
        continuation,
        accepted: sample.rows,
        rejected: sample.rejects,
      };
      const total = Object.values(lines).reduce((sum, n) => sum + n, 0);
      expect({ feed: named(sample), state: file.state, failure: file.failure, books: file.books }).toEqual({
        feed: named(sample),
        state: "applied",
        failure: null,
        books: {
          lines: { total, ...lines },
          records: { ...noChange, accepted: sample.rows, inserted: sample.rows, unchanged: 0 },
          balanced: true,
        },
      });
    }
    const rows = first.reduce((sum, sample) => sum + sample.rows, 0);
    expect(await standingRecords(stack)).toHaveLength(rows);
    expect(await written(stack)).toEqual({ versions: rows, events: rows });
  });

  it("every row that could not land is told with its line, its column and its value", async () => {
    const inventory = first.find((sample) => sample.feed === "inventory")!;
    const page = await stack.api<Page<{ id: string }>>("/v1/files?customer=acme&feed=inventory");
    const { body } = await stack.api<Page<Record<string, unknown>>>(`/v1/files/${page.body.items[0]!.id}/rejects`);
    expect(body.items).toMatchObject(
      inventory.rejected.map(({ line, column, value }) =>
        column === null ? { line, column } : { line, column, value },
      ),
    );
    expect(inventory.rejected.length).toBeGreaterThan(0);
    for (const reject of body.items) {
      expect(reject).toMatchObject({
        code: expect.any(String),
        sentence: expect.any(String),
        hint: expect.any(String),
      });
    }
  });

  it("and can be had as the file itself, its bad rows alone, each with its reasons", async () => {
    const inventory = first.find((sample) => sample.feed === "inventory")!;
    const page = await stack.api<Page<{ id: string }>>("/v1/files?customer=acme&feed=inventory");
    const response = await fetch(`${stack.url}/v1/files/${page.body.items[0]!.id}/rejects.csv`, {
      headers: { Authorization: `Bearer ${stack.operator}` },
    });
    expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "text/csv; charset=utf-8"]);
    const [header, ...rows] = (await response.text()).trimEnd().split("\r\n");
    expect(header).toMatch(/^SKU,.*,error code,error$/);
    expect(rows).toHaveLength(new Set(inventory.rejected.map(({ line }) => line)).size);
  });

  it("the second edition inserts and changes exactly what differs", async () => {
    const before = await written(stack);
    let news = 0;
    for (const { sample, file } of await deliverAll(second)) {
      const { rows, inserted, changed } = sample;
      expect({ feed: named(sample), state: file.state, records: file.books.records }).toEqual({
        feed: named(sample),
        state: "applied",
        records: { ...noChange, accepted: rows, inserted, changed, unchanged: rows - inserted - changed },
      });
      expect(changed, named(sample)).toBeGreaterThan(0);
      news += inserted + changed;
    }
    const after = await written(stack);
    expect({ versions: after.versions - before.versions, events: after.events - before.events }).toEqual({
      versions: news,
      events: news,
    });
    recordsOfSecond = await standingRecords(stack);
  });

  it("the very same mails again are the same deliveries and change nothing", async () => {
    const before = await written(stack);
    await Promise.all(
      [...first, ...second].map(async (sample) => {
        const again = await stack.mailIn(mailOfSample(sample));
        if (!again.accepted) throw new Error(again.reason);
        await until(`the second coming of ${named(sample)}`, async () => {
          const { body } = await stack.api<{ attempts: number }>(`/v1/deliveries/${again.deliveryId}`);
          return body.attempts >= 2 || undefined;
        });
      }),
    );
    expect(await written(stack)).toEqual(before);
    expect(await standingRecords(stack)).toEqual(recordsOfSecond);
    const { body } = await stack.api<Page<unknown>>("/v1/deliveries?limit=200");
    expect(body.items).toHaveLength(10);
  });

  it("the same files in new mails are new deliveries, and unchanged to the last row", async () => {
    await longAgo(stack.sql);
    const before = await written(stack);
    for (const { sample, file } of await deliverAll(second, 2)) {
      expect({ feed: named(sample), state: file.state, records: file.books.records }).toEqual({
        feed: named(sample),
        state: "applied",
        records: { ...noChange, accepted: sample.rows, unchanged: sample.rows },
      });
    }
    expect(await written(stack)).toEqual(before);
    expect(await standingRecords(stack)).toEqual(recordsOfSecond);
  });

  it("and once more, so soon behind, are duplicates that nobody has to look at", async () => {
    const before = await written(stack);
    for (const { sample, file } of await deliverAll(second, 3)) {
      const { body } = await stack.api<{ path: string; content_sha256: string }>(`/v1/files/${file.duplicate_of}`);
      expect({ feed: named(sample), state: file.state, failure: file.failure, of: body.path }).toEqual({
        feed: named(sample),
        state: "duplicate",
        failure: null,
        of: file.path,
      });
    }
    expect(await written(stack)).toEqual(before);
  });

  it.each(first.map((sample) => [named(sample)]))(
    "the history of a changed record of %s names file, line and mail of each version",
    async (name) => {
      const [was, is] = [first, second].map((samples) => samples.find((sample) => named(sample) === name)!);
      const [row] = await stack.sql`
        SELECT r.natural_key AS key FROM records r JOIN feeds f ON f.id = r.feed_id JOIN customers c ON c.id = r.customer_id
        WHERE c.slug || '/' || f.slug = ${name} AND r.version = 2 ORDER BY r.natural_key LIMIT 1`;
      const key = String(row!.key);
      const query = new URLSearchParams({ customer: was!.customer, feed: was!.feed, key });
      const found = await stack.api<Page<{ id: string; version: number; data: Record<string, unknown> }>>(
        `/v1/records?${query}`,
      );
      const record = found.body.items[0]!;
      expect(found.body.items).toHaveLength(1);
      expect(record.version).toBe(2);

      const { body } = await stack.api<Page<Version>>(`/v1/records/${record.id}/history`);
      const [changed, inserted] = body.items;
      expect(body.items).toHaveLength(2);
      expect(inserted).toMatchObject({ version: 1, kind: "inserted", before: null });
      expect(changed).toMatchObject({ version: 2, kind: "changed", before: inserted!.after, after: record.data });
      expect(changed!.changed_fields).toEqual(
        Object.keys(record.data)
          .filter((field) => record.data[field] !== inserted!.after![field])
          .sort(),
      );
      expect(changed!.changed_fields).not.toEqual([]);
      for (const [version, sample] of [
        [inserted!, was!],
        [changed!, is!],
      ] as const) {
        expect(version.delivery.subject).toContain(sample.fileName);
        expect(version.delivery.subject).toContain(sample.asOf.toISOString().slice(0, 16).replace("T", " "));
        expect(version.delivery.sender).toBe(`erp@${sample.customer}.example`);
        expect(version.file.path.startsWith(sample.fileName)).toBe(true);
        expect(version.file.line).toBeGreaterThan(sample.lines.header + sample.lines.preamble);
      }
      expect(changed!.file.id).not.toBe(inserted!.file.id);
    },
  );

  it("the line that a history names is the line of the file", async () => {
    const sample = second.find(({ feed }) => feed === "address")!;
    const lines = new TextDecoder("windows-1252").decode(sample.bytes).split("\n");
    const rows = await stack.sql`
      SELECT r.natural_key AS key, r.line FROM records r JOIN feeds f ON f.id = r.feed_id
      WHERE f.slug = 'address' AND r.version = 2`;
    expect(rows).toHaveLength(sample.changed);
    for (const { key, line } of rows) expect(lines[Number(line) - 1]!.split("\t")[0]).toBe(key);
  });

  it("a customer sees nothing of another: neither records nor deliveries nor files", async () => {
    const [acme, kontor] = await Promise.all([stack.customerToken("acme"), stack.customerToken("kontor")]);
    const own = await stack.api<Page<{ id: string }>>("/v1/records?customer=acme&feed=inventory", acme);
    const delivery = await stack.api<Page<{ id: string; files: { id: string }[] }>>("/v1/deliveries?customer=acme");
    const { body: whole } = await stack.api<DeliveryStatus>(`/v1/deliveries/${delivery.body.items[0]!.id}`);
    const paths = [
      "/v1/records?customer=acme&feed=inventory",
      `/v1/records/${own.body.items[0]!.id}`,
      `/v1/records/${own.body.items[0]!.id}/history`,
      `/v1/deliveries/${whole.id}`,
      `/v1/files/${whole.files[0]!.id}`,
      `/v1/files/${whole.files[0]!.id}/rejects`,
    ];
    for (const path of paths) {
      expect([path, (await stack.api(path, acme)).status]).toEqual([path, 200]);
      expect([path, (await stack.api(path, kontor)).status]).toEqual([path, 404]);
    }
    const { body: seen } = await stack.api<Page<{ customer: string }>>("/v1/deliveries?limit=200", kontor);
    expect(new Set(seen.items.map(({ customer }) => customer))).toEqual(new Set(["kontor"]));
    const upload = await stack.post("/v1/feeds/acme/inventory/files?name=x.csv", { token: kontor, body: "SKU\r\n" });
    expect(upload.status).toBe(404);
  });

  it("the archive holds every mail byte for byte", async () => {
    for (const sample of first) {
      const mail = mailOfSample(sample);
      const [row] = await stack.sql`
        SELECT d.raw_key AS key, d.raw_bytes::int AS bytes FROM deliveries d
        WHERE d.message_id LIKE ${`%.${sample.asOf.getTime()}.1@${sample.customer}.example>`} AND d.subject LIKE ${`${sample.fileName}%`}`;
      const kept = await stack.object(String(row!.key));
      expect(row!.bytes).toBe(mail.raw.length);
      expect(Buffer.compare(kept!, mail.raw), named(sample)).toBe(0);
    }
  });
});

describe("the same editions on other ways", () => {
  const inOrder = async () => {
    await forgetEverything(stack);
    for (const edition of editions) await deliverAll(edition);
    return standingRecords(stack);
  };
  let expected: Awaited<ReturnType<typeof inOrder>>;
  beforeAll(async () => {
    expected = await inOrder();
  });

  it.each([
    ["3, 1, 2", [third, first, second]],
    ["2, 3, 1", [second, third, first]],
  ])("editions that come in the order %s leave the same records", async (_, order) => {
    await forgetEverything(stack);
    for (const edition of order) {
      for (const { file } of await deliverAll(edition)) expect(file.state).toBe("applied");
    }
    expect(await standingRecords(stack)).toEqual(expected);
  });

  it("a late file of a delta feed adds what nobody has said and takes nothing back", async () => {
    const [early, late] = [3, 1].map((edition) =>
      generateSamples({ scale: SCALE, now: FIRST_EXPORT, edition, changedShare: 1 }).find(
        ({ feed }) => feed === "buchungen",
      ),
    );
    const rowsOf = (sample: Sample) => Buffer.from(sample.bytes).toString("latin1").split("\r\n");
    const topRows = 7;
    const part = Buffer.from(
      `${rowsOf(early!)
        .slice(0, 2 + topRows)
        .join("\r\n")}\r\n`,
      "latin1",
    );
    await forgetEverything(stack);
    await stack.deliver(mailOfSample({ ...early!, bytes: new Uint8Array(part) }));
    const { files } = await stack.deliver(mailOfSample(late!));
    expect(files[0]!.books.records).toMatchObject({
      accepted: late!.rows,
      inserted: late!.rows - topRows,
      stale: topRows,
      changed: 0,
    });
    const amounts = async () =>
      (await stack.sql`SELECT (data->>'line_no')::int AS line, data->>'amount' AS amount FROM records ORDER BY 1`).map(
        (row) => Number(row.amount),
      );
    const written = (sample: Sample) =>
      rowsOf(sample)
        .slice(2, -1)
        .map((row) => Number(row.split(";", 1)[0]!.replace(",", ".")));
    expect(await amounts()).toEqual([...written(early!).slice(0, topRows), ...written(late!).slice(topRows)]);
  });

  it("uploads, as a body and as a form, leave the same records as mails", async () => {
    await forgetEverything(stack);
    const upload = async (sample: Sample, init: RequestInit) => {
      const path = `/v1/feeds/${named(sample)}/files?name=${encodeURIComponent(sample.fileName)}`;
      const token = await stack.customerToken(sample.customer);
      const { status, body } = await stack.post<{ delivery: { id: string } }>(path, { ...init, token });
      expect(status).toBe(202);
      const delivery = await stack.follow(body.delivery.id);
      return { delivery, file: delivery.files[0]! };
    };
    const asForm = (sample: Sample) => {
      const form = new FormData();
      form.set("file", new File([sample.bytes], sample.fileName, { type: sample.contentType }));
      return { body: form };
    };
    await Promise.all(
      third.map(async (sample, i) => {
        await upload(first[i]!, { body: first[i]!.bytes });
        await upload(second[i]!, asForm(second[i]!));
        const { file } = await upload(sample, { body: sample.bytes });
        expect(file.books.records).toMatchObject({ inserted: sample.inserted, changed: sample.changed });
        const again = await upload(sample, asForm(sample));
        expect([file.state, again.file.state, again.file.duplicate_of]).toEqual(["applied", "duplicate", file.id]);
        const [row] = await stack.sql`SELECT raw_key FROM deliveries WHERE id = ${again.delivery.id}`;
        expect(Buffer.compare((await stack.object(String(row!.raw_key)))!, sample.bytes)).toBe(0);
      }),
    );
    expect(await standingRecords(stack)).toEqual(expected);
  });

  it("three mails of one feed at once end as they would one after the other", async () => {
    await forgetEverything(stack);
    const mails: Mail[] = editions.map((samples) => mailOfSample(samples.find(({ feed }) => feed === "inventory")!));
    const ends = await Promise.all(mails.map((mail) => stack.deliver(mail)));
    expect(ends.flatMap(({ files }) => files.map(({ state }) => state))).toEqual(["applied", "applied", "applied"]);
    expect(await standingRecords(stack)).toEqual(expected.filter(({ feed }) => feed === "acme/inventory"));
  });
});
