/** Number formats: which of them make a date of a number (ECMA-376 part 1, 18.8.30 and 18.8.31). */
import type { ByteStream } from "../open/source.ts";
import { WORKBOOK_MAX_FORMATS } from "./limits.ts";
import { type CellFormat, PLAIN } from "./values.ts";
import { attributesOf, type Corrupt, readXml } from "./xml.ts";

const DATE: CellFormat = { kind: "date", digits: 0 };
const TIME: CellFormat = { kind: "time", digits: 0 };
const DATETIME: CellFormat = { kind: "datetime", digits: 0 };
const ELAPSED: CellFormat = { kind: "elapsed", digits: 0 };

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Formats that are known by number alone; 27 to 36 and 50 to 58 are the dates of East Asian versions. */
const BUILT_IN = new Map<number, CellFormat>([
  ...[...range(14, 17), ...range(27, 31), 36, ...range(50, 54), 57, 58].map((id) => [id, DATE] as const),
  ...[...range(18, 21), ...range(32, 35), 45, 47, 55, 56].map((id) => [id, TIME] as const),
  [22, DATETIME],
  [46, ELAPSED],
]);

/**
 * What a format code makes of a positive number. Only its first section counts; text in quotes, escaped characters, colours
 * and conditions are left out, so that the `d` of "Stand:" is no day.
 */
export function formatOf(code: string): CellFormat {
  let bare = "";
  let isElapsed = false;
  for (const [token] of code.matchAll(/"[^"]*"?|\\[\s\S]?|_[\s\S]?|\*[\s\S]?|\[[^\]]*\]?|[\s\S]/g)) {
    if (token === ";") break;
    if (/^\[[hms]+\]$/i.test(token)) isElapsed = true;
    else if (token.length === 1) bare += token.toLowerCase();
  }
  if (isElapsed) return ELAPSED;
  bare = bare.replaceAll("general", "");
  const zeros = /^0+$/.exec(bare)?.[0];
  if (zeros) return zeros.length > 1 ? { kind: "number", digits: zeros.length } : PLAIN;
  const hasClock = /am\/pm|a\/p/.test(bare);
  bare = bare.replace(/am\/pm|a\/p/g, "h");
  const letters = bare.replace(/[^ymdhseg]/g, "");
  // "0.00E+00" and "#,##0" are numbers; "ss.000" is not.
  if (/[0#?]/.test(bare.replace(/s+[.,]?0+/g, "s"))) return PLAIN;
  const hasTime = hasClock || /[hs]/.test(letters);
  // An m beside hours or seconds is minutes.
  const hasDate = /[ydeg]/.test(letters) || letters.replace(/h+m+|m+s+/g, "").includes("m");
  if (hasDate) return hasTime ? DATETIME : DATE;
  return hasTime ? TIME : PLAIN;
}

/** The formats of `styles.xml`, by the style number that cells carry. */
export async function readStyles(bytes: ByteStream, corrupt: Corrupt): Promise<readonly CellFormat[]> {
  const custom = new Map<number, CellFormat>();
  const ids: number[] = [];
  let inCellFormats = false;
  await readXml(
    bytes,
    {
      wantsText: false,
      text: () => undefined,
      open(name, raw) {
        if (name === "cellXfs") inCellFormats = true;
        else if (name === "numFmt") {
          const attributes = attributesOf(raw, corrupt);
          custom.set(Number(attributes.get("numFmtId")), formatOf(attributes.get("formatCode") ?? ""));
        } else if (name === "xf" && inCellFormats) ids.push(Number(attributesOf(raw, corrupt).get("numFmtId") ?? 0));
        if (custom.size > WORKBOOK_MAX_FORMATS || ids.length > WORKBOOK_MAX_FORMATS)
          throw corrupt("it has more formats than a workbook can have");
      },
      close(name) {
        if (name === "cellXfs") inCellFormats = false;
      },
    },
    corrupt,
  );
  return ids.map((id) => custom.get(id) ?? BUILT_IN.get(id) ?? PLAIN);
}
