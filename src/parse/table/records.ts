/** Cells of a row → the record as JSON in UTF-8 and its natural key, or all that is wrong with it. The hot loop of parse. */
import { type FailureReport, report } from "../../domain/failures.ts";
import { type Bytes, type Literal, literal } from "./bytes.ts";
import { CellFault, fromJsonBody, trimCell } from "./cell.ts";
import type { CellResult, ColumnParser } from "./columns.ts";
import { mayBeMangled } from "./identifier-guard.ts";
import { type BoundColumn, type Join, joined, type Layout } from "./layout.ts";
import { isPlainPart, keyFault, keyPart } from "./natural-key.ts";

export interface RowFault {
  readonly report: FailureReport;
  /** What the customer calls the column; null where the fault is of the row. */
  readonly column: string | null;
  /** Index of the cell, null where there is none. */
  readonly at: number | null;
}

/** One column in the hot loop. What is written before a value depends on what stands before that. */
interface Step {
  readonly parse: ColumnParser["parse"];
  readonly plainChars: number;
  readonly guarded: boolean;
  readonly trim: boolean;
  readonly quoted: boolean;
  /** Index of the cell, or CONSTANT, ORDINAL or JOINED. */
  readonly at: number;
  readonly join: Join | null;
  readonly constant: string | null;
  /** `,"name":"` or `,"name":` */
  readonly afterPlain: Literal;
  /** The same behind the mark that closes the value before. */
  readonly afterQuoted: Literal;
  /** `,"name":null` */
  readonly nullAfterPlain: Literal;
  readonly nullAfterQuoted: Literal;
}

const CONSTANT = -1;
const ORDINAL = -2;
const JOINED = -3;

const BRACE = 0x7b;
const CLOSE_PLAIN = literal("}");
const CLOSE_QUOTED = literal('"}');

/** Builds the records of one file. */
export class RecordBuilder {
  /** Of the last row that `build` took. */
  key = "";
  /** Of the last row that `build` refused: the record that it means, where all cells of its key could be read; else null. */
  refusedKey: string | null = null;
  /** JSON texts of the values of the row at hand, without marks: null where blank, undefined where the record is without it. */
  readonly bodies: (string | null | undefined)[];
  readonly #layout: Layout;
  readonly #steps: readonly Step[];
  readonly #firstKey: number;
  readonly #keyLabel: string;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#steps = layout.columns.map(({ name, parser, at, join, constant }, i) => {
      const start = `${i === 0 ? "{" : ","}${JSON.stringify(name)}:`;
      const mark = parser.quoted ? '"' : "";
      return {
        parse: parser.parse,
        plainChars: at === null ? 0 : parser.plainChars,
        guarded: parser.guarded,
        trim: parser.trim,
        quoted: parser.quoted,
        at: at ?? (join !== null ? JOINED : constant === undefined ? ORDINAL : CONSTANT),
        join,
        constant: constant ?? null,
        afterPlain: literal(start + mark),
        afterQuoted: literal(`"${start}${mark}`),
        nullAfterPlain: literal(`${start}null`),
        nullAfterQuoted: literal(`"${start}null`),
      };
    });
    this.bodies = layout.columns.map(() => null);
    this.#firstKey = layout.key[0]!;
    this.#keyLabel = layout.key.map((i) => layout.columns[i]!.label).join(" + ");
  }

  /**
   * Reads a row of the right width and writes its record behind what stands in `out`; `ordinal`: its number among the data
   * rows. Answers null when it became a record, else every fault in it; then what was written is to be dropped.
   */
  build(cells: readonly string[], ordinal: number, out: Bytes): RowFault[] | null {
    const steps = this.#steps;
    const { bodies } = this;
    const start = out.length;
    let open = false;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      const { at } = step;
      if (step.plainChars > 0) {
        const cell = step.trim ? trimCell(cells[at]!) : cells[at]!;
        const before = out.length;
        if (cell !== "" && cell.length <= step.plainChars && !(step.guarded && mayBeMangled(cell))) {
          out.literal(open ? step.afterQuoted : step.afterPlain);
          if (out.plainText(cell)) {
            bodies[i] = cell;
            open = true;
            continue;
          }
          out.length = before;
        }
      }
      const body = at >= 0 ? step.parse(cells[at]!) : elsewhere(step, cells, ordinal);
      if (typeof body === "string") {
        out.literal(open ? step.afterQuoted : step.afterPlain);
        out.text(body);
        open = step.quoted;
      } else if (body === null) {
        out.literal(open ? step.nullAfterQuoted : step.nullAfterPlain);
        open = false;
      } else if (body !== undefined) return this.#faults(cells, ordinal);
      bodies[i] = body;
    }
    out.literal(open ? CLOSE_QUOTED : CLOSE_PLAIN);
    // Where the first column is left out, the record begins with what divides columns.
    out.all[start] = BRACE;
    const first = bodies[this.#firstKey]!;
    if (this.#layout.key.length === 1 && isPlainPart(first)) {
      this.key = first;
      return null;
    }
    this.key = this.#keyOf(bodies);
    const fault = keyFault(this.key, this.#keyLabel);
    if (fault === undefined) return null;
    this.refusedKey = null;
    return [{ report: fault, column: this.#keyLabel, at: null }];
  }

  #keyOf(bodies: readonly (string | null | undefined)[]): string {
    return this.#layout.key.map((i) => keyPart(fromJsonBody(bodies[i]!))).join("|");
  }

  /** Reads a refused row again, to the end. */
  #faults(cells: readonly string[], ordinal: number): RowFault[] {
    const faults: RowFault[] = [];
    const { bodies } = this;
    for (const [i, column] of this.#layout.columns.entries()) {
      bodies[i] = column.constant;
      if (column.constant !== undefined) continue;
      const result = column.parser.parse(textOf(column, cells, ordinal));
      if (!(result instanceof CellFault)) bodies[i] = result;
      else faults.push({ report: report(result.code, result.evidence), column: column.label, at: column.at });
    }
    const isReadable = this.#layout.key.every((i) => typeof bodies[i] === "string");
    const key = isReadable ? this.#keyOf(bodies) : null;
    this.refusedKey = key === null || keyFault(key, this.#keyLabel) !== undefined ? null : key;
    return faults;
  }
}

/** The value of a column that is not simply a cell. */
function elsewhere(step: Step, cells: readonly string[], ordinal: number): CellResult {
  if (step.at === CONSTANT) return step.constant;
  return step.parse(step.join === null ? String(ordinal) : joined(step.join, (at) => cells[at]!));
}

/** What a column that is not constant reads. */
function textOf({ at, join }: BoundColumn, cells: readonly string[], ordinal: number): string {
  if (at !== null) return cells[at]!;
  return join === null ? String(ordinal) : joined(join, (index) => cells[index]!);
}
