/** Puts mails into a running stack and follows what becomes of them, over the same doors and routes as everybody. */
import { setTimeout as wait } from "node:timers/promises";
import { feeds } from "../../adapters/index.ts";
import type { Adapter } from "../../src/domain/adapter.ts";
import { feedAt } from "../../src/domain/address.ts";
import { isAtRest, statesOf } from "../../src/domain/states.ts";
import { mailFacts } from "../../src/intake/handler.ts";
import { readHeaders } from "../../src/intake/headers.ts";
import { UsageError } from "../command.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "./settings.ts";

export interface Doorway {
  readonly url: string;
  readonly token: string;
  /** The feeds that the Worker behind it has; the project's, where left out. */
  readonly feeds?: readonly Adapter[];
}

/** A file of a delivery as the API answers it. */
export interface FileStatus {
  readonly id: string;
  readonly path: string;
  readonly state: string;
  /** The file that it repeats. */
  readonly duplicate_of?: string | null;
  readonly failure: { readonly code: string; readonly sentence: string; readonly hint: string } | null;
  readonly books: {
    /** Null until they are counted. */
    readonly lines: Readonly<Record<string, number | null>> | null;
    readonly records: Readonly<Record<string, number | null>> | null;
    readonly balanced: boolean | null;
  };
}

export interface DeliveryStatus {
  readonly id: string;
  readonly state: string;
  readonly failure: FileStatus["failure"];
  readonly files: readonly FileStatus[];
}

const atRest = <K extends "delivery" | "file">(kind: K): ReadonlySet<string> =>
  new Set(statesOf(kind).filter((state) => isAtRest(kind, state)));
const DELIVERY_ENDS = atRest("delivery");
const FILE_ENDS = atRest("file");

/** What a mail server would be told. */
export type Accepted =
  | { readonly accepted: true; readonly deliveryId: string }
  | { readonly accepted: false; readonly reason: string };

/** Mails raw bytes through the local door. */
export async function mailIn(
  door: Doorway,
  mail: { from: string; to: string; raw: Uint8Array<ArrayBuffer> },
): Promise<Accepted> {
  const query = new URLSearchParams({ from: mail.from, to: mail.to, format: "json" });
  const response = await fetch(`${door.url}/cdn-cgi/local/email?${query}`, { method: "POST", body: mail.raw });
  const text = await response.text();
  const answer = readAnswer(text);
  if (answer?.outcome === "ok" && !answer.rejectReason) {
    const feed = feedAt(mail.to, door.feeds ?? feeds, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN);
    if (!feed) throw new UsageError(`the stack accepted a mail to ${mail.to}, which is no feed of this project`);
    const facts = mailFacts(
      { envelopeFrom: mail.from, envelopeTo: mail.to },
      feed,
      mail.raw,
      readHeaders(mail.raw),
      new Date(),
    );
    return { accepted: true, deliveryId: facts.id };
  }
  return {
    accepted: false,
    reason: answer?.rejectReason ?? `temporary error (${response.status}): ${text.slice(0, 300)}`,
  };
}

function readAnswer(text: string): { outcome?: string; rejectReason?: string } | undefined {
  try {
    return JSON.parse(text) as { outcome?: string; rejectReason?: string };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function getJson<T>(door: Doorway, path: string): Promise<T | undefined> {
  const response = await fetch(`${door.url}${path}`, { headers: { Authorization: `Bearer ${door.token}` } });
  if (response.status === 404 || response.status === 503) {
    await response.body?.cancel();
    return undefined;
  }
  if (!response.ok)
    throw new UsageError(`${path} answered ${response.status}: ${(await response.text()).slice(0, 300)}`, "api");
  return (await response.json()) as T;
}

const isEnd = (status: DeliveryStatus): boolean =>
  DELIVERY_ENDS.has(status.state) && status.files.every((file) => FILE_ENDS.has(file.state));

/** Waits until a delivery and all its files are in an end state. Throws UsageError after `timeoutMs`. */
export async function follow(
  door: Doorway,
  deliveryId: string,
  options: { timeoutMs: number; pollMs?: number; onChange?: (status: DeliveryStatus | undefined) => void },
): Promise<DeliveryStatus> {
  const deadline = Date.now() + options.timeoutMs;
  let last: string | undefined;
  for (;;) {
    const status = await getJson<DeliveryStatus>(door, `/v1/deliveries/${deliveryId}`);
    const now = describe(status);
    if (now !== last) options.onChange?.(status);
    last = now;
    if (status && isEnd(status)) return status;
    if (Date.now() > deadline) {
      const where = status
        ? `${status.state}, files ${status.files.map((f) => f.state).join(", ") || "none"}`
        : "not opened yet";
      throw new UsageError(
        `delivery ${deliveryId} is not done after ${options.timeoutMs / 1_000} s (${where})`,
        "timeout",
      );
    }
    await wait(options.pollMs ?? 150);
  }
}

/** One short line of where a delivery stands. */
export function describe(status: DeliveryStatus | undefined): string {
  if (!status) return "archived, waiting to be opened";
  if (status.failure) return `${status.state}: ${status.failure.sentence}`;
  if (status.files.length === 0) return status.state;
  return status.files
    .map((f) => {
      if (f.failure) return `${f.path} ${f.state}: ${f.failure.sentence}`;
      if (f.state === "duplicate") return `${f.path} duplicate: file ${f.duplicate_of} says the same, nothing to apply`;
      if (f.state !== "applied") return `${f.path} ${f.state}`;
      const { lines, records } = f.books;
      const rejected = lines?.rejected ? `, ${lines.rejected} rows rejected` : "";
      return `${f.path} applied: ${records?.inserted} new, ${records?.changed} changed, ${records?.unchanged} unchanged${rejected}`;
    })
    .join("; ");
}
