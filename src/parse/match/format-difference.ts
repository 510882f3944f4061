/** How the writing of a file differs from the pinned format: only what is certain, for a file of ASCII is in many charsets. */
import { shown } from "../../domain/failures.ts";
import type { FileFormat } from "../../domain/format.ts";
import type { FoundTable } from "./found.ts";
import type { DriftCause, DriftDifference } from "./report.ts";

export interface FormatDifference {
  readonly cause: DriftCause;
  readonly sentence: string;
  readonly difference: DriftDifference;
  /** What of the found format makes good the difference. */
  readonly change: Partial<FileFormat>;
}

const KIND_TITLES: Readonly<Record<FileFormat["kind"], string>> = {
  delimited: "text with a delimiter (CSV)",
  fixed: "text with columns of fixed width",
  sheet: "an Excel workbook",
  json: "JSON",
};

/**
 * The likeliest cause of a refusal comes first. `titles`: whether the lines before the table count; detection may divide
 * them from the table otherwise than was agreed, so they do only where nothing else explains a refusal.
 */
export function formatDifferences(pinned: FileFormat, found: FoundTable, titles: boolean): FormatDifference[] {
  const { format } = found;
  if (pinned.kind !== format.kind) {
    const [was, is] = [KIND_TITLES[pinned.kind], KIND_TITLES[format.kind]];
    const sentence = `The file is ${is}; agreed was ${was}.`;
    return [{ cause: "other-format", sentence, difference: { what: "kind", pinned: was, found: is }, change: format }];
  }
  const isText = pinned.kind === "delimited" || pinned.kind === "fixed";
  const differences: FormatDifference[] = [];
  if (isText && pinned.charset !== format.charset && !found.charsetsAlike.includes(pinned.charset)) {
    differences.push({
      cause: "other-charset",
      sentence: `The file is written in another charset: ${format.charset} instead of ${pinned.charset}.`,
      difference: { what: "charset", pinned: pinned.charset, found: format.charset },
      change: { charset: format.charset },
    });
  }
  if (isText && pinned.recordDelimiter !== format.recordDelimiter) {
    const [was, is] = [named(pinned.recordDelimiter), named(format.recordDelimiter)];
    differences.push({
      cause: "other-format",
      sentence: `The records end in another way: with ${is} instead of ${was}.`,
      difference: { what: "record end", pinned: was, found: is },
      change: { recordDelimiter: format.recordDelimiter, quote: format.quote, delimiter: format.delimiter },
    });
  }
  if (pinned.kind === "delimited" && pinned.delimiter !== format.delimiter && found.types.length > 1) {
    const [was, is] = [named(pinned.delimiter), named(format.delimiter)];
    differences.push({
      cause: "other-delimiter",
      sentence: `The columns are divided by ${is} instead of ${was}.`,
      difference: { what: "delimiter", pinned: was, found: is },
      change: { delimiter: format.delimiter },
    });
  }
  if (pinned.kind === "delimited" && found.quotesSeen && pinned.quote !== format.quote) {
    const [was, is] = [marks(pinned.quote), marks(format.quote)];
    differences.push({
      cause: "other-format",
      sentence: `Texts are quoted in another way: by ${is} instead of ${was}.`,
      difference: { what: "quote", pinned: was, found: is },
      change: { quote: format.quote, escape: format.escape },
    });
  }
  const sure = !found.undecided.some((question) => question.what === "header");
  if (sure && pinned.header !== format.header) {
    const [was, is] = [headerIn(pinned.header), headerIn(format.header)];
    differences.push({
      cause: "other-format",
      sentence: pinned.header
        ? "The first line does not name the columns any more."
        : "The first line names the columns, which it did not before.",
      difference: { what: "header", pinned: was, found: is },
      change: { header: format.header, columnCount: format.columnCount },
    });
  }
  if (titles) {
    const fits =
      found.preamble.length === pinned.preamble.length &&
      pinned.preamble.every(({ startsWith }, i) => found.preamble[i]!.startsWith(startsWith));
    if (!fits) {
      differences.push({
        cause: "other-format",
        sentence: "Other lines stand before the table than agreed.",
        difference: { what: "title lines", pinned: beginnings(pinned.preamble), found: beginnings(format.preamble) },
        change: { preamble: format.preamble },
      });
    }
  }
  return differences;
}

const NAMES: Readonly<Record<string, string>> = {
  line: "a line end",
  "\t": "a tab",
  ",": "a comma",
  ";": "a semicolon",
  "|": "a bar (|)",
  " ": "a blank",
};

const named = (delimiter: string): string => NAMES[delimiter] ?? shown(delimiter);
const marks = (quote: FileFormat["quote"]): string =>
  quote === "none" ? "nothing" : quote === '"' ? "quotation marks" : "apostrophes";
const headerIn = (header: boolean): string => (header ? "names in the first line" : "no line with names");
const beginnings = (lines: FileFormat["preamble"]): string =>
  lines.length === 0 ? "none" : `${lines.length}: ${lines.map((line) => line.startsWith || "(anything)").join(" / ")}`;
