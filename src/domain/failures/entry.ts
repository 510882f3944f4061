/** What a code of the catalogue says, and the small words of its sentences. */

/**
 * - `retry`: trouble that passes; try again with backoff, then dead letter.
 * - `park`: will not pass by itself; dead letter, an operator looks.
 * - `reject`: final for this input; the actor must send something else.
 * - `hold`: nothing is applied until an operator releases it.
 */
export type Disposition = "retry" | "park" | "reject" | "hold";

/** Who can make it right: `us` (code, platform), the `operator`, or the `customer` (the contact of the feed). */
export type Actor = "us" | "operator" | "customer";

/** What the failure is about: decides where it is stored. */
export type Scope = "delivery" | "file" | "row" | "system";

export interface Entry<E> {
  readonly scope: Scope;
  readonly disposition: Disposition;
  readonly actor: Actor;
  /** One plain sentence: what happened, with the evidence in it. */
  readonly sentence: (evidence: E) => string;
  /** What to do about it, in one sentence. */
  readonly hint: (evidence: E) => string;
}

export const entry = <E = Record<never, never>>(
  scope: Scope,
  disposition: Disposition,
  actor: Actor,
  sentence: (evidence: E) => string,
  hint: (evidence: E) => string,
): Entry<E> => ({ scope, disposition, actor, sentence, hint });

export const toCustomer = <E = Record<never, never>>(
  scope: Scope,
  sentence: (evidence: E) => string,
  hint: (evidence: E) => string,
) => entry<E>(scope, "reject", "customer", sentence, hint);

export const mebibytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MiB`;

/** Shows a value from a file inside a sentence: bounded, on one line, control characters made visible. */
export function shown(value: string, maxChars = 60): string {
  const visible = value.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return visible.length > maxChars ? `“${visible.slice(0, maxChars)}…”` : `“${visible}”`;
}

/** A name inside a sentence, with the blank before it; nothing where there is none. */
export const of = (name: string | undefined) => (name ? ` ${shown(name)}` : "");
