import { describe, expect, it } from "vitest";
import { SMALL_FILE_ROWS } from "../src/domain/keys.ts";
import { readEnv } from "../src/env.ts";

const queue = { send: async () => undefined };
const bindings = {
  DATABASE_URL: "postgresql://somebody:secret@127.0.0.1:9/nowhere",
  ADDRESS_SECRET: "sixteen-characters-or-more",
  MAIL_DOMAIN: "feeds.mailfeed.example",
  STORE: { put: async () => undefined },
  APPLY: queue,
  APPLY_LARGE: queue,
  ADMISSION: { getByName: () => ({}) },
  PARSE_DLQ: queue,
  APPLY_DLQ: queue,
};

describe("the environment", () => {
  it("knows the password of a feed's archives by the feed's name, and of no other feed", () => {
    const config = readEnv({
      ...bindings,
      ARCHIVE_PASSWORD_ACME_STOCK: "open sesame",
      ARCHIVE_PASSWORD_ACME_DEALS: "",
    });
    expect(config.archivePassword("acme", "stock")).toBe("open sesame");
    expect(config.archivePassword("acme", "deals")).toBeUndefined();
    expect(config.archivePassword("acme", "prices")).toBeUndefined();
  });

  it("can be without mail: people are then told by rows alone", () => {
    expect(readEnv(bindings).mail).toBeUndefined();
    expect(readEnv({ ...bindings, EMAIL: queue }).mail).toBeUndefined();
    const { mail, operatorMail } = readEnv({
      ...bindings,
      EMAIL: queue,
      MAIL_FROM: "mailfeed@mailfeed.example",
      OPERATOR_MAIL: "operator@mailfeed.example",
    });
    expect([mail?.from, operatorMail]).toEqual(["mailfeed@mailfeed.example", "operator@mailfeed.example"]);
  });

  it("sends large files another way than small ones, so that nobody's small file waits behind a large one", () => {
    const large = { send: async () => undefined };
    const { applyQueue } = readEnv({ ...bindings, APPLY_LARGE: large });
    expect(applyQueue(SMALL_FILE_ROWS)).toBe(queue);
    expect(applyQueue(undefined)).toBe(queue);
    expect(applyQueue(SMALL_FILE_ROWS + 1)).toBe(large);
  });

  it("names an address that is none", () => {
    expect(() => readEnv({ ...bindings, OPERATOR_MAIL: "nobody" })).toThrow("OPERATOR_MAIL is not a mail address");
  });

  it.each([
    ["https://mailfeed.example", "https://mailfeed.example"],
    ["https://mailfeed.example/", "https://mailfeed.example"],
    ["http://127.0.0.1:8787", "http://127.0.0.1:8787"],
    ["http://localhost:8787/", "http://localhost:8787"],
  ])("is reached from the web at %s", (given, origin) => {
    expect(readEnv({ ...bindings, PUBLIC_URL: given }).publicUrl).toBe(origin);
  });

  it("need not be reached from the web: mails then offer no links", () => {
    expect(readEnv(bindings).publicUrl).toBeUndefined();
  });

  it.each([
    "mailfeed.example",
    "http://mailfeed.example",
    "javascript:alert(1)",
    "https://eve:secret@mailfeed.example",
    "https://mailfeed.example/app",
    "https://mailfeed.example/?a=b",
  ])("refuses %s as its own address, since links in mails decide", (given) => {
    expect(() => readEnv({ ...bindings, PUBLIC_URL: given })).toThrow("PUBLIC_URL is not https:// and a host");
  });
});
