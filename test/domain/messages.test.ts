import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  applyFileMessage,
  MESSAGE_VERSION,
  parseDeliveryMessage,
  putOff,
  readMessage,
  type StageMessage,
} from "../../src/domain/messages.ts";

const folder = join(import.meta.dirname, "../golden/messages");
const golden = (version: number) =>
  globSync(`v${version}/*.json`, { cwd: folder })
    .sort()
    .map((path): [string, Record<string, unknown>] => [
      basename(path, ".json"),
      JSON.parse(readFileSync(join(folder, path), "utf8")),
    ]);

const now = new Date("2026-11-20T08:00:00.000Z");
const correlationId = "0123456789abcdef0123456789abcdef";
const names = { customer: "acme", feed: "inventory", correlationId };
const toParse = { ...names, rawKey: `raw/acme/2026/11/20/${correlationId}.eml` };
const toApply = { ...names, fileId: "7" };

/** Put off three times, the first time two hours ago. */
const threeTimes = <M extends StageMessage>(message: M): M =>
  ["06:00", "07:00", "07:30"].reduce((late, time) => putOff(late, new Date(`2026-11-20T${time}:00.000Z`)), message);

/** What producers make today, by the name of its golden file. */
const made: Record<string, StageMessage> = {
  "apply-file": applyFileMessage(toApply),
  "apply-file-redriven": applyFileMessage({ ...toApply, rows: 300_000, redriveOf: "42" }),
  "apply-file-replayed": applyFileMessage({ ...toApply, rows: 300_000, replay: "3" }),
  "apply-file-waited": threeTimes(applyFileMessage({ ...toApply, rows: 300_000, redriveOf: "42" })),
  "apply-file-with-rows": applyFileMessage({ ...toApply, rows: 300_000 }),
  "parse-delivery": parseDeliveryMessage(toParse),
  "parse-delivery-redriven": parseDeliveryMessage({ ...toParse, redriveOf: "42" }),
  "parse-delivery-replayed": parseDeliveryMessage({ ...toParse, replay: "3" }),
  "parse-delivery-waited": threeTimes(parseDeliveryMessage(toParse)),
};

describe("the messages that producers make", () => {
  it("have the shape of the golden files: a change of it is a new version, and the old one stays readable", () => {
    expect(Object.fromEntries(golden(MESSAGE_VERSION))).toEqual(made);
  });

  it.each(Object.entries(made))("%s is read unchanged, also after the way through JSON", (_, message) => {
    expect(readMessage(JSON.parse(JSON.stringify(message)), now)).toEqual(message);
  });

  it("carry no field that is not theirs, whatever a producer's row brought along", () => {
    const row = { ...toApply, state: "parsed", customerId: 3, waited: { times: 1, since: now.toISOString() } };
    expect(applyFileMessage(row)).toEqual(made["apply-file"]);
  });
});

describe("a message of version 1", () => {
  it.each([
    ["parse-delivery", parseDeliveryMessage(toParse)],
    ["apply-file", applyFileMessage(toApply)],
  ])("%s is read as the one of today", (name, today) => {
    expect(readMessage(Object.fromEntries(golden(1))[name], now)).toEqual(today);
  });

  it.each([
    ["parse-delivery-deferred", { ...parseDeliveryMessage(toParse), waited: { times: 3, since: now.toISOString() } }],
    ["apply-file-deferred", { ...applyFileMessage(toApply), waited: { times: 1, since: now.toISOString() } }],
  ])("%s keeps how often it waited, and waits from now on, since it does not say since when", (name, today) => {
    expect(readMessage(Object.fromEntries(golden(1))[name], now)).toEqual(today);
  });

  it("that was put off no time at all has not waited", () => {
    const message = { v: 1, type: "apply-file", ...toApply, deferrals: 0 };
    expect(readMessage(message, now)).toEqual(applyFileMessage(toApply));
  });
});

describe("a message that is put off again", () => {
  it("counts on and remembers the first time", () => {
    const again = putOff(threeTimes(applyFileMessage(toApply)), now);
    expect(again.waited).toEqual({ times: 4, since: "2026-11-20T06:00:00.000Z" });
  });
});

describe("a message that cannot be read", () => {
  const message = { v: 2, type: "parse-delivery", ...toParse };
  it.each<[string, unknown, RegExp]>([
    ["of a version to come", { ...message, v: 3 }, /expected 2/],
    ["of a version as text", { ...message, v: "2" }, /expected 2/],
    ["of version 0", { ...message, v: 0 }, /expected 2/],
    ["without a version", { ...message, v: undefined }, /expected 2/],
    ["of an unknown type", { ...message, type: "dance" }, /type/],
    ["of version 1 and an unknown type", { ...message, v: 1, type: "dance" }, /type/],
    ["without a correlation id", { ...message, correlationId: undefined }, /correlationId/],
    ["with a customer that is no name", { ...message, customer: "../x" }, /customer/],
    ["with waits that are no number", { ...message, waited: { times: "3", since: now.toISOString() } }, /waited.times/],
    ["that waits since no time", { ...message, waited: { times: 3, since: "yesterday" } }, /waited.since/],
    ["of version 1 with fewer than no waits", { ...message, v: 1, deferrals: -1 }, /deferrals/],
    ["with a dead letter that is no id", { ...message, redriveOf: "0; DROP" }, /redriveOf/],
    ["with a replay that is no id", { ...message, replay: "all" }, /replay/],
    ["with half a row", { v: 2, type: "apply-file", ...toApply, rows: 1.5 }, /rows/],
    ["that is a text", "hello", /object/],
    ["that is a list", [message], /expected 2|object/],
    ["that is null", null, /object/],
    ["that is nothing", undefined, /object/],
  ])("%s is parked with what is wrong with it, not dropped", (_, body, said) => {
    expect(() => readMessage(body, now)).toThrow(
      expect.objectContaining({
        code: "message-unreadable",
        disposition: "park",
        message: expect.stringMatching(said),
      }),
    );
  });
});
