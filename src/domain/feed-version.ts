/**
 * The two things about a feed that are versioned as data: how its files are written (the format profile) and what their
 * columns mean (the mapping). The adapter's folder says version 1 of each, or leaves it to detection; the active versions
 * on top of the adapter are the feed.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { type Adapter, type Feed, withVersion } from "./adapter.ts";
import { type Column, columnSchema, DETECT, type MappingFault, mappingFaults, placesOf } from "./column.ts";
import { controlFaults } from "./controls.ts";
import { failure } from "./failures.ts";
import { formatSchema } from "./format.ts";

export const VERSION_KINDS = ["profile", "mapping"] as const;
export type VersionKind = (typeof VERSION_KINDS)[number];

/** How the values of one column are written: what columns whose format is `detect` take from the profile. */
const readingSchema = z
  .object({
    /** Tokens of a date or time. */
    format: z.string().min(2).optional(),
    century: z.number().int().multipleOf(100).optional(),
    decimalMark: z.enum([".", ","]).optional(),
    groupMark: z.enum([".", ",", " ", "'"]).optional(),
  })
  .strict();

/**
 * What the values of a column look like: the share of each class among the values that are not blank, as parts of 1. Made
 * from a bounded sample of rows; the classes are named by `src/parse/match`.
 */
const shapeSchema = z
  .object({
    classes: z.record(z.string(), z.number().min(0).max(1)),
    /** Values that the shares stand for. */
    values: z.number().int().min(0),
    /** Characters of the shortest and the longest value. */
    lengths: z.tuple([z.number().int().min(0), z.number().int().min(0)]),
  })
  .strict();

export type ColumnShape = z.output<typeof shapeSchema>;

const profileColumnSchema = z
  .object({
    /** The header's name for it; null where there is no header. */
    name: z.string().nullable(),
    reading: readingSchema.default({}),
    /** Absent until a file has shown it. */
    shape: shapeSchema.optional(),
  })
  .strict();

export type ProfileColumn = z.output<typeof profileColumnSchema>;

/** As many as a sheet has; a file with more is read, and never known by its columns. */
export const PROFILE_MAX_COLUMNS = 16_384;

export const profileSchema = z
  .object({
    format: formatSchema,
    /** All columns of the file in its order, read or not. Empty until the first file has shown them. */
    columns: z.array(profileColumnSchema).max(PROFILE_MAX_COLUMNS).default([]),
    /** What somebody answered where the file could not say it: kept, so that nobody is asked twice. */
    answers: z
      .array(z.object({ what: z.string(), column: z.string().optional(), answer: z.string() }).strict())
      .default([]),
  })
  .strict();

/** How the files of a feed are written: pinned, and compared with every file that comes. */
export type FormatProfile = z.output<typeof profileSchema>;

/** As many as a file may have. */
const MAPPING_MAX_COLUMNS = 2_000;
/** Columns that identify a record. */
const KEY_MAX_COLUMNS = 50;

export const mappingSchema = z
  .object({
    columns: z.array(columnSchema).min(1).max(MAPPING_MAX_COLUMNS),
    key: z.array(z.string()).min(1).max(KEY_MAX_COLUMNS),
  })
  .strict()
  .superRefine(({ columns, key }, context) => {
    for (const { path, message } of mappingFaults(columns, key, undefined)) {
      context.addIssue({ code: "custom", path, message });
    }
  });

/** What the columns of a feed mean. */
export type Mapping = z.output<typeof mappingSchema>;

/** Digests of what the adapter's folder says: a pinned version that came from another folder text is superseded by it. */
export const formatDigest = (adapter: Adapter): string => digest(adapter.file ?? null);
export const mappingDigest = (adapter: Adapter): string =>
  digest(adapter.columns === undefined ? null : { columns: adapter.columns, key: adapter.key });

const digest = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);

/** Something that a file cannot answer and only a person can, by one of the options. */
export interface OpenQuestion {
  readonly what: string;
  /** The column it is about. */
  readonly column?: string;
  readonly options: readonly string[];
  /** What reading would go on with. */
  readonly assumed: string | null;
  /** One plain sentence. */
  readonly reason: string;
}

/** Versions that could be accepted, once nothing is open and nothing stands against them. */
export interface Proposed {
  /** Null where nothing was found that might be pinned. */
  readonly profile: FormatProfile | null;
  /** Null where the mapping stays as it is. */
  readonly mapping: Mapping | null;
  readonly questions: readonly OpenQuestion[];
  readonly faults: readonly { readonly path: readonly (string | number)[]; readonly message: string }[];
}

/** A version as it is stored. */
export interface StoredVersion {
  readonly kind: VersionKind;
  readonly version: number;
  readonly base: string;
  readonly data: unknown;
}

/** What is pinned for a feed. */
export interface Pinned {
  readonly profile: FormatProfile | undefined;
  readonly mapping: Mapping | undefined;
  /** Of profiles that hold no longer, too: nobody is asked twice. */
  readonly answers: FormatProfile["answers"];
}

/**
 * What of the active versions still holds: one that was made from another text of the adapter's folder is superseded by
 * what the folder says now. Throws `version-unreadable`. Pure.
 */
export function pinnedVersions(adapter: Adapter, active: readonly StoredVersion[]): Pinned {
  const profile = active.find(({ kind }) => kind === "profile");
  const mapping = active.find(({ kind }) => kind === "mapping");
  const profileData = profile && readVersion(profileSchema, profile);
  const profileHolds = adapter.file === undefined || profile?.base === formatDigest(adapter);
  const mappingHolds = adapter.columns === undefined || mapping?.base === mappingDigest(adapter);
  return {
    profile: profileHolds ? profileData : undefined,
    mapping: mapping && mappingHolds ? readVersion(mappingSchema, mapping) : undefined,
    answers: profileData?.answers ?? [],
  };
}

function readVersion<S extends z.ZodType>(schema: S, { kind, version, data }: StoredVersion): z.output<S> {
  const read = schema.safeParse(data);
  if (read.success) return read.data;
  throw failure("version-unreadable", { kind, version, reason: z.prettifyError(read.error).slice(0, 500) });
}

export type Effective =
  | { readonly kind: "feed"; readonly feed: Feed }
  /** Nobody has said yet how the files are written, or what the columns mean. */
  | { readonly kind: "unknown"; readonly lacking: readonly VersionKind[] }
  | { readonly kind: "faulty"; readonly faults: readonly MappingFault[] };

/** The feed that an adapter and the versions active on top of it make together. Pure. */
export function effectiveFeed(
  adapter: Adapter,
  active: { readonly profile?: FormatProfile | undefined; readonly mapping?: Mapping | undefined },
): Effective {
  const file = active.profile?.format ?? adapter.file;
  const columns = active.mapping?.columns ?? adapter.columns;
  const key = active.mapping?.key ?? adapter.key;
  if (file === undefined || columns === undefined || key === undefined) {
    const lacking: VersionKind[] = [];
    if (file === undefined) lacking.push("profile");
    if (columns === undefined || key === undefined) lacking.push("mapping");
    return { kind: "unknown", lacking };
  }
  const read = columns.map((column) => withReading(column, active.profile));
  const undecided = read.flatMap((column, i) =>
    isUndecided(column)
      ? [{ path: ["columns", i, "format"], message: "is not decided yet: answer it in the format profile" }]
      : [],
  );
  const faults = [...undecided, ...mappingFaults(read, key, file), ...controlFaults(adapter.controls, read, file)];
  if (faults.length > 0) return { kind: "faulty", faults };
  return { kind: "feed", feed: withVersion({ ...adapter, file, columns: read, key }) };
}

const isUndecided = (column: Column): boolean =>
  ((column.type === "date" || column.type === "datetime") && column.format === DETECT) ||
  (column.type === "decimal" && column.decimalMark === DETECT);

/** The column with what the profile says of its values, where it leaves that to the profile. */
function withReading(column: Column, profile: FormatProfile | undefined): Column {
  if (!isUndecided(column) || profile === undefined) return column;
  const { source } = column;
  const found =
    "header" in source
      ? profile.columns.find((c) => c.name === source.header)
      : "position" in source
        ? profile.columns[source.position - 1]
        : undefined;
  const reading = found?.reading ?? {};
  if (column.type === "decimal") {
    if (reading.decimalMark === undefined) return column;
    const { groupMark } = reading;
    return { ...column, decimalMark: reading.decimalMark, ...(groupMark === undefined ? {} : { groupMark }) };
  }
  if (column.type !== "date" && column.type !== "datetime") return column;
  if (reading.format === undefined) return column;
  const { century } = reading;
  return { ...column, format: reading.format, ...(century === undefined ? {} : { century }) };
}

/** Columns that a mapping must find in the file's header and that the profile does not know there. */
export function missingColumns({ format, columns }: FormatProfile, read: readonly Column[]): MappingFault[] {
  if (!format.header || columns.length === 0) return [];
  const names = new Set(columns.map(({ name }) => name));
  return read.flatMap(({ source, absent = "refuse" }, i) =>
    placesOf(source).flatMap((place) =>
      typeof place === "string" && absent === "refuse" && !names.has(place)
        ? [{ path: ["columns", i, "source"], message: `“${place}” is no column of the file` }]
        : [],
    ),
  );
}
