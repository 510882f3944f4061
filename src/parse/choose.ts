/** Which payloads of a delivery are files, and of which feed. Pure. */
import type { Adapter } from "../domain/adapter.ts";
import { type FailureReport, failure, report } from "../domain/failures.ts";
import type { Opened } from "./open/open.ts";

type Named = Pick<Adapter, "customer" | "feed" | "intake">;

/** A payload as a file of a feed. */
export interface Chosen<A extends Named> {
  readonly feed: A;
  /** The payload; or the problem in its place, where it cannot be read as a file of exactly one feed. */
  readonly opened: Opened;
}

/**
 * Answers for each payload of a delivery to `adapter` the feed whose file it is; undefined where it is none's and left alone.
 *
 * Attachments and uploads count by their name: each must fit the pattern of the delivery's own feed or of one that it
 * carries. A name that fits two is a problem of the own feed, never a guess. An attachment that could not be opened always
 * counts: what was inside may have been the file. The mail's own text counts only where nothing else does: as the file if
 * the feed says so, else if it could not be opened (an encrypted mail), for that is then the reason why there is no file.
 *
 * @param siblings all feeds, or those of the customer. Throws `unknown-feed` where one that is carried is not among them.
 */
export function chooseFiles<A extends Named>(
  adapter: A,
  siblings: readonly A[],
  opened: readonly Opened[],
): (Chosen<A> | undefined)[] {
  const feeds = [adapter, ...carriedBy(adapter, siblings)].map((feed) => ({
    feed,
    wanted: new RegExp(feed.intake.fileName, "iu"),
  }));
  const chosen = opened.map((one): Chosen<A> | undefined => {
    if (roleOf(one) === "body") return undefined;
    if (one.kind === "file" && isSignature(one)) return undefined;
    const fitting = feeds.filter(({ wanted }) => wanted.test(nameOf(one))).map(({ feed }) => feed);
    const [first = adapter] = fitting;
    if (fitting.length > 1) return { feed: adapter, opened: ambiguous(one, fitting) };
    return fitting.length === 1 || one.kind === "problem" ? { feed: first, opened: one } : undefined;
  });
  if (chosen.some((one) => one !== undefined)) return chosen;
  const body = opened.findIndex(
    (one) => roleOf(one) === "body" && (adapter.intake.inlineBody || one.kind === "problem"),
  );
  if (body !== -1) chosen[body] = { feed: adapter, opened: opened[body]! };
  return chosen;
}

function carriedBy<A extends Named>(adapter: A, siblings: readonly A[]): A[] {
  const { customer } = adapter;
  return adapter.intake.carries.map((slug) => {
    const found = siblings.find((sibling) => sibling.customer === customer && sibling.feed === slug);
    if (found === undefined) throw failure("unknown-feed", { customer, feed: slug });
    return found;
  });
}

const roleOf = (one: Opened) => (one.kind === "problem" ? one.role : one.file.role);

const nameOf = (one: Opened): string =>
  one.kind === "file" ? one.file.name : one.path.slice(one.path.lastIndexOf("/") + 1);

/** What a signed mail has beside its files. */
const isSignature = (one: Opened & { kind: "file" }): boolean =>
  one.file.format === "smime" || one.file.format === "pgp";

function ambiguous(one: Opened, fitting: readonly Named[]): Opened {
  const feeds = fitting.map(({ feed }) => feed);
  const path = one.kind === "file" ? one.file.path : one.path;
  return { kind: "problem", path, role: roleOf(one), report: report("file-ambiguous", { name: nameOf(one), feeds }) };
}

/** What says that no payload is a file of the feed: what was found, and the pattern of names where it was for the name. */
export function noPayload(adapter: Named, opened: readonly Opened[]): FailureReport {
  const { fileName } = adapter.intake;
  const isNamed = opened.some((one) => one.kind === "file" && one.file.role !== "body" && !isSignature(one));
  return report("no-payload", { found: describeFound(opened), ...(isNamed ? { pattern: nameInWords(fileName) } : {}) });
}

/** A pattern of names as people write one (`EXTF_*.csv`), where it is no more than that; else as it is. */
export function nameInWords(pattern: string): string {
  const open = `${pattern.startsWith("^") ? "" : "*"}${pattern}${pattern.endsWith("$") ? "" : "*"}`;
  const name = open
    .replace(/^\^|\$$/g, "")
    .replace(/\.\*/g, "*")
    .replace(/\\([.\- _])/g, "$1");
  return /[\\^$()[\]{}|?+]/.test(name) ? pattern : name;
}

/** What was found, in a few words. */
export function describeFound(opened: readonly Opened[]): string {
  const names = opened.flatMap((o) => {
    if (roleOf(o) === "body") return [];
    if (o.kind === "problem") return [o.path];
    return [`${o.file.name || "a part without a name"} (${o.file.format})`];
  });
  if (names.length === 0) return opened.length === 0 ? "nothing" : "only text";
  return names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
}
