/** The API of a running deployment, for commands: where it is, who calls, and what a refusal means for an exit code. */
import { type Arguments, EXIT, type Io, type Option, textOption, UsageError } from "./command.ts";
import type { Doorway } from "./local/mailroom.ts";
import { DEV_FOLDER } from "./local/settings.ts";
import { runningStack } from "./local/stack.ts";

export const apiOptions: Readonly<Record<string, Option>> = {
  url: { type: "string", help: "URL of the deployment (default: MAILFEED_URL, else the stack that mailfeed dev runs)" },
  token: { type: "string", help: "an operator's token (default: MAILFEED_TOKEN, else the local stack's)" },
};

/** Where the API is and with which token. Throws UsageError where nobody has said it. */
export function doorwayOf(args: Arguments): Doorway {
  const given = textOption(args, "url") ?? process.env.MAILFEED_URL;
  const running = given === undefined ? runningStack(DEV_FOLDER) : undefined;
  const url = given ?? running?.url;
  const token = textOption(args, "token") ?? process.env.MAILFEED_TOKEN ?? running?.token;
  if (!url || !token) {
    throw new UsageError(
      "no local stack is known here; start one with npm start, or give --url and --token",
      "no-stack",
    );
  }
  if (!URL.canParse(url)) throw new UsageError(`${JSON.stringify(url)} is not a URL`);
  return { url: url.replace(/\/+$/, ""), token };
}

/** One thing that is wrong with what was sent. */
interface Fault {
  readonly path: string;
  readonly message: string;
}

/** What the API refuses (RFC 9457), with the members that say more. */
export interface Refused {
  readonly type: string;
  readonly detail: string;
  readonly faults?: readonly Fault[];
  readonly cases?: readonly { readonly name: string; readonly differences: readonly string[] }[];
  readonly questions?: readonly OpenQuestion[];
}

export interface OpenQuestion {
  readonly what: string;
  readonly column?: string;
  readonly options: readonly string[];
  readonly assumed: string | null;
  readonly reason: string;
}

export type Answer<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "refused"; readonly refused: Refused };

/** States of what was asked for, and faults in it: another request may be taken. Everything else is a mistake of the call. */
const REFUSALS = new Set([400, 409, 413, 422]);

/** Calls a route. Throws UsageError where the API cannot be reached or does not let this token in. */
export async function callApi<T>(
  door: Doorway,
  method: "GET" | "POST" | "PUT",
  path: string,
  body?: unknown,
): Promise<Answer<T>> {
  return answerOf(door, path, await request(door, method, path, body));
}

async function answerOf<T>(door: Doorway, path: string, response: Response): Promise<Answer<T>> {
  const json = jsonOf(await response.text());
  if (response.ok) return { kind: "ok", value: json as T };
  const refused = problemIn(json);
  if (refused === undefined) throw notAnApi(door, path, response);
  if (REFUSALS.has(response.status)) return { kind: "refused", refused };
  throw new UsageError(refused.detail, codeOf(refused));
}

/** Sends a file as the body of a POST. Throws as `callApi` does. */
export async function uploadTo<T>(door: Doorway, path: string, bytes: Uint8Array<ArrayBuffer>): Promise<Answer<T>> {
  return answerOf(door, path, await sent(door, "POST", path, "application/octet-stream", bytes));
}

const request = (door: Doorway, method: "GET" | "POST" | "PUT", path: string, body?: unknown): Promise<Response> =>
  sent(door, method, path, "application/json", body === undefined ? undefined : JSON.stringify(body));

const sent = (
  door: Doorway,
  method: "GET" | "POST" | "PUT",
  path: string,
  contentType: string,
  body: string | Uint8Array<ArrayBuffer> | undefined,
): Promise<Response> =>
  fetch(`${door.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${door.token}`, "Content-Type": contentType },
    ...(body === undefined ? {} : { body }),
  }).catch((error: unknown) => {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`the API at ${door.url} cannot be reached`, "unreachable");
  });

const notAnApi = ({ url }: Doorway, path: string, { status }: Response): UsageError =>
  new UsageError(`${url}${path} answered ${status}, not as an API does`, "api");

/** The answer's value; a refusal is thrown as UsageError: for what is only read. */
export async function readApi<T>(door: Doorway, path: string): Promise<T> {
  const answer = await callApi<T>(door, "GET", path);
  if (answer.kind === "ok") return answer.value;
  throw new UsageError(answer.refused.detail, codeOf(answer.refused));
}

/** What a call answers; where the API knows no such thing, that is said in the words of the command. */
export async function ofKnown<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (thrown) {
    if (thrown instanceof UsageError && thrown.code === "not-found") {
      throw new UsageError(`there is no ${what} that this token may see`, thrown.code);
    }
    throw thrown;
  }
}

/** The bytes of a download. Throws UsageError where there is none to be had. */
export async function readBytes(door: Doorway, path: string): Promise<Uint8Array> {
  const response = await request(door, "GET", path);
  if (response.ok) return new Uint8Array(await response.arrayBuffer());
  const refused = problemIn(jsonOf(await response.text()));
  if (refused === undefined) throw notAnApi(door, path, response);
  throw new UsageError(refused.detail, codeOf(refused));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function problemIn(json: unknown): Refused | undefined {
  const isProblem = typeof json === "object" && json !== null && "type" in json && "detail" in json;
  return isProblem && typeof json.detail === "string" && typeof json.type === "string" ? (json as Refused) : undefined;
}

const codeOf = ({ type }: Refused): string => type.replace(/^urn:mailfeed:problem:/, "");

/** Tells of a refusal, with all that is named in it, and answers the exit code. */
export function tellRefused(refused: Refused, args: Arguments, io: Io): number {
  const { faults = [], cases = [], questions = [] } = refused;
  if (args.json) {
    io.out(JSON.stringify({ error: { code: codeOf(refused), message: refused.detail }, faults, cases, questions }));
  }
  io.err(`mailfeed: ${refused.detail}`);
  if (args.json) return EXIT.refused;
  for (const { path, message } of faults) io.err(`  ${path === "" ? "the whole" : path}: ${message}`);
  for (const { name, differences } of cases) for (const line of differences) io.err(`  ${name}: ${line}`);
  for (const question of questions) io.err(`  ${questionText(question)}`);
  return EXIT.refused;
}

export const questionText = ({ what, column, options, reason }: OpenQuestion): string =>
  `${column ?? what} (${what}): ${reason} One of: ${options.join(", ")}.`;

/** `customer/feed` as the path of its routes. */
export function feedPath(name: string): string {
  const parts = /^([a-z][a-z0-9-]*)\/([a-z][a-z0-9-]*)$/.exec(name);
  if (parts === null) throw new UsageError(`${JSON.stringify(name)} is no feed: write CUSTOMER/FEED`);
  return `/v1/feeds/${parts[1]}/${parts[2]}`;
}
