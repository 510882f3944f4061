/** The links of hold mails: opening one shows, its button decides, once; and everything that is wrong with one. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type HoldAction, type HoldLink, signLink } from "../../src/gate/link.ts";
import { force } from "../support/force-state.ts";
import { type Answer, type Api, LINK_SECRET, NOW, startApi } from "./harness.ts";
import { seedBehind, seedHold } from "./seed.ts";

const EXPIRES_MS = Date.parse("2026-11-27T06:00:00.000Z");

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});

let fileId: string;
let nonce: string;
beforeEach(async () => {
  await api.database.sql.query("TRUNCATE holds, audit_log");
  await api.database.sql.query("UPDATE feeds SET gate_widening = '{}'");
  await force(api.database.sql, "UPDATE files SET state = 'rejected' WHERE state = 'held'", []);
  ({ fileId, nonce } = await seedHold(api.database, api.world.alpha));
  api.messages.length = 0;
  api.logLines.length = 0;
});

const tokenOf = (action: HoldAction, change: Partial<HoldLink> = {}) =>
  signLink({ fileId, nonce, action, recipient: "operator", expiresMs: EXPIRES_MS, ...change }, LINK_SECRET);
const show = (token: string, on = api) => on.get(`/hold/${token}`);
const press = (token: string, init: RequestInit = {}, on = api) =>
  on.send(`/hold/${token}`, { method: "POST", ...init });
/** What a person reads. */
const words = ({ text }: Answer) =>
  text
    .replace(/<head>[\s\S]*<\/head>|<[^>]+>/g, " ")
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .replace(/\s+/g, " ");
const now = async () =>
  (
    await api.database.sql.query(
      `SELECT x.state, x.failure->>'code' AS code, x.released_by AS "releasedBy", f.gate_widening AS widening,
         (SELECT count(*)::int FROM audit_log a WHERE a.subject = 'file ' || x.id) AS audited
       FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = $1`,
      [fileId],
    )
  )[0];
const untouched = { state: "held", code: "blast-radius", releasedBy: null, widening: {}, audited: 0 };

describe("opening a link", () => {
  it.each([
    ["release", "Apply this file?", "The limits of the feed stay as they are."],
    ["widen", "Apply this file and widen the limits?", "Up to 58 % of the records may be taken off."],
    ["reject", "Reject this file?", "Nothing of the file is applied, now or later."],
  ] as const)(
    "of %s shows what happened, what would happen, the rows and one button, and changes nothing",
    async (action, title, does) => {
      await seedBehind(api.database, api.world.alpha, fileId);
      const page = await show(tokenOf(action));
      expect(page.status).toBe(200);
      const read = words(page);
      for (const said of [
        title,
        does,
        "alpha Ltd, alpha stock",
        "5,764 of 12,412 records (46 %)",
        "A-1",
        "stock: 888",
        "Opening this page has changed nothing.",
        "2026-11-27 06:00 UTC",
        "The newer file that waits behind it goes on.",
      ]) {
        expect(read).toContain(said);
      }
      expect(page.text.match(/<button/g)).toHaveLength(1);
      expect(page.text).toContain('<form method="post"');
      expect(await now()).toEqual(untouched);
      expect(api.messages).toEqual([]);
    },
  );

  it("of a contact is in words for who has never seen the system", async () => {
    const read = words(await show(tokenOf("reject", { recipient: "contact" })));
    for (const said of [
      "Throw this file away?",
      "Your file for “alpha stock” has arrived",
      "Your data stays as it was".toLowerCase(),
      "Is the file right? Then do not press the button.",
      `file ${fileId} is right`,
    ]) {
      expect(read.toLowerCase()).toContain(said.toLowerCase());
    }
    expect(read).not.toMatch(/operator|feed|retired|plan|gate/);
  });

  it("with HEAD, by a scanner, a hundred times, decides nothing", async () => {
    const token = tokenOf("release");
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => api.send(`/hold/${token}`, { method: i % 2 === 0 ? "HEAD" : "GET" })),
    );
    expect(await now()).toEqual(untouched);
  });

  it("holds no token, no nonce and nothing that is loaded or run, and is not to be kept, framed or found", async () => {
    const token = tokenOf("release");
    const { headers, text } = await show(token);
    expect(text).not.toContain(token);
    expect(text).not.toContain(nonce);
    expect(text).not.toMatch(/<script|<img|<link|src=|href=|javascript:/i);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy":
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
      "x-robots-tag": "noindex, nofollow, noarchive",
      "x-content-type-options": "nosniff",
    });
    expect(api.logLines.join("\n")).not.toContain(nonce);
    expect(api.logLines.join("\n")).toContain("/hold/:token");
  });

  it("escapes what stands in the file, in its name and in what it says", async () => {
    await force(api.database.sql, "UPDATE files SET path = $2 WHERE id = $1", [
      fileId,
      `"><script>alert(1)</script>.csv`,
    ]);
    await api.database.sql.query("UPDATE holds SET telling = $1", [
      JSON.stringify([{ kind: "retired", key: "<b>A</b>", field: "x", before: "</table><form action=//evil>" }]),
    ]);
    const { text } = await show(tokenOf("reject"));
    expect(text).not.toMatch(/<script|<b>A|<form action/);
    expect(text).toContain("&lt;script&gt;");
  });
});

describe("pressing the button", () => {
  it.each([
    [
      "release",
      "The file is being applied",
      { state: "parsed", code: null, releasedBy: "operator (mail link)", widening: {} },
    ],
    [
      "widen",
      "Files like it pass from now on.",
      { state: "parsed", code: null, widening: { retired: { share: 0.58, minRecords: 10 } } },
    ],
    [
      "reject",
      "The file is rejected",
      { state: "rejected", code: "refused-by-operator", releasedBy: null, widening: {} },
    ],
  ] as const)("of %s decides, and says what is the case now", async (action, said, after) => {
    const behind = await seedBehind(api.database, api.world.alpha, fileId);
    const page = await press(tokenOf(action));
    expect(page.status).toBe(200);
    expect(words(page)).toContain(said);
    expect(await now()).toMatchObject({ ...after, audited: 1 });
    const woken = api.messages.map((message) => ("fileId" in message ? message.fileId : ""));
    expect(woken).toEqual(action === "reject" ? [behind] : [fileId, behind]);
  });

  it("of a contact throws the file away, and says who it was", async () => {
    const page = await press(tokenOf("reject", { recipient: "contact" }));
    expect(words(page)).toContain("The file is thrown away");
    expect(words(page)).toContain("correct the export and send the file again as usual");
    expect(await now()).toMatchObject({ state: "rejected", code: "refused-by-contact" });
    const [line] = await api.database.sql.query("SELECT actor, action FROM audit_log");
    expect(line).toEqual({ actor: "contact (mail link)", action: "reject" });
  });

  it("twice decides once, and the second time says the same", async () => {
    const token = tokenOf("release");
    const pages = [await press(token), await press(token), await show(token)];
    expect(pages.map(({ status }) => status)).toEqual([200, 200, 200]);
    for (const page of pages) {
      expect(words(page)).toContain("The file is being applied");
      expect(words(page)).not.toContain("changed nothing");
    }
    expect(await now()).toMatchObject({ audited: 1 });
  });

  it("after another decision changes nothing, and says what was decided, when and by whom", async () => {
    await press(tokenOf("reject", { recipient: "contact" }));
    const page = await press(tokenOf("release"));
    expect(page.status).toBe(409);
    expect(words(page)).toMatch(
      /The file is rejected .* changed nothing: what was decided first counts. .* by the contact, through the link in the mail/,
    );
    expect(await now()).toMatchObject({ state: "rejected", audited: 1 });
    expect((await show(tokenOf("release"))).text).not.toContain("<button");
  });

  it("does not tell a contact which of us has decided", async () => {
    const path = `/v1/files/${fileId}/release`;
    await api.send(path, { method: "POST" }, api.world.operator);
    const page = await press(tokenOf("reject", { recipient: "contact" }));
    expect(page.status).toBe(409);
    expect(words(page)).toContain("by the people who receive your data");
    expect(words(page)).not.toContain("ops");
    await force(
      api.database.sql,
      "UPDATE files SET state = 'applied', inserted = 4, changed = 2, unchanged = 2, stale = 1, superseded = 0, applied_at = now() WHERE id = $1",
      [fileId],
    );
    expect(words(await show(tokenOf("reject", { recipient: "contact" })))).toContain("The file is loaded");
  });

  it("by two hundred at once decides once", async () => {
    const tokens = [
      tokenOf("release"),
      tokenOf("widen"),
      tokenOf("reject"),
      tokenOf("reject", { recipient: "contact" }),
    ];
    const pages = await Promise.all(Array.from({ length: 200 }, (_, i) => press(tokens[i % 4]!)));
    expect(pages.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(await now()).toMatchObject({ audited: 1 });
  });

  it("needs nothing but the link, and looks at nothing that another site could send along", async () => {
    const page = await press(tokenOf("reject"), {
      headers: { Origin: "https://evil.example", Cookie: "a=b", "Content-Type": "application/x-www-form-urlencoded" },
      body: "action=release&widen=true",
    });
    expect(page.status).toBe(200);
    expect(await now()).toMatchObject({ state: "rejected" });
  });
});

describe("a link that does not hold", () => {
  const bent = (): [string, string][] => {
    const good = tokenOf("reject").split(".");
    return [
      ["another file", good.with(1, String(Number(fileId) + 1)).join(".")],
      ["another action", good.with(2, "release").join(".")],
      ["another reader", good.with(3, "contact").join(".")],
      ["a longer time", good.with(4, String(EXPIRES_MS + 1)).join(".")],
      ["another nonce", good.with(5, "x".repeat(20)).join(".")],
      ["half of it", good.join(".").slice(0, 60)],
      [
        "another secret",
        signLink(
          { fileId, nonce, action: "reject", recipient: "operator", expiresMs: EXPIRES_MS },
          "another-secret-of-16",
        ),
      ],
      ["nothing of ours", "%3Cscript%3E"],
    ];
  };

  it("says so kindly and the same for everything that is not ours, and changes nothing", async () => {
    const asks = bent().flatMap(([, token]) => [show(token), press(token)]);
    const pages = await Promise.all(asks);
    expect(pages.map(({ status }) => status)).toEqual(Array(pages.length).fill(404));
    expect(new Set(pages.map(({ text }) => text)).size).toBe(1);
    expect(words(pages[0]!)).toContain("This link cannot be used");
    expect(words(pages[0]!)).toContain("copy the whole link");
    expect(await now()).toEqual(untouched);
  });

  it("of an earlier hold of the same file decides nothing about the later one", async () => {
    const early = tokenOf("reject");
    await press(tokenOf("release"));
    await force(api.database.sql, "UPDATE files SET state = 'held', failure = $2 WHERE id = $1", [
      fileId,
      '{"code":"blast-radius"}',
    ]);
    await api.database.sql.query(
      `INSERT INTO holds (file_id, nonce, facts, tripped, telling, later, expires_at)
       SELECT file_id, 'another' || nonce, facts, tripped, telling, later, expires_at FROM holds`,
    );
    const page = await press(early);
    expect([page.status, (await show(early)).text.includes("<button")]).toEqual([409, false]);
    expect(await now()).toMatchObject({ state: "held", audited: 1 });
    expect((await api.get("/v1/holds", api.world.operator)).json.items).toHaveLength(1);
  });

  it("whose hold is gone says the same", async () => {
    const token = tokenOf("reject");
    await api.database.sql.query("TRUNCATE holds");
    for (const page of [await show(token), await press(token)])
      expect([page.status, words(page)]).toEqual([404, expect.stringContaining("cannot be used")]);
  });

  it.each(["operator", "contact"] as const)(
    "to the %s after its time says that it is over, and does not decide",
    async (recipient) => {
      const token = tokenOf("reject", { recipient, expiresMs: NOW.getTime() });
      await api.database.sql.query("UPDATE holds SET expires_at = $1", [NOW.toISOString()]);
      for (const page of [await show(token), await press(token)]) {
        expect(page.status).toBe(410);
        expect(words(page)).toContain("The time to decide is over");
        expect(page.text).not.toContain("<button");
      }
      expect(await now()).toEqual(untouched);
    },
  );

  it.each([
    ["expire", "contact", "Nobody had decided about it until 2026-11-27 06:00 UTC"],
    ["expire", "operator", "The file was rejected"],
    ["supersede", "contact", "A newer file has taken its place"],
    ["supersede", "operator", "A newer file of the feed"],
  ] as const)("because of %s says to the %s what became of the file", async (decision, recipient, said) => {
    await api.database.sql.query("SELECT decide_hold($1, NULL, $2, 'mailfeed', $3)", [
      fileId,
      decision,
      '{"code":"hold-expired"}',
    ]);
    const page = await press(tokenOf("reject", { recipient }));
    expect(page.status).toBe(409);
    expect(words(page)).toContain(said);
    expect(words(page)).not.toContain("mailfeed");
  });

  it("of a file that went on by another way says that there is nothing to decide", async () => {
    await force(api.database.sql, "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [fileId]);
    for (const page of [await show(tokenOf("reject")), await press(tokenOf("reject"))]) {
      expect([page.status, words(page)]).toEqual([410, expect.stringContaining("nothing to decide any more")]);
    }
  });

  it("because of trouble of ours is a page that says to come again, and nothing of how we are built", async () => {
    const failing = () => Promise.reject(new Error("column x of relation y"));
    const broken = api.with({ holds: { ...api.holds, tables: { ...api.holds.tables, of: failing } } });
    for (const page of [await show(tokenOf("reject"), broken), await press(tokenOf("reject"), {}, broken)]) {
      expect(page.status).toBe(500);
      expect(words(page)).toContain("The fault is ours.");
      expect(page.text).not.toContain("relation");
    }
  });

  it.each(["PUT", "DELETE", "PATCH"])("is not asked with %s", async (method) => {
    expect((await api.send(`/hold/${tokenOf("reject")}`, { method })).status).toBe(405);
    expect(await now()).toEqual(untouched);
  });
});
