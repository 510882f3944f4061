import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROUTES } from "../../src/api/routes/table.ts";

describe("docs/api.md", () => {
  it("lists every route with who may call it, and no other", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/api.md"), "utf8");
    const listed = [...page.matchAll(/^\| `(GET|POST|PUT) (\S+)` \| (\w+) \|/gm)].map(([, method, path, access]) => ({
      method,
      path,
      access,
    }));
    expect(listed).toEqual(ROUTES.map(({ method, path, access }) => ({ method, path, access })));
  });
});
