/** `mailfeed customer add` in a copy of the project: what it writes loads, parses and works. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { registryText } from "../../cli/commands/customer.ts";
import { PROJECT_ROOT } from "../../cli/local/settings.ts";
import { jsonOf, mailfeed } from "./run.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mailfeed-customer-"));
  for (const part of ["adapters", "src", "wrangler.toml", "package.json"]) {
    cpSync(join(PROJECT_ROOT, part), join(root, part), { recursive: true });
  }
  symlinkSync(join(PROJECT_ROOT, "node_modules"), join(root, "node_modules"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The feeds of the copy, as another process loads them: `customer/feed title`. */
function loaded(): string[] {
  const code = `const { feeds } = await import(${JSON.stringify(join(root, "adapters/index.ts"))});
    console.log(JSON.stringify(feeds.map((f) => f.customer + "/" + f.feed + " " + f.customerTitle)));`;
  const ran = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", cwd: root });
  expect(ran.stderr).toBe("");
  return JSON.parse(ran.stdout) as string[];
}

interface Queues {
  readonly producers: readonly { readonly binding: string; readonly queue: string }[];
  readonly consumers: readonly { readonly queue: string }[];
}

/** The queues of the copy's configuration, as wrangler reads it. */
const queues = () =>
  unstable_readConfig({ config: join(root, "wrangler.toml") }, { hideWarnings: true }).queues as Queues;

describe("customer add", () => {
  it("writes an adapter that loads beside the others, and queue entries with every value set", async () => {
    const before = loaded();
    const ran = await mailfeed("customer", "add", "nova-2", "--title", "Nova Two", "--root", root, "--json");
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: "" });
    const [answer] = jsonOf<{ customer: string; written: string[]; commands: string[] }>(ran);
    expect(answer).toMatchObject({
      customer: "nova-2",
      written: ["adapters/nova-2/index.ts", "adapters/nova-2/README.md", "adapters/index.ts", "wrangler.toml"],
    });
    for (const path of answer!.written) expect(existsSync(join(root, path)), path).toBe(true);
    expect(answer!.commands.length).toBeGreaterThan(0);
    expect(loaded().toSorted()).toEqual([...before, "nova-2/orders Nova Two"].toSorted());

    const { producers, consumers } = queues();
    const acme = consumers.find(({ queue }) => queue === "feed-acme");
    expect(producers).toContainEqual({ binding: "FEED_NOVA_2", queue: "feed-nova-2" });
    expect(consumers).toContainEqual({ ...acme, queue: "feed-nova-2" });
  });

  it("a file for the new feed can be checked at once", async () => {
    await mailfeed("customer", "add", "nova", "--root", root);
    cpSync(join(PROJECT_ROOT, "cli"), join(root, "cli"), { recursive: true });
    const file = join(root, "orders.csv");
    writeFileSync(file, "OrderNo;Date;Amount\n1;2026-11-20;12.50\n");
    const args = [join(root, "cli/mailfeed.ts"), "check", file, "--feed", "nova/orders", "--json"];
    const ran = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect([ran.status, ran.stderr]).toEqual([0, ""]);
    expect(JSON.parse(ran.stdout)).toMatchObject({ ok: true, files: [{ books: { accepted: 1 } }] });
  });

  it("a second time changes nothing", async () => {
    await mailfeed("customer", "add", "nova", "--root", root);
    const wrangler = readFileSync(join(root, "wrangler.toml"), "utf8");
    const again = await mailfeed("customer", "add", "nova", "--root", root);
    expect([again.code, again.stderr]).toEqual([2, "mailfeed: adapters/nova is there already\n"]);
    expect(readFileSync(join(root, "wrangler.toml"), "utf8")).toBe(wrangler);
  });

  it("names that are words of the language, or differ by a hyphen alone, are names like others", async () => {
    for (const name of ["new", "default", "a1", "a-1", "x--y"]) {
      expect((await mailfeed("customer", "add", name, "--root", root)).code, name).toBe(0);
    }
    expect(loaded()).toEqual(expect.arrayContaining(["new/orders new", "default/orders default", "a-1/orders a-1"]));
    expect(queues().producers.map(({ binding }) => binding)).toContain("FEED_X__Y");
  });

  it.each(['O"Brien & Söhne', "ends */ here", "back\\slash, `quoted`", "two\nlines"])(
    "the title %j is kept to the letter",
    async (title) => {
      expect((await mailfeed("customer", "add", "nova", "--title", title, "--root", root)).code).toBe(0);
      expect(loaded()).toContain(`nova/orders ${title}`);
    },
  );
});

it("the list of adapters in the project is the one that the command would write", () => {
  expect(readFileSync(join(PROJECT_ROOT, "adapters/index.ts"), "utf8")).toBe(
    registryText(join(PROJECT_ROOT, "adapters")),
  );
});
