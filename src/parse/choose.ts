/** Which payloads of a delivery are files of the feed. Pure. */
import type { Feed } from "../domain/adapter.ts";
import type { Opened } from "./open/open.ts";

/**
 * Attachments and uploads count by their name, the mail's own text only if the feed says so and nothing else counts.
 * An attachment that could not be opened always counts: what was inside may have been the file.
 */
export function chooseFiles(feed: Feed, opened: readonly Opened[]): boolean[] {
  const wanted = new RegExp(feed.intake.fileName, "iu");
  const taken = opened.map((o) =>
    o.kind === "problem" ? o.role !== "body" : o.file.role !== "body" && wanted.test(o.file.name),
  );
  if (!taken.includes(true) && feed.intake.inlineBody) {
    const body = opened.findIndex((o) => o.kind === "file" && o.file.role === "body" && o.file.format === "text");
    if (body !== -1) taken[body] = true;
  }
  return taken;
}

/** What was found, for the sentence that says that no file was. */
export function describeFound(opened: readonly Opened[]): string {
  const names = opened.flatMap((o) => {
    if ((o.kind === "problem" ? o.role : o.file.role) === "body") return [];
    if (o.kind === "problem") return [o.path];
    return [`${o.file.name || "a part without a name"} (${o.file.format})`];
  });
  if (names.length === 0) return opened.length === 0 ? "nothing" : "only text";
  return names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
}
