import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { bareName, dispositionName, UPLOAD_MAX_BYTES } from "../../src/api/upload/body.ts";
import { failure } from "../../src/domain/failures.ts";
import { type Api, startApi } from "./harness.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});
beforeEach(() => {
  api.uploads.length = 0;
});

const DOOR = "/v1/feeds/alpha/stock/files";
const post = (init: RequestInit & { path?: string; token?: string }, on: Api = api) =>
  on.send(init.path ?? DOOR, { method: "POST", ...init }, init.token ?? api.world.alpha.token);
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const form = (...parts: [name: string, content: string | Blob, file?: string][]) => {
  const data = new FormData();
  for (const [name, content, file] of parts) {
    if (typeof content === "string") data.append(name, content);
    else data.append(name, content, file);
  }
  return data;
};

describe("the upload door", () => {
  it("hands a raw body on to the byte, with its name, type and the token's name", async () => {
    const body = new Uint8Array([0xff, 0xfe, 0, 1, 13, 10]);
    const headers = {
      "Content-Type": "text/csv; charset=utf-16",
      "Content-Disposition": 'attachment; filename="stock 1.csv"',
    };
    const answer = await post({ body, headers });
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({
      delivery: { id: "0".repeat(32) },
      duplicate: false,
      dry_run: false,
      status_url: `/v1/deliveries/${"0".repeat(32)}`,
    });
    expect(api.uploads).toEqual([
      {
        customer: "alpha",
        feed: "stock",
        name: "stock 1.csv",
        contentType: "text/csv; charset=utf-16",
        bytes: body,
        tokenName: "alpha shop",
        idempotencyKey: undefined,
        dryRun: false,
      },
    ]);
  });

  it("hands the Idempotency-Key on, and refuses one that is no key", async () => {
    await post({ body: "a;b", headers: { "Idempotency-Key": "run-2026-11-02" } });
    expect(api.uploads.map((upload) => upload.idempotencyKey)).toEqual(["run-2026-11-02"]);
    for (const key of ["two words", "ü", "x".repeat(201)]) {
      const answer = await post({ body: "a;b", headers: { "Idempotency-Key": key } });
      expect(answer.status, key).toBe(400);
    }
    expect(api.uploads).toHaveLength(1);
  });

  it("asks what a file would do, with ?dry_run=true, and takes no other word for it", async () => {
    const asked = await post({ body: "a;b", path: `${DOOR}?dry_run=true` });
    expect([asked.status, asked.json.dry_run]).toEqual([202, true]);
    await post({ body: "a;b", path: `${DOOR}?dry_run=false` });
    expect(api.uploads.map((upload) => upload.dryRun)).toEqual([true, false]);
    for (const word of ["1", "yes", "True", "", "true&dry_run=true"]) {
      const answer = await post({ body: "a;b", path: `${DOOR}?dry_run=${word}` });
      expect([answer.status, answer.json.type], word).toEqual([400, "urn:mailfeed:problem:invalid-parameter"]);
    }
    expect(api.uploads).toHaveLength(2);
  });

  it("does not let a customer ask about a feed of another", async () => {
    const answer = await post({ body: "a;b", path: "/v1/feeds/beta/stock/files?dry_run=true" });
    expect(answer.status).toBe(404);
    expect(api.uploads).toEqual([]);
  });

  it("takes the one file of a form", async () => {
    const answer = await post({
      body: form(["file", new Blob(["a;b\r\n"], { type: "text/csv" }), "../../etc/stöck.csv"]),
    });
    expect(answer.status).toBe(202);
    expect(api.uploads).toMatchObject([{ name: "stöck.csv", contentType: "text/csv" }]);
    expect(text(api.uploads[0]?.bytes)).toBe("a;b\r\n");
  });

  it("lets ?name= go before other names, and does without any", async () => {
    await post({
      body: "x",
      path: `${DOOR}?name=given.csv`,
      headers: { "Content-Disposition": "attachment; filename=other.csv" },
    });
    await post({ body: "x" });
    expect(api.uploads.map((upload) => upload.name)).toEqual(["given.csv", "upload"]);
  });

  it("opens to an operator for every customer, also for a feed that never had a file", async () => {
    const answer = await post({ body: "x", path: "/v1/feeds/beta/prices/files", token: api.world.operator });
    expect(answer.status).toBe(202);
    expect(api.uploads).toMatchObject([{ customer: "beta", feed: "prices", tokenName: "ops" }]);
  });

  it("is closed where there is no such feed", async () => {
    for (const path of [
      "/v1/feeds/alpha/nothing/files",
      "/v1/feeds/nobody/stock/files",
      "/v1/feeds/ALPHA/stock/files",
    ]) {
      expect((await post({ body: "x", path, token: api.world.operator })).status).toBe(404);
    }
    expect(api.uploads).toEqual([]);
  });

  it("refuses a body of no bytes, raw or in a form", async () => {
    for (const body of ["", form(["file", new Blob([]), "a.csv"]), null]) {
      const answer = await post({ body });
      expect([answer.status, answer.json.type]).toEqual([400, "urn:mailfeed:problem:empty-body"]);
    }
    expect(api.uploads).toEqual([]);
  });

  it.each([
    ["two files", form(["a", new Blob(["1"]), "a.csv"], ["b", new Blob(["2"]), "b.csv"])],
    ["a text beside the file", form(["a", new Blob(["1"]), "a.csv"], ["b", "2"])],
    ["a text instead of a file", form(["a", "1"])],
    ["no part at all", form()],
  ])("refuses a form with %s", async (_, body) => {
    const answer = await post({ body });
    expect([answer.status, answer.json.type]).toEqual([400, "urn:mailfeed:problem:invalid-multipart"]);
    expect(api.uploads).toEqual([]);
  });

  it.each([
    ["multipart/form-data", "x"],
    ["multipart/form-data; boundary=a", "x"],
    ["multipart/form-data; boundary=a", "--a\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\ncut off"],
  ])("refuses a damaged form (%s, %j)", async (type, body) => {
    const answer = await post({ body, headers: { "Content-Type": type } });
    expect([answer.status, answer.json.type]).toEqual([400, "urn:mailfeed:problem:invalid-multipart"]);
  });

  it("believes a Content-Length that is too large and reads nothing", async () => {
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const headers = { "Content-Length": String(UPLOAD_MAX_BYTES + 1) };
    const answer = await post({ body, headers, duplex: "half" } as RequestInit);
    expect([answer.status, answer.json.type]).toEqual([413, "urn:mailfeed:problem:too-large"]);
    expect(pulled).toBe(0);
  });

  it("counts for itself and stops reading, whatever Content-Length says", async () => {
    let sent = 0;
    let cancelled = false;
    const piece = new Uint8Array(1_048_576);
    const body = new ReadableStream(
      {
        pull(controller) {
          sent += piece.byteLength;
          controller.enqueue(piece);
        },
        cancel() {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const answer = await post({ body, headers: { "Content-Length": "3" }, duplex: "half" } as RequestInit);
    expect(answer.status).toBe(413);
    expect(sent).toBe(UPLOAD_MAX_BYTES + piece.byteLength);
    expect(cancelled).toBe(true);
  });

  it("takes a body of exactly the limit", async () => {
    expect((await post({ body: new Uint8Array(UPLOAD_MAX_BYTES) })).status).toBe(202);
    expect(api.uploads[0]?.bytes.byteLength).toBe(UPLOAD_MAX_BYTES);
  });

  it("passes on whether the trouble passes, is the customer's, or is ours", async () => {
    const failing = (thrown: unknown) => api.with({ intakeUpload: () => Promise.reject(thrown) });
    const away = await post({ body: "x" }, failing(failure("storage-unavailable", { reason: "secret-bucket" })));
    expect([away.status, away.headers.get("Retry-After")]).toEqual([503, "5"]);
    const theirs = await post({ body: "x" }, failing(failure("file-empty", { name: "a.csv" })));
    expect([theirs.status, theirs.json.code]).toEqual([422, "file-empty"]);
    expect(theirs.json.detail).toBe("The file “a.csv” is empty. Check that the export ran, then send it again.");
    const ours = await post({ body: "x" }, failing(new TypeError("secret-inside is undefined")));
    expect(ours.status).toBe(500);
    expect(ours.json.correlation_id).toBe(ours.headers.get("X-Request-Id"));
    expect(away.text + ours.text).not.toContain("secret");
    expect(
      api.logLines.some((line) => line.includes(String(ours.json.correlation_id)) && line.includes("api.trouble")),
    ).toBe(true);
  });
});

describe("names of uploaded files", () => {
  it.each([
    ['attachment; filename="a b.csv"', "a b.csv"],
    ["attachment; filename=a.csv", "a.csv"],
    ["attachment; filename=\"a.csv\"; filename*=UTF-8''%e2%82%ac.csv", "€.csv"],
    ['attachment; filename="a\\"b.csv"', 'a"b.csv'],
    ["attachment; filename*=UTF-8''%zz", ""],
    ["attachment", ""],
    ["", ""],
  ])("%s says “%s”", (header, name) => {
    expect(dispositionName(header)).toBe(name);
  });

  it.each([
    ["../../etc/passwd", "passwd"],
    ["C:\\export\\stock.csv", "stock.csv"],
    ["a\u0000b\r\nc\u202e.csv", "abc.csv"],
    ["..", "upload"],
    ["folder/", "upload"],
    [" ", "upload"],
    ["\ud800x", "\ufffdx"],
    ["x".repeat(300), "x".repeat(255)],
  ])("%j is kept as %j", (name, bare) => {
    expect(bareName(name)).toBe(bare);
  });
});
