/** Containers that stay closed, and what files are called in a sentence. */
import { type Failure, failure } from "../../domain/failures.ts";
import type { Container, FileFormat } from "./sniff.ts";

const ANY_ARCHIVE = "a plain file, a zip or a gzip file";

const unsupported = (found: string) => (name: string) =>
  failure("file-unsupported", { name, found, expected: ANY_ARCHIVE });
const wrapped = (wrapping: string, instead: string) => (name: string) =>
  failure("file-wrapped", { name, wrapping, instead });
const encrypted = (method: string) => (name: string) => failure("file-encrypted", { name, method });

/** What the sender reads about each. */
const REFUSALS = {
  "outlook-message": wrapped("an Outlook message (.msg)", "as an ordinary mail, with the file attached to it"),
  "mail-fragment": wrapped("one fragment of a split message", "in one message"),
  "encrypted-office": encrypted("Office password"),
  "encrypted-pgp": encrypted("OpenPGP"),
  "encrypted-smime": encrypted("S/MIME"),
  rar: unsupported("a RAR archive"),
  "7z": unsupported("a 7-Zip archive"),
  bzip2: unsupported("compressed with bzip2"),
  xz: unsupported("compressed with xz"),
  zstd: unsupported("compressed with Zstandard"),
  compress: unsupported("compressed with compress"),
  cab: unsupported("a Windows cabinet"),
} as const;

type Closed = keyof typeof REFUSALS;

export const staysClosed = (format: FileFormat | Container): format is Closed => format in REFUSALS;

export const refusal = (format: Closed, name: string): Failure => REFUSALS[format](name);

const TITLES: Readonly<Record<FileFormat, string>> = {
  text: "a text file",
  json: "a JSON file",
  ndjson: "a file of JSON lines",
  xlsx: "an Excel workbook",
  xlsb: "a binary Excel workbook",
  xls: "an old Excel workbook",
  ods: "an OpenDocument spreadsheet",
  ooxml: "an Office document",
  ole: "an old Office document",
  pdf: "a PDF",
  image: "a picture",
  html: "a web page",
  xml: "an XML document",
  smime: "an S/MIME signature",
  pgp: "a part of a PGP mail",
  binary: "not text",
};

/** Endings that promise something else than what such a file holds. */
const PROMISES: readonly (readonly [ending: RegExp, formats: readonly FileFormat[]])[] = [
  [/\.(csv|tsv|tab|txt)$/i, ["text", "json", "ndjson"]],
  [/\.xls$/i, ["xls"]],
  [/\.xlsx$/i, ["xlsx"]],
  [/\.(json|ndjson|jsonl)$/i, ["json", "ndjson"]],
];

/**
 * What a file is, for a sentence: `a web page, although its name ends in “.xls”`. Programs that write a table as HTML and call
 * it a workbook are common, and whoever runs them believes the name.
 */
export function formatTitle(file: { readonly format: FileFormat; readonly name: string }): string {
  const title = TITLES[file.format];
  const broken = PROMISES.find(([ending, formats]) => ending.test(file.name) && !formats.includes(file.format));
  const ending = broken?.[0].exec(file.name)?.[0];
  return ending === undefined ? title : `${title}, although its name ends in “${ending.toLowerCase()}”`;
}
