import { describe, expect, it } from "vitest";
import type { Letter } from "../../src/redrive/deps.ts";
import { wayOf } from "../../src/redrive/way.ts";

const delivery = "a".repeat(32);
const letter: Letter = {
  id: "17",
  stage: "parse",
  state: "open",
  sent: true,
  code: "raw-missing",
  message: {
    v: 2,
    type: "parse-delivery",
    customer: "acme",
    feed: "stock",
    correlationId: delivery,
    rawKey: "raw/x.eml",
    waited: { times: 40, since: "2026-11-19T00:00:00Z" },
  },
  redriveOf: null,
  diedAt: "2026-11-20T12:00:00.000000Z",
  archived: null,
};
const applying: Letter = {
  ...letter,
  stage: "apply",
  code: "internal-error",
  message: { v: 2, type: "apply-file", customer: "acme", feed: "stock", correlationId: delivery, fileId: "9", rows: 5 },
};
const knowsAcme = (customer: string, feed: string | undefined) => customer === "acme" && (feed ?? "stock") === "stock";

describe("the way of a dead letter", () => {
  it("is its message made anew: named as redriven, and what it had waited is not held against it", () => {
    expect(wayOf(letter, knowsAcme)).toEqual({
      kind: "goes",
      rereads: false,
      message: {
        v: 2,
        type: "parse-delivery",
        customer: "acme",
        feed: "stock",
        correlationId: delivery,
        rawKey: "raw/x.eml",
        redriveOf: "17",
      },
    });
  });

  it("of a second life names the first", () => {
    expect(wayOf({ ...letter, redriveOf: "3" }, knowsAcme)).toMatchObject({ message: { redriveOf: "3" } });
  });

  it("of yesterday's message is one of today", () => {
    const message = { ...Object(letter.message), v: 1, deferrals: 2, waited: undefined };
    expect(wayOf({ ...letter, message }, knowsAcme)).toMatchObject({ kind: "goes", message: { v: 2 } });
  });

  it("of a file keeps how many rows it has", () => {
    expect(wayOf(applying, knowsAcme)).toMatchObject({ rereads: false, message: { fileId: "9", rows: 5 } });
  });

  it("of a file whose chunks are gone leads over the archive, addressed to the feed of the delivery", () => {
    const archived = { deliveryId: delivery, feed: "orders", rawKey: "raw/y.eml" };
    const way = wayOf({ ...applying, code: "chunk-missing", archived }, knowsAcme);
    expect(way).toMatchObject({
      kind: "goes",
      rereads: true,
      message: {
        type: "parse-delivery",
        feed: "orders",
        correlationId: delivery,
        rawKey: "raw/y.eml",
        redriveOf: "17",
      },
    });
  });

  it("of a part of a restore whose chunks are gone is none: nobody reads it as a file of the ERP", () => {
    const archived = { deliveryId: delivery, feed: "stock", rawKey: "raw/acme/2026/11/20/y.ndjson" };
    const way = wayOf({ ...applying, code: "chunk-missing", archived }, knowsAcme);
    expect(way).toEqual({ kind: "stays", reason: expect.stringContaining("order the restore again") });
    expect(wayOf({ ...applying, archived }, knowsAcme)).toMatchObject({ kind: "goes", rereads: false });
  });

  it.each<[string, Letter, string]>([
    ["of a version to come", { ...letter, message: { ...Object(letter.message), v: 3 } }, "cannot be read"],
    ["that is a bare text", { ...letter, message: "parse this" }, "cannot be read"],
    ["that is null", { ...letter, message: null }, "cannot be read"],
    ["of another stage", { ...letter, stage: "apply" }, "not one of the apply stage"],
    [
      "of a feed that is gone",
      { ...letter, message: { ...Object(letter.message), feed: "gone" } },
      "The feed acme/gone is not part of this deployment.",
    ],
    [
      "of a customer who is gone",
      { ...applying, message: { ...Object(applying.message), customer: "gone" } },
      "The customer gone is not part of this deployment.",
    ],
  ])("with a message %s is closed, and says why", (_, one, reason) => {
    expect(wayOf(one, knowsAcme)).toEqual({ kind: "stays", reason: expect.stringContaining(reason) });
  });
});
