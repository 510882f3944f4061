/** `mailfeed check` of a list that is only compared: it says before the deployment does that nothing can be held against it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { check } from "../../cli/commands/check.ts";

vi.mock("../../adapters/index.ts", async () => {
  const { defineFeed } = await import("../../src/domain/adapter.ts");
  const base = {
    customer: "acme",
    customerTitle: "Acme",
    title: "Stock",
    intake: { policy: "trust-address" as const, senders: ["@acme.example"] },
    file: { charset: "utf-8" as const, delimiter: ";", header: true },
    columns: [
      { name: "sku", source: { header: "SKU" }, type: "identifier" as const },
      { name: "bin", source: { header: "Bin" }, type: "text" as const },
    ],
  };
  const snapshot = { ...base, mode: "snapshot" as const, reconciles: { feed: "stock" } };
  return {
    feeds: [
      defineFeed({ ...base, feed: "stock", mode: "full", key: ["sku"] }),
      defineFeed({ ...snapshot, feed: "stock-now", key: ["sku"] }),
      defineFeed({ ...snapshot, feed: "other-key", key: ["sku", "bin"] }),
    ],
  };
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mailfeed-check-"));
  await writeFile(join(folder, "stock.csv"), "SKU;Bin\nA-1;B1\n");
});
afterAll(() => rm(folder, { recursive: true }));

async function checked(feed: string) {
  const said: string[] = [];
  const io = { out: (text: string) => void said.push(text), err: () => undefined, bytes: () => undefined };
  const args = { positionals: [join(folder, "stock.csv")], values: { feed: `acme/${feed}` }, json: true };
  const code = await check.run(args, { ...io, progress: () => undefined });
  const [file] = JSON.parse(said.join("\n")).files;
  return { code, state: file.state, failure: file.failure?.sentence };
}

describe("check of a snapshot", () => {
  it("says that it would be held where the two feeds do not go together", async () => {
    expect(await checked("other-key")).toEqual({
      code: 1,
      state: "held",
      failure: "The snapshot cannot be compared: the key is sku, bin, that of the feed it is compared with sku.",
    });
  });

  it("finds nothing to say of one that can be compared", async () => {
    expect(await checked("stock-now")).toEqual({ code: 0, state: "parsed", failure: undefined });
  });
});
