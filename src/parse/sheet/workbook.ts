/** The parts of a workbook (ECMA-376 part 2): which sheets it has, and where their texts and formats lie. */
import { failure, shown } from "../../domain/failures.ts";
import { openZipEntry, readZipDirectory, type ZipEntry } from "../open/archive/zip.ts";
import { DEFAULT_LIMITS, type OpenLimits } from "../open/limits.ts";
import type { ByteSource, ByteStream } from "../open/source.ts";
import { WORKBOOK_MAX_SHEETS } from "./limits.ts";
import { attributesOf, type Corrupt, readXml } from "./xml.ts";

export interface SheetInfo {
  readonly name: string;
  /** Hidden in Excel: people do not see it. */
  readonly hidden: boolean;
}

export interface Workbook {
  /** Sheets with cells, in the order of their tabs; charts and macros are left out. */
  readonly sheets: readonly SheetInfo[];
  /** Days count from 1904-01-01 instead of from 1900. */
  readonly is1904: boolean;
  /** The writer asks Excel to calculate everything on opening: results of formulas in the file are not to be trusted. */
  readonly mustCalculate: boolean;
  readonly corrupt: Corrupt;
  /** The named sheet, or the first that is not hidden. @throws `sheet-missing` */
  sheet(name: string | undefined): SheetInfo & { open(): ByteStream };
  /** `sharedStrings.xml`, where there is one. */
  readonly strings: (() => ByteStream) | undefined;
  readonly styles: (() => ByteStream) | undefined;
}

interface Relation {
  /** Last part of its type: the same in the transitional and the strict standard. */
  readonly type: string;
  readonly target: string;
}

/**
 * Reads the directory of a workbook.
 * @param name of the file, for failures.
 * @throws `file-corrupt`, `file-encrypted`, `archive-too-large` as for any zip
 */
export async function openWorkbook(
  source: ByteSource,
  name: string,
  limits: OpenLimits = DEFAULT_LIMITS,
): Promise<Workbook> {
  const corrupt: Corrupt = (reason) => failure("file-corrupt", { name, reason });
  const { entries } = await readZipDirectory(source, name, limits);
  const parts = new Map<string, ZipEntry>();
  for (const entry of entries) {
    const key = partKey(entry.name);
    if (parts.has(key) && !entry.isFolder) throw corrupt("it has two parts of the same name");
    if (!entry.isFolder) parts.set(key, entry);
  }
  const opener = (path: string) => {
    const entry = parts.get(partKey(path));
    return entry && (() => openZipEntry(source, entry, name, { limits }));
  };
  const relations = async (path: string): Promise<Map<string, Relation>> => {
    const slash = path.lastIndexOf("/") + 1;
    const open = opener(`${path.slice(0, slash)}_rels/${path.slice(slash)}.rels`);
    return open ? readRelations(open(), path.slice(0, slash), corrupt) : new Map();
  };
  const main =
    [...(await relations("")).values()].find((r) => r.type === "officeDocument")?.target ?? "xl/workbook.xml";
  const openMain = opener(main);
  if (!openMain) throw corrupt("the list of its sheets is missing");
  const related = await relations(main);
  const partOf = (type: string) => {
    const relation = [...related.values()].find((r) => r.type === type);
    if (!relation) return undefined;
    const open = opener(relation.target);
    if (!open) throw corrupt("one of its parts is missing");
    return open;
  };
  const read = await readMain(openMain(), corrupt);
  const sheets = read.sheets
    .map((sheet) => ({ ...sheet, relation: related.get(sheet.id) }))
    .filter((sheet) => sheet.relation === undefined || sheet.relation.type === "worksheet");
  return {
    sheets: sheets.map((sheet) => ({ name: sheet.name, hidden: sheet.hidden })),
    is1904: read.is1904,
    mustCalculate: read.mustCalculate,
    corrupt,
    strings: partOf("sharedStrings"),
    styles: partOf("styles"),
    sheet(wanted) {
      const found =
        wanted === undefined
          ? (sheets.find((s) => !s.hidden) ?? sheets[0])
          : (sheets.find((s) => s.name === wanted) ??
            sheets.find((s) => s.name.toLowerCase() === wanted.toLowerCase()));
      if (!found) {
        const names = sheets.slice(0, 12).map((s) => shown(s.name, 31));
        throw failure("sheet-missing", { name, sheet: wanted, found: names });
      }
      const open = found.relation && opener(found.relation.target);
      if (!open) throw corrupt(`its sheet ${shown(found.name, 31)} is missing`);
      return { name: found.name, hidden: found.hidden, open };
    },
  };
}

/** Names of parts are compared without case (part 2, 6.2.2.3); some writers use backslashes. */
const partKey = (path: string): string => path.replaceAll("\\", "/").replace(/^\/+/, "").toLowerCase();

async function readRelations(bytes: ByteStream, folder: string, corrupt: Corrupt): Promise<Map<string, Relation>> {
  const found = new Map<string, Relation>();
  await readXml(
    bytes,
    {
      wantsText: false,
      text: () => undefined,
      close: () => undefined,
      open(name, raw) {
        if (name !== "Relationship") return;
        const attributes = attributesOf(raw, corrupt);
        const [id, type, target] = ["Id", "Type", "Target"].map((key) => attributes.get(key) ?? "");
        if (attributes.get("TargetMode") === "External") return;
        if (found.size >= WORKBOOK_MAX_SHEETS * 2) throw corrupt("it has more parts than a workbook can have");
        found.set(id!, { type: type!.slice(type!.lastIndexOf("/") + 1), target: resolved(folder, target!) });
      },
    },
    corrupt,
  );
  return found;
}

/** A target is relative to the folder of the part that names it, or absolute in the package. */
function resolved(folder: string, target: string): string {
  const segments: string[] = [];
  const path = target.replaceAll("\\", "/");
  for (const segment of (path.startsWith("/") ? path : folder + path).split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  return segments.join("/");
}

async function readMain(bytes: ByteStream, corrupt: Corrupt) {
  const sheets: { name: string; id: string; hidden: boolean }[] = [];
  let is1904 = false;
  let mustCalculate = false;
  const isTrue = (value: string | undefined) => value === "1" || value === "true";
  await readXml(
    bytes,
    {
      wantsText: false,
      text: () => undefined,
      close: () => undefined,
      open(name, raw) {
        const attributes = attributesOf(raw, corrupt);
        if (name === "workbookPr") is1904 = isTrue(attributes.get("date1904"));
        if (name === "calcPr") mustCalculate = isTrue(attributes.get("fullCalcOnLoad"));
        if (name !== "sheet") return;
        if (sheets.length >= WORKBOOK_MAX_SHEETS) throw corrupt("it has too many sheets");
        // The prefix of the relation's id is the writer's choice; `sheetId` has none.
        const id = [...attributes].find(([key]) => /:id$/.test(key))?.[1] ?? "";
        const hidden = attributes.get("state") === "hidden" || attributes.get("state") === "veryHidden";
        sheets.push({ name: attributes.get("name") ?? "", id, hidden });
      },
    },
    corrupt,
  );
  return { sheets, is1904, mustCalculate };
}
