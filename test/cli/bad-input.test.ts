/** `mailfeed check` and `mailfeed open` on everything bad there is: an exit code, a sentence, and JSON for programs. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import { MAX_DELIVERY_BYTES } from "../../src/intake/handler.ts";
import { BAD_INPUTS, goodMail, tooLargeMail } from "../support/bad-input.ts";
import { isPlainlySaid, jsonOf, mailfeed } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "mailfeed-bad-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function kept(bytes: Uint8Array, extension = "eml"): string {
  const path = join(folder, `${++files}.${extension}`);
  writeFileSync(path, bytes);
  return path;
}

interface Checked {
  readonly feed: string;
  readonly delivery: {
    readonly state: string;
    readonly failure: { readonly code: string; readonly sentence: string } | null;
  };
  readonly files: readonly {
    readonly path: string;
    readonly state: string;
    readonly failure: { readonly code: string } | null;
  }[];
  readonly ok: boolean;
}

interface Unusable {
  readonly error: { readonly code: string; readonly message: string };
}

describe.concurrent("check", () => {
  it.each(Object.entries(BAD_INPUTS))("%s", async (_, make) => {
    const { mail, end } = make();
    const args = ["check", kept(mail.raw), "--to", mail.to, "--from", mail.from];
    const [said, json] = await Promise.all([mailfeed(...args), mailfeed(...args, "--json")]);
    expect([said.code, json.code]).toEqual(end.at === "door" ? [2, 2] : [1, 1]);
    isPlainlySaid(said, end.sentence);
    if (end.at === "door") {
      const [{ error }] = jsonOf<Unusable>(json) as [Unusable];
      expect(error.code).toBe(end.code);
      expect(error.message).toContain(end.sentence);
      return;
    }
    const all = jsonOf<Checked>(json);
    expect(all).toHaveLength(1);
    const [{ feed, delivery, files, ok }] = all as [Checked];
    expect({ feed, ok }).toEqual({ feed: "acme/inventory", ok: false });
    if (end.at === "delivery") {
      expect(delivery).toMatchObject({
        state: end.state,
        failure: { code: end.code, sentence: expect.stringContaining(end.sentence) },
      });
      expect(files).toEqual([]);
    } else {
      expect(files).toContainEqual(
        expect.objectContaining({
          path: end.path,
          state: end.state,
          failure: expect.objectContaining({ code: end.code, sentence: expect.stringContaining(end.sentence) }),
        }),
      );
    }
  });

  it("a mail of one byte above 25 MiB", async () => {
    const mail = tooLargeMail();
    const ran = await mailfeed("check", kept(mail.raw), "--to", mail.to, "--from", mail.from);
    expect(ran.code).toBe(1);
    const bytes = MAX_DELIVERY_BYTES + 1;
    isPlainlySaid(ran, report("mail-too-large", { bytes, limitBytes: MAX_DELIVERY_BYTES }).sentence);
  });

  it("a bounce is told by its envelope", async () => {
    const mail = goodMail();
    const ran = await mailfeed("check", kept(mail.raw), "--to", mail.to, "--from", "<>");
    expect(ran.code).toBe(1);
    isPlainlySaid(ran, report("automatic-mail", { sign: "the envelope has no sender" }).sentence);
  });

  it("and a good mail is well", async () => {
    const mail = goodMail();
    const ran = await mailfeed("check", kept(mail.raw), "--to", mail.to, "--from", mail.from, "--json");
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: "" });
    expect(jsonOf<Checked>(ran)).toMatchObject([
      {
        delivery: { state: "parsed", failure: null },
        files: [
          { path: "inventory.csv", state: "parsed", failure: null, books: { lines: 3, accepted: 2 }, rejects: [] },
        ],
        ok: true,
      },
    ]);
  });
});

interface Opened {
  readonly kind: string;
  readonly files: readonly { readonly role: string }[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  readonly error?: { readonly code: string; readonly message: string };
}

describe.concurrent("open", () => {
  it.each(Object.entries(BAD_INPUTS))("%s", async (_, make) => {
    const { mail, end, opens } = make();
    const path = kept(mail.raw);
    const json = await mailfeed("open", path, "--json");
    const [contents, ...others] = jsonOf<Opened>(json);
    expect(others).toEqual([]);
    expect(contents!.kind).toBe("mail");
    if (opens) {
      // The mail itself is sound: what is wrong is for the door or the table to say.
      expect([json.code, json.stderr]).toEqual([0, ""]);
      expect(contents!.problems).toEqual([]);
      return;
    }
    const said = await mailfeed("open", path);
    expect([1, 2]).toContain(said.code);
    expect(json.code).toBe(said.code);
    isPlainlySaid(said, end.sentence);
    const problem = contents!.problems.find(({ code }) => code === end.code);
    expect(problem!.message).toContain(end.sentence);
    if (json.code === 2)
      expect(contents!.error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
  });
});
