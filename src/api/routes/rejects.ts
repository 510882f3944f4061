/**
 * GET /v1/files/:id/rejects: the rows that could not land, in the order of the file, as pages or as one CSV download; and
 * the file itself with the reasons beside its rows.
 */
import { and, asc, eq, sql } from "drizzle-orm";
import type { FileFormat } from "../../domain/adapter.ts";
import { effectiveFeed, pinnedVersions } from "../../domain/feed-version.ts";
import { annotatedCopy } from "../../parse/annotate.ts";
import { deliveries, rejects } from "../../platform/schema.ts";
import type { Call } from "../deps.ts";
import { openVersions } from "../formats/decide.ts";
import { intKey, pageOf, readCursor } from "../pages/page.ts";
import { traceOf } from "../problem/from-error.ts";
import { notFound, problem } from "../problem/problem.ts";
import { idInPath, oneOf, pageParameters, readQuery } from "../query/query.ts";
import { BYTE_ORDER_MARK, csvLine } from "./csv.ts";
import { download } from "./download.ts";
import { fileOf } from "./files.ts";

const LIST = "rejects";
/** Rows fetched at a time for a download: with raw rows of a KB, about a megabyte in memory. */
const CSV_BATCH_ROWS = 1_000;
const CSV_HEADER = ["line", "code", "column", "value", "rule", "reason", "what to do", "row as it stood"];

type Reject = Omit<typeof rejects.$inferSelect, "fileId" | "naturalKey">;
type Place = readonly [line: string, position: string];

const rejectsAfter = (call: Call, fileId: string, after: Place | undefined, limit: number): Promise<Reject[]> =>
  call.deps.db
    .select({
      line: rejects.line,
      position: rejects.position,
      code: rejects.code,
      columnName: rejects.columnName,
      value: rejects.value,
      rule: rejects.rule,
      sentence: rejects.sentence,
      hint: rejects.hint,
      raw: rejects.raw,
    })
    .from(rejects)
    .where(
      and(
        eq(rejects.fileId, fileId),
        after && sql`(${rejects.line}, ${rejects.position}) > (${after[0]}::int, ${after[1]}::int)`,
      ),
    )
    .orderBy(asc(rejects.line), asc(rejects.position))
    .limit(limit);

const placeOf = (row: Reject): Place => [String(row.line), String(row.position)];

/** What such files say stands in the archive as it was set, not as an ERP writes it. */
export const MADE_CAUSES = ["reconcile", "restore"] as const;
const isMade = (cause: string): boolean => MADE_CAUSES.some((made) => made === cause);

/** GET /v1/files/:id/rejects.csv: the customer's own file with the reason behind each row that could not land. */
export async function annotatedFile(call: Call): Promise<Response> {
  const { c, deps } = call;
  const id = idInPath(c, "id");
  const { rows } = readQuery(c, { rows: oneOf(["rejected", "all"]).default("rejected") });
  const { file, names } = await fileOf(call, id);
  if (isMade(file.cause)) {
    throw problem("wrong-state", "We have made this file ourselves: there is none of the ERP to correct.", {
      members: { state: file.state },
    });
  }
  const adapter = deps.adapterOf(names.customer, names.feed);
  const open = await openVersions(deps.db, file.feedId);
  const active = open.filter(({ state }) => state === "active");
  const effective = adapter && effectiveFeed(adapter, pinnedVersions(adapter, active));
  if (effective?.kind !== "feed" || file.lines === null) {
    throw problem("wrong-state", "The rows of this file have not been read; “failure” of the file says why.", {
      members: { state: file.state },
    });
  }
  const [place] = await deps.db
    .select({ rawKey: deliveries.rawKey })
    .from(deliveries)
    .where(eq(deliveries.id, file.deliveryId));
  if (place === undefined) throw notFound();
  const payload = await deps.openPayload({ ...place, position: file.position });
  const copy = annotatedCopy(effective.feed, payload, allRejects(call, id), { rows });
  const contentType = `text/csv; charset=${charsetOf(effective.feed.file)}`;
  return download(call, copy, { contentType, name: `rejects-of-${id}.csv` });
}

/** Workbooks and the like come as UTF-8, whatever they are inside. */
const charsetOf = ({ kind, charset }: FileFormat): string => (kind === "delimited" ? charset : "utf-8");

async function* allRejects(call: Call, fileId: string): AsyncGenerator<Reject, void> {
  for (let after: Place | undefined; ; ) {
    const batch = await rejectsAfter(call, fileId, after, CSV_BATCH_ROWS);
    yield* batch;
    const last = batch.at(-1);
    if (last === undefined || batch.length < CSV_BATCH_ROWS) return;
    after = placeOf(last);
  }
}

export async function listRejects(call: Call): Promise<Response> {
  const { c } = call;
  const id = idInPath(c, "id");
  const query = readQuery(c, { format: oneOf(["json", "csv"]).default("json"), ...pageParameters });
  if (query.format === "csv" && query.cursor !== undefined) {
    throw problem("invalid-parameter", "The CSV download is always whole: leave “cursor” out.", {
      members: { parameter: "cursor" },
    });
  }
  const after = query.cursor === undefined ? undefined : readCursor(LIST, query.cursor, [intKey, intKey]);
  await fileOf(call, id);
  if (query.format === "csv") return csvDownload(call, id);
  const rows = await rejectsAfter(call, id, after, query.limit + 1);
  const page = pageOf(LIST, rows, query.limit, placeOf, (row) => ({
    line: row.line,
    position: row.position,
    code: row.code,
    column: row.columnName,
    value: row.value,
    rule: row.rule,
    sentence: row.sentence,
    hint: row.hint,
    raw: row.raw,
  }));
  return c.json(page);
}

/**
 * Streams all rejects, a batch in memory at a time. The first batch is fetched before the answer begins, so that trouble
 * is still a problem document; later trouble breaks the download off, which the client sees as an incomplete transfer.
 */
async function csvDownload(call: Call, id: string): Promise<Response> {
  let batch = await rejectsAfter(call, id, undefined, CSV_BATCH_ROWS);
  const encoder = new TextEncoder();
  let head = BYTE_ORDER_MARK + csvLine(CSV_HEADER);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const lines = batch.map((r) =>
        csvLine([r.line, r.code, r.columnName, r.value, r.rule, r.sentence, r.hint, r.raw]),
      );
      controller.enqueue(encoder.encode(head + lines.join("")));
      head = "";
      const last = batch.at(-1);
      if (last === undefined || batch.length < CSV_BATCH_ROWS) return controller.close();
      try {
        batch = await rejectsAfter(call, id, placeOf(last), CSV_BATCH_ROWS);
      } catch (thrown) {
        call.deps.log.error("api.csv-broken-off", { request_id: call.c.get("requestId"), ...traceOf(thrown) });
        throw thrown;
      }
    },
  });
  return new Response(body, {
    headers: {
      "Content-Type": "text/csv; charset=utf-8; header=present",
      "Content-Disposition": `attachment; filename="rejects-${id}.csv"`,
    },
  });
}
