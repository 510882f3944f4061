/**
 * Everything the API refuses, as problem details (RFC 9457). The catalogue is closed: its codes are the last part of the
 * `type` URN and stay as they are. A Problem is plain data on its way up; `problemResponse` alone makes HTTP of it.
 */
import { withoutTokens } from "../tokens.ts";

const PROBLEMS = {
  "invalid-parameter": { status: 400, title: "A parameter is not valid" },
  "invalid-cursor": { status: 400, title: "The cursor is not valid" },
  "empty-body": { status: 400, title: "The body is empty" },
  "invalid-body": { status: 400, title: "The body is not valid" },
  "invalid-multipart": { status: 400, title: "The form cannot be read" },
  "not-authenticated": { status: 401, title: "Not authenticated" },
  "operator-only": { status: 403, title: "For operators only" },
  "not-found": { status: 404, title: "Not found" },
  "method-not-allowed": { status: 405, title: "Method not allowed" },
  "wrong-state": { status: 409, title: "The state does not allow it" },
  "not-releasable": { status: 409, title: "Cannot be released" },
  "not-redrivable": { status: 409, title: "Cannot be redriven" },
  "too-large": { status: 413, title: "Too large" },
  "not-acceptable-yet": { status: 422, title: "Cannot be accepted yet" },
  refused: { status: 422, title: "Refused" },
  "internal-error": { status: 500, title: "Internal error" },
  unavailable: { status: 503, title: "Not available at the moment" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemExtras {
  /** Further members of the body (RFC 9457 section 3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A refusal on its way up. `detail` is a plain sentence that says what to do; it never holds internals. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly extras: ProblemExtras;

  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.name = "Problem";
    this.code = code;
    this.detail = detail;
    this.extras = extras;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}

/** `throw problem("empty-body", "Send the file as the body.")`. */
export const problem = (code: ProblemCode, detail: string, extras?: ProblemExtras): Problem =>
  new Problem(code, detail, extras);

/** Something that is wrong, and where: `columns.2.format`; the empty path is the whole. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** A refusal that lists all that is wrong at once. */
export const faulty = (
  code: ProblemCode,
  detail: string,
  faults: readonly Fault[],
  members: Readonly<Record<string, unknown>> = {},
): Problem => problem(code, detail, { members: { faults, ...members } });

/**
 * One and the same answer for what does not exist and for what belongs to somebody else, so that neither can be told
 * from the other.
 */
export const notFound = (): Problem =>
  problem("not-found", "There is nothing under this address that this token may see. Check the address and the token.");

/** The body and headers of a refusal. `path` is the request's path without its query. */
export function problemResponse(refusal: Problem, path: string): Response {
  const { status, title } = PROBLEMS[refusal.code];
  const body = {
    type: `urn:mailfeed:problem:${refusal.code}`,
    title,
    status,
    detail: refusal.detail,
    instance: path,
    ...refusal.extras.members,
  };
  return new Response(withoutTokens(JSON.stringify(body)), {
    status,
    headers: { "Content-Type": "application/problem+json", ...refusal.extras.headers },
  });
}
