/**
 * Learns what the values of each column look like while a file is parsed: a bounded sample of rows, each value put into one
 * of few classes. The shares of the classes are the column's shape, kept in the format profile.
 */
import type { ProfileColumn } from "../../domain/feed-version.ts";
import type { RowObserver } from "../table/parse-file.ts";
import type { FoundLine } from "./found.ts";

/** What a parse saw of a file. */
export interface Observed {
  /** Names of the header, trimmed; null where the feed's files have none. */
  readonly header: readonly string[] | null;
  /** In the order of the file, with their shapes; readings are empty. */
  readonly columns: readonly ProfileColumn[];
  /** Header and first rows, for the eyes. */
  readonly lines: readonly FoundLine[];
}

/** Give one to each parse (`options.observer`), then ask `observed()`. It is useful even where the parse threw. */
export declare class ShapeCollector implements RowObserver {
  constructor(delimiter?: string);
  header(cells: readonly string[], line?: number): void;
  wants(row: number): boolean;
  row(cells: readonly string[], line?: number): void;
  observed(): Observed;
}
