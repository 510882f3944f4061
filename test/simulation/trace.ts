/** What happened in a run, line by line: the digest proves that a seed replays exactly, the end is shown with a violation. */
import { createHash } from "node:crypto";

/** Lines kept for people; the digest covers all of them. */
const KEPT_LINES = 50_000;

export class Trace {
  readonly #digest = createHash("sha256");
  readonly #kept: string[] = [];
  readonly #faults = new Map<string, number>();
  #effects = 0;

  /** `atMs`: virtual time. */
  line(atMs: number, actor: string, what: string): void {
    const text = `${new Date(atMs).toISOString().slice(5, 23)} ${actor.padEnd(14)} ${what}`;
    this.#digest.update(text).update("\n");
    this.#kept.push(text);
    if (this.#kept.length > 2 * KEPT_LINES) this.#kept.splice(0, KEPT_LINES);
  }

  effect(): void {
    this.#effects++;
  }

  /** Counts something bad that was done to the system. */
  fault(kind: string): void {
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
  }

  get effects(): number {
    return this.#effects;
  }

  faults(): Record<string, number> {
    return Object.fromEntries([...this.#faults].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  last(lines: number): readonly string[] {
    return this.#kept.slice(-lines);
  }

  /** Lines that hold one of the texts: what became of one delivery, one file. */
  about(texts: readonly string[], lines: number): readonly string[] {
    return this.#kept.filter((line) => texts.some((text) => line.includes(text))).slice(-lines);
  }

  digest(): string {
    return this.#digest.copy().digest("hex");
  }
}
