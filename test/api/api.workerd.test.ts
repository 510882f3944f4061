/** The parts of the API that lean on the runtime, inside Cloudflare's: streams, forms, digests, the driver. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UPLOAD_MAX_BYTES } from "../../src/api/upload/body.ts";
import { type Api, startApi } from "./harness.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});

const DOOR = "/v1/feeds/alpha/stock/files";

describe("the API in workerd", () => {
  it("is healthy, knows its tokens and keeps customers apart", async () => {
    const { alpha, beta } = api.world;
    expect((await api.get("/v1/health")).json).toMatchObject({ status: "ok", database: "up" });
    expect((await api.get(`/v1/files/${alpha.fileId}`, alpha.token)).json).toMatchObject({ id: alpha.fileId });
    expect((await api.get(`/v1/files/${alpha.fileId}`, beta.token)).status).toBe(404);
  });

  it("takes a form and a raw body", async () => {
    const data = new FormData();
    data.append("file", new Blob(["a;b\r\n"], { type: "text/csv" }), "stock.csv");
    expect((await api.send(DOOR, { method: "POST", body: data }, api.world.alpha.token)).status).toBe(202);
    expect((await api.send(DOOR, { method: "POST", body: "a;b" }, api.world.alpha.token)).status).toBe(202);
    expect(api.uploads.map(({ name, bytes }) => [name, bytes.byteLength])).toEqual([
      ["stock.csv", 5],
      ["upload", 3],
    ]);
  });

  it("refuses a damaged form and a body beyond the limit", async () => {
    const headers = { "Content-Type": "multipart/form-data; boundary=a" };
    const damaged = await api.send(DOOR, { method: "POST", body: "--a\r\nx", headers }, api.world.alpha.token);
    expect([damaged.status, damaged.json.type]).toEqual([400, "urn:mailfeed:problem:invalid-multipart"]);
    const large = new Uint8Array(UPLOAD_MAX_BYTES + 1);
    expect((await api.send(DOOR, { method: "POST", body: large }, api.world.alpha.token)).status).toBe(413);
  });

  it("streams the CSV download", async () => {
    const { alpha } = api.world;
    const answer = await api.get(`/v1/files/${alpha.fileId}/rejects?format=csv`, alpha.token);
    expect(answer.text).toContain('"alpha;many"');
  });
});
