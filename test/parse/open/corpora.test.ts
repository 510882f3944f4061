/** Real mails and zips collected by other projects, against what those projects say is in them. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import PostalMime from "postal-mime";
import { describe, expect, it } from "vitest";
import { readMessage } from "../../../src/parse/open/mail/message.ts";
import { bytesSource } from "../../../src/parse/open/source.ts";
import { corporaPresent, corpusBytes, corpusPath, corpusTruth } from "../../support/corpora.ts";
import { drain, type Found, openAll, summary, watchedSource } from "./fixtures.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const leaves = async (bytes: Uint8Array) => {
  const { parts } = await readMessage(bytesSource(bytes), undefined, { mayLackBoundary: true });
  return Promise.all(parts.map(async (part) => ({ ...part, ...(await drain(part.open())) })));
};

interface AttachmentsTruth {
  readonly file: string;
  readonly attachments: readonly {
    readonly name?: string;
    readonly size?: number;
    readonly sha256_of_content?: string;
  }[];
}

interface StructureTruth {
  readonly file: string;
  readonly expected_json: string;
}

/** mail-parser's own output, as far as it is used here. */
interface ParsedMail {
  readonly attachments: readonly number[];
  readonly parts: readonly {
    readonly body: { readonly Binary?: readonly number[]; readonly InlineBinary?: readonly number[] };
    readonly offset_body: number;
    readonly offset_end: number;
  }[];
}

/** Attachments that are encoded in a way that has no meaning: named as damaged, where a lenient reader makes up bytes. */
const DAMAGED_ATTACHMENTS = new Set(["mime/php-imap/boolean_decoded_content.eml"]);

/** Files where mail-parser takes a boundary for text: two have an inner multipart never closed, one a message that is none. */
const OVERLOOKED_BOUNDARY = new Set(["009", "012", "022"].map((n) => `mime/mail-parser/malformed/${n}.eml`));

describe.skipIf(!corporaPresent)("real mails", () => {
  it("have the attachments that php-imap finds in them, byte by byte", async () => {
    for (const truth of corpusTruth<AttachmentsTruth>("mime_attachments")) {
      const found = (await leaves(corpusBytes(truth.file))).filter((part) => part.role === "attachment");
      if (DAMAGED_ATTACHMENTS.has(truth.file)) {
        expect(found.map((part) => part.failure?.code)).toEqual(["file-corrupt"]);
        continue;
      }
      expect(
        found.map((part) => part.name),
        truth.file,
      ).toEqual(truth.attachments.map((a) => a.name));
      truth.attachments.forEach((attachment, i) => {
        const { bytes, failure } = found[i]!;
        expect(failure, truth.file).toBeUndefined();
        // php-imap keeps the line end that belongs to the boundary, and writes messages with CRLF and without blank ends.
        const withCrLf = Buffer.from(bytes.toString("latin1").trimEnd().replace(/\r?\n/g, "\r\n"), "latin1");
        const whole = [bytes, withCrLf, ...["\n", "\r\n"].map((end) => Buffer.concat([bytes, Buffer.from(end)]))];
        const expected = attachment.sha256_of_content;
        if (expected) expect(whole.map(sha256), `${truth.file} ${attachment.name}`).toContain(expected);
        else
          expect(
            whole.map((b) => b.byteLength),
            `${truth.file} ${attachment.name}`,
          ).toContain(attachment.size);
      });
    }
  });

  it("lose no attachment that mail-parser finds in them", async () => {
    let compared = 0;
    for (const truth of corpusTruth<StructureTruth>("mime_structure")) {
      const expected = JSON.parse(readFileSync(corpusPath(truth.expected_json), "utf8")) as ParsedMail;
      // Some expected offsets were taken with LF line ends, some with CRLF.
      const written = Buffer.from(corpusBytes(truth.file));
      const withLf = Buffer.from(written.toString("latin1").replaceAll("\r\n", "\n"), "latin1");
      const raw = expected.parts[0]?.offset_end === withLf.byteLength ? withLf : written;
      const found = await leaves(raw);
      for (const number of expected.attachments) {
        const { body, offset_body: start, offset_end: end } = expected.parts[number]!;
        if (start === end) continue; // Nothing, found where a boundary is written wrongly.
        // By place: our parts cover what stands there.
        const same = found.filter((part) => part.start <= end && part.end >= start);
        const covered = same.reduce((sum, part) => sum + Math.min(part.end, end) - Math.max(part.start, start), 0);
        expect(same.length, `${truth.file} part ${number}`).toBeGreaterThan(0);
        const isCovered = covered >= raw.subarray(start, end).toString("latin1").trim().length;
        expect(isCovered || OVERLOOKED_BOUNDARY.has(truth.file), `${truth.file} part ${number}`).toBe(true);
        const binary = body.Binary ?? body.InlineBinary;
        if (binary) {
          const bytes = Buffer.from(binary);
          const isIn = same.some(
            (part) =>
              part.failure ||
              part.bytes.equals(bytes) ||
              part.bytes.toString("latin1").trim() === bytes.toString("latin1").trim(),
          );
          expect(isIn, `${truth.file} part ${number}`).toBe(true);
        }
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(25);
  });

  it("have the attachments and names that postal-mime finds, or a problem in their place", async () => {
    const mails = mailFiles();
    let compared = 0;
    for (const file of mails) {
      const raw = corpusBytes(file);
      const theirs = await PostalMime.parse(raw, { forceRfc822Attachments: true });
      const ours = await leaves(raw);
      for (const attachment of theirs.attachments) {
        const content = Buffer.from(attachment.content as ArrayBuffer).toString("latin1");
        const strip = (text: string) => text.replace(/[\r\n]+/g, "\n").trim();
        const twin = ours.find(
          (part) => part.failure !== undefined || strip(part.bytes.toString("latin1")) === strip(content),
        );
        expect(twin, `${file} ${attachment.filename}`).toBeDefined();
        if (attachment.filename && !attachment.filename.includes("\ufffd")) {
          expect(
            ours.map((part) => part.name),
            file,
          ).toContain(attachment.filename);
        }
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(40);
  });

  it("are opened without a crash, also cut anywhere, for blocks of any size", async () => {
    for (const file of mailFiles()) {
      const raw = corpusBytes(file);
      const whole = summary(await openAll(raw));
      expect(whole.length, file).toBeGreaterThan(0);
      for (const size of [1, 7]) {
        const source = watchedSource(raw, size);
        expect(summary(await openAll(source)), file).toEqual(whole);
        expect(source.open()).toBe(0);
      }
      for (let length = 0; length < raw.byteLength; length += Math.ceil(raw.byteLength / 9)) {
        expect((await openAll(raw.subarray(0, length))).length, file).toBeGreaterThan(0);
      }
    }
  });
});

const mailFiles = () =>
  readFileSync(corpusPath("MANIFEST.tsv"), "utf8")
    .split("\n")
    .map((line) => line.split("\t", 1)[0]!)
    .filter((file) => /^mime\/.*\.(eml|raw|txt)$/.test(file));

interface OutcomeTruth {
  readonly file: string;
  readonly outcome: "ok" | "error";
}

interface EntriesTruth {
  readonly file: string;
  readonly entries: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>;
}

/**
 * libzip was asked to open the archive and to compare its headers, not to read its entries. Of these it opens, the named
 * entry's data is damaged: here that is a problem in the entry's place.
 */
const DAMAGED_ENTRY: Readonly<Record<string, string>> = { "zip/libzip/incons-data.zip": "a.zip/a" };

describe.skipIf(!corporaPresent)("real zips", () => {
  const outcome = (found: readonly Found[]) => (found.some((f) => f.problem) ? "error" : "ok");

  it("are accepted and refused as libzip (strict) and yauzl do", async () => {
    for (const truth of corpusTruth<OutcomeTruth>("zip_outcome")) {
      const found = await openAll(corpusBytes(truth.file), { door: "upload", name: "a.zip" });
      const damaged = DAMAGED_ENTRY[truth.file];
      if (damaged === undefined) expect(outcome(found), `${truth.file}: ${summary(found)}`).toBe(truth.outcome);
      else
        expect(found.map((f) => `${f.path}: ${f.problem?.evidence.reason}`)).toEqual([
          `${damaged}: its checksum is wrong`,
        ]);
      for (const { problem } of found) expect(problem?.actor ?? "customer").toBe("customer");
    }
  });

  it("hold the entries that yauzl lists, byte by byte", async () => {
    const plain = (text: string) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "");
    for (const truth of corpusTruth<EntriesTruth>("zip_entries")) {
      const found = await openAll(corpusBytes(truth.file), { door: "upload", name: "a.zip" });
      const names = Object.keys(truth.entries);
      if (truth.file.includes("encryption")) {
        expect(summary(found)).toEqual(["a.zip !file-encrypted"]);
      } else if (names.length === 0) {
        expect(summary(found)).toEqual(["a.zip !archive-empty"]);
      } else if (truth.file.includes("unicode-path-extra-field")) {
        // The corpus spells the Chinese name in Latin letters.
        expect(summary(found)).toEqual(["a.zip/七个房间.txt text 0"]);
      } else {
        const got = found.map((f) => [plain(f.path).replace("a.zip/", ""), sha256(f.bytes!)]);
        expect(Object.fromEntries(got)).toEqual(Object.fromEntries(names.map((n) => [n, truth.entries[n]!.sha256])));
      }
    }
  });

  it("are opened with the passwords that libzip's own tests use", async () => {
    const contents = async (file: string, secret: string) =>
      (await openAll(corpusBytes(`zip/libzip/${file}.zip`), { door: "upload", name: "a.zip", secret })).map(
        (f) => f.problem?.code ?? f.bytes?.toString("latin1").slice(0, 12).trim(),
      );
    expect(await contents("encrypt", "foo")).toEqual(["foo", "foo"]);
    expect(await contents("encrypt-aes128", "foofoofoo")).toEqual(["plain", "encrypted"]);
    expect(await contents("encrypt-aes192", "foofoofoo")).toEqual(["plain", "encrypted"]);
    expect(await contents("encrypt-1234", "1234")).toEqual(["I would love"]);
    expect(await contents("hmac-error", "1234")).toEqual(["file-corrupt"]);
  });

  it("are all opened without a crash", async () => {
    const files = readFileSync(corpusPath("MANIFEST.tsv"), "utf8")
      .split("\n")
      .map((line) => line.split("\t", 1)[0]!);
    for (const file of files.filter((name) => /^(zip|xlsx|csv|erp|charset)\//.test(name))) {
      expect((await openAll(corpusBytes(file), { door: "upload", name: file })).length, file).toBeGreaterThan(0);
    }
  });
});
