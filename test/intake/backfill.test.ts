/** What would have been known of an old mail or file, had it come to us when it was new. */
import { describe, expect, it } from "vitest";
import { mailOf } from "../../cli/samples/mail.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { backfillFacts, type OldFile } from "../../src/intake/backfill.ts";
import { mailFacts } from "../../src/intake/handler.ts";
import { readHeaders } from "../../src/intake/headers.ts";
import { FEEDS } from "../replay/feeds.ts";

const feed = FEEDS.find(({ customer }) => customer === "alder")!;
const doors = { addressSecret: "a-secret-of-some-length", mailDomain: "feeds.example" };
const NOW = new Date("2026-11-21T10:00:00.000Z");
const MODIFIED = new Date("2026-01-05T12:00:00.000Z");

const mail = (headers: Record<string, string> = {}, date = new Date("2025-03-04T06:00:00Z")): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    mailOf({
      from: "somebody@elsewhere.example",
      to: "x@feeds.example",
      subject: "Stock",
      date,
      messageId: "<1@alder.example>",
      headers,
      attachments: [{ name: "stock-1.csv", contentType: "text/csv", bytes: new TextEncoder().encode("sku\r\n1\r\n") }],
    }),
  );
const received = (raw: Uint8Array, ...lines: string[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.concat([Buffer.from(lines.map((line) => `Received: ${line}\r\n`).join("")), raw]));
const old = (bytes: Uint8Array<ArrayBuffer>, over: Partial<OldFile> = {}): OldFile => ({
  feed,
  name: "old.eml",
  contentType: "application/octet-stream",
  bytes,
  modifiedAt: MODIFIED,
  namedAt: undefined,
  tokenName: "ops",
  ...over,
});
const facts = (one: OldFile) => backfillFacts(one, doors, NOW);

describe("an old mail", () => {
  it("came when the last server on its way says, else when it was sent, else when its file was last changed", () => {
    const hops = received(
      mail(),
      "from mx by us; Tue, 04 Mar 2025 08:15:00 +0200 (EET)",
      "from erp by mx; Tue, 04 Mar 2025 08:14:00 +0200",
    );
    expect(facts(old(hops)).receivedAt).toBe("2025-03-04T06:15:00.000Z");
    expect(facts(old(received(mail(), "from mx by us; some day"))).receivedAt).toBe("2025-03-04T06:00:00.000Z");
    expect(facts(old(mail({}, new Date("2031-01-01T00:00:00Z")))).receivedAt).toBe(MODIFIED.toISOString());
    expect(
      facts(old(mail({}, new Date("1970-01-01T00:00:00Z")), { modifiedAt: new Date("2031-01-01") })).receivedAt,
    ).toBe(NOW.toISOString());
  });

  it("is the delivery that it has been, or would have been, by mail: whatever servers wrote on top of it", () => {
    const envelope = {
      envelopeFrom: "erp@alder.example",
      envelopeTo: feedAddress(feed, doors.addressSecret, doors.mailDomain),
    };
    const raw = mail();
    const byMail = mailFacts(envelope, feed, raw, readHeaders(raw), new Date("2025-03-04T06:15:00Z"));
    expect(facts(old(received(raw, "by us; Tue, 04 Mar 2025 08:15:00 +0200"))).id).toBe(byMail.id);
  });

  it("is vouched for by the operator; a bounce or an absence note stays one", () => {
    expect(facts(old(mail())).verdict).toEqual({ kind: "proven", proof: "operator" });
    expect(facts(old(mail({ "Auto-Submitted": "auto-replied" }))).verdict).toMatchObject({ kind: "automatic" });
    const bounce = new Uint8Array(Buffer.concat([Buffer.from("Return-Path: <>\r\n"), mail()]));
    expect(facts(old(bounce)).verdict).toMatchObject({ kind: "automatic" });
  });
});

describe("an old file", () => {
  const bytes = new Uint8Array(Buffer.from("sku\r\n1\r\n"));
  const file = (over: Partial<OldFile> = {}) => facts(old(bytes, { name: "stock-20250304.csv", ...over }));

  it("came at the time in its name, else when it was last changed, else now", () => {
    expect(file({ namedAt: new Date("2025-03-04T00:00:00Z") }).receivedAt).toBe("2025-03-04T00:00:00.000Z");
    expect(file().receivedAt).toBe(MODIFIED.toISOString());
    expect(file({ namedAt: new Date("2031-01-01"), modifiedAt: new Date(Number.NaN) }).receivedAt).toBe(
      NOW.toISOString(),
    );
  });

  it("is known by name and bytes: whoever copies the folder brings nothing new", () => {
    expect(file({ modifiedAt: NOW }).id).toBe(file().id);
    expect(file({ name: "stock-20250305.csv" }).id).not.toBe(file().id);
    expect(facts(old(new Uint8Array(Buffer.from("sku\r\n2\r\n")), { name: "stock-20250304.csv" })).id).not.toBe(
      file().id,
    );
    expect(file()).toMatchObject({
      door: "upload",
      sender: "ops",
      verdict: { kind: "proven" },
      name: "stock-20250304.csv",
    });
  });
});
