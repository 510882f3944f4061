/** Tables as ERPs export them, written in any dialect and charset: what the property tests make and read back. */
import fc from "fast-check";
import { isSingleByte, upperHalf } from "../../../src/parse/detect/decoders.ts";

export interface WrittenDialect {
  readonly delimiter: string;
  readonly quote: '"' | "'" | null;
  readonly escape: "doubled" | "backslash";
  /** Quoted although nothing asks for it. */
  readonly always: boolean;
  readonly lineEnd: string;
  readonly terminator: string;
  readonly lastLineEnd: boolean;
}

export interface WrittenTable {
  readonly header: readonly string[] | null;
  readonly rows: readonly (readonly string[])[];
  readonly dialect: WrittenDialect;
  readonly charset: string;
  readonly bom: boolean;
  readonly preamble: readonly string[];
}

/** Words with the letters of a language, and the charsets that have them. */
const LANGUAGES: readonly { readonly words: readonly string[]; readonly charsets: readonly string[] }[] = [
  {
    words: "Müller Gehäuse Schlüssel Größe Öl Maß Kühlung weiß Übergabe Rohr Schraube Blech Kabel groß für".split(" "),
    charsets: ["windows-1252", "iso-8859-15", "cp850", "cp437", "macintosh"],
  },
  {
    words: "pièce clé générateur vérin à bielle très rivière été poignée réservoir câble tôle modèle".split(" "),
    charsets: ["windows-1252", "iso-8859-15", "cp850", "macintosh"],
  },
  {
    words: "śruba żółty łożysko wałek część źródło obręcz główny wąż dźwignia rękojeść pokrętło".split(" "),
    charsets: ["windows-1250", "iso-8859-2", "cp852"],
  },
  {
    words: "болт гайка шайба подшипник кабель насос масло фильтр клапан ремень втулка".split(" "),
    charsets: ["windows-1251", "iso-8859-5", "koi8-r", "ibm866"],
  },
  {
    words: "βίδα παξιμάδι ρουλεμάν καλώδιο αντλία λάδι φίλτρο βαλβίδα ιμάντας".split(" "),
    charsets: ["windows-1253", "iso-8859-7"],
  },
  {
    words: "vida somun yağ filtre kayış mil dişli kapağı gövde sıkma yatağı ölçü çelik".split(" "),
    charsets: ["windows-1254", "iso-8859-9"],
  },
];
const WIDE = ["utf-8", "utf-16le", "utf-16be"];

const two = (n: number): string => String(n).padStart(2, "0");

/** Makers of a column's values. */
const FILLED_KINDS: readonly ((words: readonly string[]) => fc.Arbitrary<string>)[] = [
  () => fc.integer({ min: 0, max: 99_999 }).map(String),
  () =>
    fc.tuple(fc.integer({ min: -999, max: 9_999 }), fc.integer({ min: 0, max: 99 })).map(([a, b]) => `${a}.${two(b)}`),
  () => fc.tuple(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: 0, max: 99 })).map(([a, b]) => `${a},${two(b)}`),
  () =>
    fc
      .tuple(fc.integer({ min: 2015, max: 2030 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }))
      .map(([y, m, d]) => `${y}-${two(m)}-${two(d)}`),
  () =>
    fc
      .tuple(fc.integer({ min: 1, max: 28 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 2015, max: 2030 }))
      .map(([d, m, y]) => `${two(d)}.${two(m)}.${y}`),
  () => fc.tuple(fc.constantFrom("A", "B", "X"), fc.integer({ min: 1000, max: 9999 })).map(([a, n]) => `${a}-${n}`),
  () => fc.constantFrom("open", "closed", "blocked"),
  (words) => fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 4 }).map((w) => w.join(" ")),
  (words) =>
    fc
      .tuple(
        fc.constantFrom(...words),
        fc.constantFrom(...words),
        fc.constantFrom(", ", '; "', '" x ', "\n", " | ", " / ", "'s "),
      )
      .map(([a, b, mark]) => `${a}${mark}${b}`),
];

/** The same, now and then blank. */
const COLUMN_KINDS: readonly ((words: readonly string[]) => fc.Arbitrary<string>)[] = FILLED_KINDS.flatMap((kind) => [
  kind,
  (words) => fc.oneof({ arbitrary: kind(words), weight: 5 }, { arbitrary: fc.constant(""), weight: 1 }),
]);

const HEADERS = "sku name description qty price warehouse updated category ean status supplier unit".split(" ");

const dialectArbitrary: fc.Arbitrary<WrittenDialect> = fc.oneof(
  fc.record({
    delimiter: fc.constantFrom(",", ";", "\t", "|", "||", ";;", "~", "^", "\u0001", "\u001f", "¦", "§"),
    quote: fc.constantFrom('"', '"', '"', "'", null),
    escape: fc.constantFrom("doubled", "doubled", "backslash") as fc.Arbitrary<"doubled" | "backslash">,
    always: fc.boolean(),
    lineEnd: fc.constantFrom("\n", "\r\n", "\r"),
    terminator: fc.constant(""),
    lastLineEnd: fc.boolean(),
  }),
  fc.record({
    delimiter: fc.constantFrom("+|", "|~|", "~|~", "|^|", "::", "#|#", "<|>", "$$", "@@", "\t|\t"),
    quote: fc.constant(null),
    escape: fc.constant("doubled" as const),
    always: fc.constant(false),
    lineEnd: fc.constantFrom("\n", "\r\n"),
    terminator: fc.constantFrom("", "&|"),
    lastLineEnd: fc.constant(true),
  }),
);

export const tableArbitrary: fc.Arbitrary<WrittenTable> = fc
  .tuple(
    fc.constantFrom(...LANGUAGES),
    fc.integer({ min: 2, max: 7 }),
    fc.integer({ min: 3, max: 30 }),
    dialectArbitrary,
    fc.boolean(),
    fc.boolean(),
    fc.constantFrom<readonly string[]>([], [], [], ["Stock report"], ["Export of the day", ""]),
  )
  .chain(([language, width, height, dialect, hasHeader, bom, preamble]) =>
    fc
      .array(fc.integer({ min: 0, max: COLUMN_KINDS.length - 1 }), { minLength: width, maxLength: width })
      .chain((kinds) => {
        // A row of blank cells alone is none: the first cell, the key, is filled.
        const row = fc.tuple(
          ...kinds.map((kind, i) => COLUMN_KINDS[i === 0 ? kind - (kind % 2) : kind]!(language.words)),
        );
        return fc
          .tuple(
            fc.array(row, { minLength: height, maxLength: height }),
            fc.constantFrom(...language.charsets, ...WIDE),
          )
          .map(([rows, charset]) => ({
            header: hasHeader ? HEADERS.slice(0, width) : null,
            rows: rows.map((cells) => cells.map((cell) => writable(cell, dialect))),
            dialect,
            charset: canWrite(charset, dialect.delimiter) ? charset : "utf-8",
            bom: bom && (WIDE.includes(charset) || !canWrite(charset, dialect.delimiter)),
            preamble: hasHeader ? preamble : [],
          }));
      }),
  );

const canWrite = (charset: string, text: string): boolean =>
  !isSingleByte(charset) || [...text].every((char) => char < "\u0080" || upperHalf(charset).includes(char));

/** Without quotation marks a cell cannot hold what divides cells and rows, nor begin with a mark. */
function writable(cell: string, { quote, delimiter, terminator }: WrittenDialect): string {
  if (quote !== null) return cell;
  let text = cell.replace(/[\n"']/g, " ").replaceAll(delimiter, "/");
  for (const char of delimiter + terminator) text = text.replaceAll(char, "/");
  return text.trim();
}

function cellText(cell: string, dialect: WrittenDialect): string {
  const { quote, delimiter, escape: escaping, always } = dialect;
  if (quote === null) return cell;
  const needs = cell.includes(delimiter) || cell.includes(quote) || /[\r\n]/.test(cell);
  if (!needs && !always) return cell;
  const inner =
    escaping === "doubled"
      ? cell.replaceAll(quote, quote + quote)
      : cell.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`);
  return quote + inner + quote;
}

export function textOf({ header, rows, dialect, preamble }: WrittenTable): string {
  const end = dialect.terminator + dialect.lineEnd;
  const lines = [...(header === null ? [] : [header]), ...rows].map((row) =>
    row.map((cell) => cellText(cell, dialect)).join(dialect.delimiter),
  );
  const text = lines.join(end) + (dialect.lastLineEnd ? end : "");
  return preamble.map((line) => line + dialect.lineEnd).join("") + text;
}

export function bytesOf(table: WrittenTable): Uint8Array {
  const text = textOf(table);
  const marked = table.bom ? `\ufeff${text}` : text;
  const { charset } = table;
  if (charset === "utf-8") return new TextEncoder().encode(marked);
  if (charset === "utf-16le" || charset === "utf-16be") {
    const bytes = new Uint8Array(marked.length * 2);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < marked.length; i++) view.setUint16(i * 2, marked.charCodeAt(i), charset === "utf-16le");
    return bytes;
  }
  if (!isSingleByte(charset)) throw new Error(`no encoder for ${charset}`);
  const upper = upperHalf(charset);
  return Uint8Array.from(text, (char) => {
    if (char < "\u0080") return char.charCodeAt(0);
    const at = upper.indexOf(char);
    if (at === -1) throw new Error(`${charset} has no ${char}`);
    return at + 0x80;
  });
}
