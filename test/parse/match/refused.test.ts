/** Files that parse refuses: what detection makes of them explains the refusal, or leaves it alone. */
import { describe, expect, it } from "vitest";
import { DETECT } from "../../../src/domain/column.ts";
import { failure, report } from "../../../src/domain/failures.ts";
import type { FormatProfile } from "../../../src/domain/feed-version.ts";
import { driftOfFailure, mayBeDrift, observedOf } from "../../../src/parse/match/drift.ts";
import { proposeChanged } from "../../../src/parse/match/propose.ts";
import { tableFeed } from "../table/support.ts";
import { bytesOf, foundIn, judged, pinnedAfter } from "./support.ts";

const lines = (delimiter: string, mark: string, header = "Nr;Straße;Preis;Stand"): string => {
  const rows = Array.from({ length: 120 }, (_, i) =>
    [1_000 + i, i % 3 === 0 ? "Königsplatz 7" : "Mühlgasse 12", `${i}${mark}${10 + (i % 90)}`, "13.11.2026"].join(
      delimiter,
    ),
  );
  return `${header.replaceAll(";", delimiter)}\n${rows.join("\n")}\n`;
};
const latin = (text: string): Uint8Array => Buffer.from(text, "latin1");

const feed = tableFeed({
  file: { charset: "windows-1252" },
  columns: [
    { name: "nr", source: { header: "Nr" }, type: "integer" },
    { name: "strasse", source: { header: "Straße" }, type: "text" },
    { name: "preis", source: { header: "Preis" }, type: "decimal", decimalMark: "," },
    { name: "stand", source: { header: "Stand" }, type: "date", format: "dd.MM.yyyy" },
  ],
  key: ["nr"],
  limits: { maxRejectShare: 0.05 },
});
const good = latin(lines(";", ","));
const pinned = await pinnedAfter(feed, good);
const verdict = async (bytes: Uint8Array, against: FormatProfile = pinned) => judged(feed, against, bytes);

describe("a refused file", () => {
  it("in another charset is told so, not by the name that it garbles", async () => {
    const { failure: refused, drift } = await verdict(bytesOf(lines(";", ",")));
    expect(refused?.code).toBe("missing-column");
    expect(drift?.cause).toBe("other-charset");
    expect(drift?.sentence).toBe("The file is written in another charset: utf-8 instead of windows-1252.");
    expect(drift?.found.charset).toBe("utf-8");
  });

  it("with another delimiter is told so", async () => {
    const { drift } = await verdict(latin(lines("\t", ",")));
    expect(drift?.cause).toBe("other-delimiter");
    expect(drift?.sentence).toBe("The columns are divided by a tab instead of a semicolon.");
    expect(drift?.examples[0]?.found).toBe("Nr\tStraße\tPreis\tStand");
  });

  it("with another decimal mark is held with its values side by side", async () => {
    const { failure: held, drift } = await verdict(latin(lines(";", ".")));
    expect(held?.code).toBe("too-many-rejects");
    expect(drift?.cause).toBe("other-values");
    expect(drift?.sentence).toContain("numbers with 2 decimals (point) instead of numbers with 2 decimals (comma)");
  });

  it("without its header is told so", async () => {
    const { failure: refused, drift } = await verdict(latin(lines(";", ",").split("\n").slice(1).join("\n")));
    expect(refused?.code).toBe("missing-column");
    expect(drift?.cause).toBe("other-format");
    expect(drift?.sentence).toBe("The first line does not name the columns any more.");
  });

  it("with title lines that were not there is told so", async () => {
    const { drift } = await verdict(latin(`Preisliste;;;\n\n${lines(";", ",")}`));
    expect(drift?.differences.map((d) => d.what)).toContain("title lines");
  });

  it("that is a workbook or JSON now is told so", () => {
    const why = report("file-unsupported", { found: "an Excel workbook", expected: "a delimited text file (CSV)" });
    const found = { ...foundIn(good), format: { ...foundIn(good).format, kind: "sheet" as const } };
    const drift = driftOfFailure(pinned, why, found, feed);
    expect(drift?.cause).toBe("other-format");
    expect(drift?.sentence).toBe("The file is an Excel workbook; agreed was text with a delimiter (CSV).");
  });

  it("that looks as agreed and was damaged keeps its own reason", async () => {
    const cut = latin(`${lines(";", ",")}1130;"Königsplatz`);
    const { failure: refused, drift } = await verdict(cut);
    expect([refused?.code, drift]).toEqual(["unclosed-quote", null]);
  });

  it("with many bad rows of the agreed kind keeps its own reason", async () => {
    const bad = lines(";", ",").replaceAll("13.11.2026", "31.11.2026");
    const { failure: held, drift } = await verdict(latin(bad));
    expect([held?.code, drift]).toEqual(["too-many-rejects", null]);
  });

  it("that nobody could detect is explained by the refusal itself where it tells enough", () => {
    const why = report("missing-column", { missing: ["Preis"], found: ["Nr", "Straße", "Netto", "Stand"], line: 1 });
    const drift = driftOfFailure(pinned, why, undefined, feed);
    expect(drift?.cause).toBe("missing-column");
    expect(drift?.examples[0]?.found).toBe("Nr;Straße;Netto;Stand");
    const count = driftOfFailure(
      pinned,
      report("wrong-column-count", { line: 1, expected: 4, found: 5 }),
      undefined,
      feed,
    );
    expect(count?.cause).toBe("new-column");
    expect(driftOfFailure(pinned, report("nul-bytes", { line: 3 }), undefined, feed)).toBeNull();
  });

  it("for a reason that no format has is not looked at", () => {
    const empty = failure("file-empty", {}).report;
    expect(mayBeDrift(empty)).toBe(false);
    expect(driftOfFailure(pinned, empty, foundIn(good), feed)).toBeNull();
  });

  it("of ASCII alone is in every charset: only what differs is told", async () => {
    const plain = lines(";", ",").replaceAll("ß", "ss").replaceAll("ö", "o").replaceAll("ü", "u");
    const { drift } = await verdict(latin(plain));
    expect(drift?.cause).toBe("renamed-column");
    expect(drift?.differences.map((d) => d.what)).not.toContain("charset");
  });
});

describe("the profile proposed after a drift", () => {
  it("changes what differs and keeps the rest of what is pinned", () => {
    const old: FormatProfile = {
      ...pinned,
      format: { ...pinned.format, footer: { startsWith: "ENDE" }, comment: "//" },
    };
    const { profile, questions, mapping } = proposeChanged(feed, old, foundIn(latin(lines("\t", ","))));
    expect(profile.format).toEqual({ ...old.format, delimiter: "\t" });
    expect([questions, mapping]).toEqual([[], undefined]);
  });

  it("of an ASCII file keeps the charset", () => {
    const plain = lines("|", ",").replaceAll("ß", "ss").replaceAll("ö", "o").replaceAll("ü", "u");
    const { profile } = proposeChanged(feed, pinned, foundIn(plain));
    expect([profile.format.charset, profile.format.delimiter]).toEqual(["windows-1252", "|"]);
  });

  it("asks only what the pinned profile has not answered, and makes the file fit", () => {
    const late = { ...feed, columns: feed.columns.map((c) => (c.type === "date" ? { ...c, format: DETECT } : c)) };
    const read = {
      ...pinned,
      columns: pinned.columns.map((c) => (c.name === "Stand" ? { ...c, reading: { format: "dd.MM.yyyy" } } : c)),
    };
    const unclear = lines(";", ",").replaceAll("13.11.2026", "01.02.2026");
    const known = proposeChanged(late, read, foundIn(unclear));
    expect(known.questions).toEqual([]);
    expect(known.profile.columns[3]?.reading.format).toBe("dd.MM.yyyy");
    const asked = proposeChanged(late, pinned, foundIn(unclear));
    expect(asked.questions.map((q) => [q.what, q.column])).toEqual([["dateOrder", "Stand"]]);
  });
});

it("a detected table has the columns that a parse would see", () => {
  const { header, columns } = observedOf(foundIn(lines(";", ",")));
  expect(header).toEqual(["Nr", "Straße", "Preis", "Stand"]);
  expect(columns.map((column) => column.shape)).toEqual(pinned.columns.map((column) => column.shape));
});
