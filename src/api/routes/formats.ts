/**
 * An operator's decisions about how the files of a feed are written: accept what was detected, refuse it, accept that a file
 * drifted, refuse a file. Each changes rows and audit log together and may be called again.
 */
import { eq, sql } from "drizzle-orm";
import { z } from "zod";
import { asFailure, type FailureCode, report } from "../../domain/failures.ts";
import {
  mappingSchema,
  type OpenQuestion,
  type Proposed,
  pinnedVersions,
  profileSchema,
} from "../../domain/feed-version.ts";
import { jsonText } from "../../platform/postgres.ts";
import { auditLog, deliveries, feedVersions, files } from "../../platform/schema.ts";
import { feedOf } from "../auth/scope.ts";
import type { Call } from "../deps.ts";
import { acceptanceSchema, accepted, checkAnswers, noteSchema } from "../formats/acceptance.ts";
import { activate, openVersions, wake } from "../formats/decide.ts";
import { notFound, problem } from "../problem/problem.ts";
import { readJson } from "../query/json-body.ts";
import { customerInPath, feedInPath, idInPath, readQuery } from "../query/query.ts";
import { fileOf } from "./files.ts";
import { answerDecision, holdInQuestion } from "./holds.ts";
import { wrongState } from "./releases.ts";

/** POST /v1/feeds/:customer/:feed/profile/accept */
export async function acceptProfile(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  readQuery(c, {});
  const given = await readJson(c, acceptanceSchema);
  const scope = await feedOf(deps.db, caller, customerInPath(c, "customer"), feedInPath(c, "feed"));
  const adapter = adapterOf(call, scope);
  const open = await openVersions(deps.db, scope.feedId);
  const active = open.filter(({ state }) => state === "active");
  const [profile, mapping] = (["profile", "mapping"] as const).map((kind) =>
    open.find((one) => one.state === "proposed" && one.kind === kind),
  );
  if (profile === undefined) {
    // Accepted before, or the adapter's folder says it now: what still waits is read again.
    if (!active.some(({ kind }) => kind === "profile")) throw nothingProposed();
    await activate(call, scope, [], null, undefined);
    return answer(call, scope.customer, scope.feed);
  }
  const stored: Proposed = {
    profile: profileOrNone.parse(profile.data),
    mapping: mappingOrNone.parse(mapping?.data ?? null),
    ...openIn(profile.evidence),
  };
  checkAnswers(stored.questions, given);
  const proposed =
    given.answers.length === 0 || profile.fileId === null
      ? stored
      : await proposedWith(call, { ...scope, active, driftReport: null }, profile.fileId, given.answers);
  const activations = accepted(adapter, pinnedVersions(adapter, active), proposed, given).map((one) => ({
    ...one,
    version: one.kind === "profile" ? profile.version : mapping?.version,
  }));
  await activate(call, scope, activations, profile.fileId, given.note);
  return answer(call, scope.customer, scope.feed);
}

const adapterOf = ({ deps }: Call, { customer, feed }: { readonly customer: string; readonly feed: string }) => {
  const adapter = deps.adapterOf(customer, feed);
  if (adapter === undefined) throw notFound();
  return adapter;
};

const nothingProposed = () =>
  problem("wrong-state", "There is no proposal for this feed. It comes with the first file.", {
    members: { state: "no proposal" },
  });

/** What cannot be a version is none: then an operator sends one. */
const profileOrNone = profileSchema.nullable().catch(null);
const mappingOrNone = mappingSchema.nullable().catch(null);

/** What was left open when the proposal was made. */
const openSchema = z.object({
  questions: z.array(z.custom<OpenQuestion>()).default([]),
  faults: z.array(z.custom<Proposed["faults"][number]>()).default([]),
});

const openIn = (evidence: unknown) => openSchema.parse(evidence);

/** The proposal again, with answers. What makes the file unreadable is told as it is. */
async function proposedWith(
  { deps }: Call,
  waiting: Pick<Parameters<Call["deps"]["propose"]>[0], "customer" | "feed" | "active" | "driftReport">,
  fileId: string,
  answers: z.output<typeof acceptanceSchema>["answers"],
): Promise<Proposed> {
  const [place] = await deps.db
    .select({ rawKey: deliveries.rawKey, position: files.position })
    .from(files)
    .innerJoin(deliveries, eq(deliveries.id, files.deliveryId))
    .where(eq(files.id, fileId));
  if (place === undefined) throw notFound();
  try {
    return await deps.propose({ ...waiting, ...place }, answers);
  } catch (thrown) {
    const failed = asFailure(thrown).report;
    if (failed.disposition !== "reject") throw thrown;
    throw problem("not-acceptable-yet", `With these answers the file cannot be read: ${failed.sentence}`, {
      members: { code: failed.code },
    });
  }
}

const answer = ({ c }: Call, customer: string, feed: string): Response =>
  c.json({ accepted: true, versions_url: `/v1/feeds/${customer}/${feed}/versions` }, 202);

const rejectionSchema = z.object({ note: noteSchema.optional() }).strict();

/** POST /v1/feeds/:customer/:feed/profile/reject: what was detected is wrong, and so are the files that wait for it. */
export async function rejectProfile(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  readQuery(c, {});
  const { note } = await readJson(c, rejectionSchema);
  const scope = await feedOf(deps.db, caller, customerInPath(c, "customer"), feedInPath(c, "feed"));
  const failure = report("refused-by-operator", { by: caller.name, reason: note ?? "its format was not accepted" });
  const subject = `proposal of feed ${scope.customer}/${scope.feed}`;
  await deps.db.execute(sql`
    WITH refused AS (
      UPDATE ${feedVersions} v SET state = 'rejected', note = ${note ?? null}, decided_at = now(), decided_by = ${caller.name}
      WHERE v.feed_id = ${scope.feedId}::int AND v.state = 'proposed' AND v.created_by = 'detection' RETURNING v.version),
    ended AS (
      UPDATE ${files} f SET state = 'rejected', failure = ${jsonText(failure)}::jsonb, updated_at = now()
      WHERE f.feed_id = ${scope.feedId}::int AND f.state = 'held' AND f.failure->>'code' = 'format-unconfirmed'
        AND EXISTS (SELECT 1 FROM refused) RETURNING f.id)
    INSERT INTO ${auditLog} (actor, action, subject, detail)
    SELECT ${caller.name}, 'reject', ${subject}, jsonb_build_object('note', ${note ?? null}::text, 'files', (SELECT count(*) FROM ended))
    WHERE EXISTS (SELECT 1 FROM refused)`);
  return c.json({ rejected: true, versions_url: `/v1/feeds/${scope.customer}/${scope.feed}/versions` });
}

/** POST /v1/files/:id/accept-drift: from now on the files look like this one. */
export async function acceptDrift(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const id = idInPath(c, "id");
  readQuery(c, {});
  const given = await readJson(c, acceptanceSchema);
  const { file, names } = await fileOf(call, id);
  const scope = await feedOf(deps.db, caller, names.customer, names.feed);
  if (file.state === "held" && file.failure?.code === "format-drift") {
    const adapter = adapterOf(call, names);
    const active = (await openVersions(deps.db, scope.feedId)).filter(({ state }) => state === "active");
    const [row] = await deps.db.select({ driftReport: files.driftReport }).from(files).where(eq(files.id, id));
    const stored = driftSchema.parse(row?.driftReport);
    checkAnswers(stored.questions, given);
    const proposed =
      given.answers.length === 0
        ? stored
        : await proposedWith(call, { ...names, active, driftReport: row?.driftReport }, id, given.answers);
    const activations = accepted(adapter, pinnedVersions(adapter, active), proposed, given);
    await activate(
      call,
      scope,
      activations.map((one) => ({ ...one, version: undefined })),
      id,
      given.note,
    );
  } else if (file.releasedAt === null || !["parsing", "parsed", "applying", "applied"].includes(file.state)) {
    throw wrongState(`The file is “${file.state}”; only one that is held for its format can be accepted.`, file.state);
  } else await wake(deps, scope);
  const now = await fileOf(call, id);
  return c.json({ file: { id, state: now.file.state }, status_url: `/v1/files/${id}` }, 202);
}

const driftSchema = openSchema.extend({
  profile: profileOrNone,
  mapping: mappingOrNone,
});

const refusalSchema = z.object({ reason: noteSchema }).strict();

/** Holds in which a file stands after its rows were written: to refuse it takes nothing of that back. */
const LOADED: ReadonlySet<FailureCode> = new Set(["retires-more-than-planned", "books-unbalanced"]);

/** POST /v1/files/:id/reject: a file that is held is not to be applied, ever. */
export async function rejectFile(call: Call): Promise<Response> {
  const { c, deps, caller } = call;
  const id = idInPath(c, "id");
  readQuery(c, {});
  const { reason } = await readJson(c, refusalSchema);
  const before = await fileOf(call, id);
  const hold = await holdInQuestion(call, before);
  if (hold !== undefined) return answerDecision(call, hold, "reject", reason);
  const code = before.file.failure?.code ?? null;
  const loaded = code !== null && LOADED.has(code) ? { loaded: true } : {};
  const failure = report("refused-by-operator", { by: caller.name, reason, ...loaded });
  // Only what was looked at: should the gate hold it meanwhile, that is decided by its hold.
  await deps.db.execute(sql`
    WITH held AS (
      SELECT id, failure FROM ${files} WHERE id = ${id}::bigint AND state = 'held' AND failure->>'code' = ${code} FOR UPDATE),
    ended AS (
      UPDATE ${files} f SET state = 'rejected', failure = ${jsonText(failure)}::jsonb, updated_at = now()
      FROM held WHERE f.id = held.id RETURNING f.id, held.failure AS was)
    INSERT INTO ${auditLog} (actor, action, subject, detail)
    SELECT ${caller.name}, 'reject', 'file ' || id, jsonb_build_object('reason', ${reason}::text, 'failure', was) FROM ended`);
  const { file } = await fileOf(call, id);
  if (file.state !== "rejected" || file.failure?.code !== "refused-by-operator") {
    const now = file.state === "held" ? "held for something else by now; look at it again" : `“${file.state}”`;
    throw wrongState(`The file is ${now}. Only a held one can be refused.`, file.state);
  }
  return c.json({ file: { id, state: file.state }, status_url: `/v1/files/${id}` });
}
