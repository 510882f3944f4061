/** The import rules: the folder listing is the architecture, and this test keeps it so. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");
const STAGES = [
  "intake",
  "parse",
  "plan",
  "gate",
  "apply",
  "sweep",
  "upkeep",
  "redrive",
  "reconcile",
  "freshness",
  "dry-run",
  "replay",
  "restore",
];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function importsOf(folder: string): Import[] {
  return globSync(`${folder}/**/*.ts`, { cwd: root }).flatMap((file) => {
    const text = readFileSync(join(root, file), "utf8");
    return [...text.matchAll(/^\s*(?:import|export)\s+(type\s+)?[^"';]*?from\s+"([^"]+)"/gms)].map((match) => ({
      from: file,
      to: match[2]!.startsWith(".") ? relative(root, join(root, dirname(file), match[2]!)) : match[2]!,
      typeOnly: match[1] !== undefined,
    }));
  });
}

const offenders = (imports: readonly Import[], allowed: (i: Import) => boolean) =>
  imports.filter((i) => !allowed(i)).map((i) => `${i.from} → ${i.to}`);

const under = (path: string, ...folders: string[]) => folders.some((f) => path === f || path.startsWith(`${f}/`));
const isPackage = (to: string) => !under(to, "src", "adapters", "cli", "test", "bench");

describe("the import rules", () => {
  it("domain/ stands on nothing but itself and pure packages", () => {
    const pure = new Set(["zod", "node:crypto"]);
    expect(offenders(importsOf("src/domain"), (i) => under(i.to, "src/domain") || pure.has(i.to))).toEqual([]);
  });

  it.each(STAGES)("%s/ does not know any other stage", (stage) => {
    const others = STAGES.filter((s) => s !== stage).map((s) => `src/${s}`);
    expect(offenders(importsOf(`src/${stage}`), (i) => !under(i.to, ...others))).toEqual([]);
  });

  it.each(STAGES)(
    "the steps of %s/ stand on domain/ and their own folder; only its tables see the database",
    (stage) => {
      const steps = importsOf(`src/${stage}`).filter((i) => !i.from.endsWith("/tables.ts"));
      const allowed = (i: Import) =>
        isPackage(i.to) || under(i.to, "src/domain", `src/${stage}`) || (i.to === "src/observe/log.ts" && i.typeOnly);
      expect(offenders(steps, allowed)).toEqual([]);
    },
  );

  it("admission/ knows no stage and no platform, and only its object is bound to Cloudflare", () => {
    const imports = importsOf("src/admission");
    const own = (i: Import) =>
      under(i.to, "src/domain", "src/admission") || (i.to === "src/observe/log.ts" && i.typeOnly);
    expect(offenders(imports, (i) => own(i) || i.from === "src/admission/object.ts")).toEqual([]);
  });

  it("holds/ decides with the gate's pure parts and knows no stage; only its tables see the database", () => {
    const steps = importsOf("src/holds").filter((i) => i.from !== "src/holds/tables.ts");
    const own = (i: Import) =>
      under(i.to, "src/domain", "src/holds", "src/gate") || (i.to === "src/observe/log.ts" && i.typeOnly);
    expect(offenders(steps, own)).toEqual([]);
  });

  it("platform/ knows domain/ and no stage", () => {
    const allowed = (i: Import) => isPackage(i.to) || under(i.to, "src/domain", "src/platform");
    expect(offenders(importsOf("src/platform"), allowed)).toEqual([]);
  });

  it("only worker.ts puts stages, platform and adapters together", () => {
    const imports = importsOf("src").filter((i) => i.from !== "src/worker.ts");
    expect(offenders(imports, (i) => !under(i.to, "adapters", "src/worker.ts", "cli", "test"))).toEqual([]);
  });

  it("an adapter knows the contract and nothing else", () => {
    const imports = importsOf("adapters").filter((i) => i.from !== "adapters/index.ts");
    expect(offenders(imports, (i) => under(i.to, "src/domain"))).toEqual([]);
  });

  it("no step takes the time, chance or a network for itself", () => {
    const impure = /\bDate\.now\(|new Date\(\)|Math\.random\(|crypto\.randomUUID\(|\bfetch\(|console\.|setTimeout\(/;
    const steps = globSync(
      "src/{domain,intake,parse,plan,gate,apply,sweep,upkeep,redrive,queues,admission,reconcile,freshness,dry-run,replay,restore,holds}/**/*.ts",
      {
        cwd: root,
      },
    ).filter((file) => file !== "src/admission/object.ts");
    const guilty = steps.filter((file) => {
      const code = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      return impure.test(code);
    });
    expect(guilty).toEqual([]);
  });
});
