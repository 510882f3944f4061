import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NotSent, type OutgoingMail } from "../../src/domain/notice.ts";
import { automaticSign } from "../../src/intake/automatic.ts";
import { type NotifyDeps, sendWaiting } from "../../src/notify/send.ts";
import { notifyTables } from "../../src/notify/tables.ts";
import { postgres } from "../../src/platform/postgres.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  await database.sql`SELECT register_feed('acme', 'Acme', 'prices', 'Prices', 'full', 'v1')`;
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql`TRUNCATE notifications`;
});

const write = async (key: string, recipient = "operator", address: string | null = null) => {
  await database.sql`INSERT INTO notifications (key, recipient, customer_id, feed_id, subject, body_text, body_html, address)
    SELECT ${key}, ${recipient}, f.customer_id, f.id, ${key}, 'text', '<p>html</p>', ${address} FROM feeds f`;
};
const rows = () => database.sql`SELECT key, state, attempts, sent_to, error FROM notifications ORDER BY id`;
const ignore = () => undefined;
const silent = { info: ignore, warn: ignore, error: ignore };

function deps(change: Partial<NotifyDeps> = {}): NotifyDeps & { readonly outbox: OutgoingMail[] } {
  const outbox: OutgoingMail[] = [];
  return {
    tables: notifyTables(postgres(database.connectionString)),
    addressOf: (recipient) => (recipient === "operator" ? "ops@mailfeed.example" : undefined),
    send: async (mail) => void outbox.push(mail),
    mailDomain: "feeds.mailfeed.example",
    log: silent,
    outbox,
    ...change,
  };
}

describe("mails that wait", () => {
  it("go out once, marked as a machine's, however many send at the same time", async () => {
    await write("a");
    await write("b");
    const all = deps();
    await Promise.all([sendWaiting(all), sendWaiting(all), sendWaiting(all)]);
    await sendWaiting(all);
    expect(all.outbox.map(({ to, subject }) => [to, subject]).sort()).toEqual([
      ["ops@mailfeed.example", "a"],
      ["ops@mailfeed.example", "b"],
    ]);
    expect(all.outbox[0]!.headers["Auto-Submitted"]).toBe("auto-generated");
    expect(await rows()).toMatchObject([
      { key: "a", state: "sent", sent_to: "ops@mailfeed.example", error: null },
      { key: "b", state: "sent" },
    ]);
  });

  it("stay and say why where nothing can be sent, and where nobody's address is known", async () => {
    await write("a");
    expect(await sendWaiting(deps({ send: undefined }))).toBe(0);
    expect(await rows()).toMatchObject([{ state: "waiting", error: "sending mail is not set up" }]);
    await write("b", "contact");
    await sendWaiting(deps());
    expect(await rows()).toContainEqual(
      expect.objectContaining({ key: "b", state: "waiting", error: "no address of the contact is known" }),
    );
  });

  it("go to who has the role for their feed, and those that answer somebody to his address, whoever has the role", async () => {
    await write("to the contact", "contact");
    await write("an answer", "contact", "erp@acme.example");
    const asked: string[] = [];
    const all = deps({
      addressOf(recipient, customer, feed) {
        asked.push(`${recipient} of ${customer}/${feed}`);
        return "stock@acme.example";
      },
    });
    expect(await sendWaiting(all)).toBe(2);
    expect(all.outbox.map(({ to, subject }) => [to, subject]).sort()).toEqual([
      ["erp@acme.example", "an answer"],
      ["stock@acme.example", "to the contact"],
    ]);
    expect(asked).toEqual(["contact of acme/prices"]);
    const marks = all.outbox.map(({ subject, headers }) => [subject, headers["Auto-Submitted"]]).sort();
    expect(marks).toEqual([
      ["an answer", "auto-replied"],
      ["to the contact", "auto-generated"],
    ]);
    for (const { headers } of all.outbox) {
      expect(
        automaticSign(
          "bounces@mailfeed.example",
          Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
        ),
      ).toBe("it is a mail of our own");
    }
    expect(await rows()).toContainEqual(expect.objectContaining({ key: "an answer", sent_to: "erp@acme.example" }));
  });

  it("are tried again after trouble that passes, and given up after trouble that does not", async () => {
    await write("a");
    const failing = (permanent: boolean) => async () => {
      throw new NotSent("E_RATE_LIMIT_EXCEEDED: slow down", permanent);
    };
    await sendWaiting(deps({ send: failing(false) }));
    expect(await rows()).toMatchObject([{ state: "waiting", attempts: 1, error: "E_RATE_LIMIT_EXCEEDED: slow down" }]);
    expect(await sendWaiting(deps()), "somebody has just tried it").toBe(0);
    await database.sql`UPDATE notifications SET claimed_at = now() - interval '11 minutes'`;
    await sendWaiting(deps({ send: failing(true) }));
    expect(await rows()).toMatchObject([{ state: "failed", attempts: 2 }]);
  });
});
