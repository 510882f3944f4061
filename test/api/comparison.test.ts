import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import { type Api, startApi } from "./harness.ts";
import { seedDryRun } from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});

describe("what a file would do", () => {
  it("is answered as it was told, with what the file is", async () => {
    const { alpha } = api.world;
    const id = await seedDryRun(api.database, alpha);
    const answer = await api.get(`/v1/files/${id}/comparison`, alpha.token);
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      file: { id, state: "compared", cause: "dry-run" },
      failure: null,
      comparison: { verdict: "apply", inserted: 3, examples: [{ kind: "inserted", key: "alpha-new" }] },
    });
    const file = await api.get(`/v1/files/${id}`, alpha.token);
    expect(file.json).toMatchObject({ cause: "dry-run", compare_only: true, complete: true, retired: null });
    expect(file.json).not.toHaveProperty("comparison");
  });

  it("is not there yet while the file is read, and never of one that cannot be read, with the reason", async () => {
    const { alpha } = api.world;
    const under = await seedDryRun(api.database, alpha, { state: "parsing", comparison: null });
    expect((await api.get(`/v1/files/${under}/comparison`, alpha.token)).json).toMatchObject({
      file: { state: "parsing" },
      failure: null,
      comparison: null,
    });
    const failure = report("file-empty", { name: "a.csv" });
    const refused = await seedDryRun(api.database, alpha, { state: "rejected", comparison: null, failure });
    expect((await api.get(`/v1/files/${refused}/comparison`, alpha.token)).json).toMatchObject({
      file: { state: "rejected" },
      failure: { code: "file-empty" },
      comparison: null,
    });
  });

  it("is nothing that an ordinary file has, nor one of another customer, nor one that is not there", async () => {
    const { alpha, beta } = api.world;
    const theirs = await seedDryRun(api.database, beta);
    for (const id of [alpha.fileId, theirs, "999999", "0", "x"]) {
      const answer = await api.get(`/v1/files/${id}/comparison`, alpha.token);
      expect([id, answer.status, answer.json.type]).toEqual([id, 404, "urn:mailfeed:problem:not-found"]);
    }
    expect((await api.get(`/v1/files/${theirs}/comparison?x=1`, beta.token)).status).toBe(400);
  });

  it("does not tell a customer how we are built", async () => {
    const { alpha } = api.world;
    const failure = report("chunk-missing", { key: "chunks/secret" });
    const dead = await seedDryRun(api.database, alpha, { state: "dead", comparison: null, failure });
    expect((await api.get(`/v1/files/${dead}/comparison`, alpha.token)).text).not.toContain("secret");
  });
});
