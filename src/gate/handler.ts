/**
 * The gate between plan and apply: what a file would do is held against what the feed's files usually do. One that goes is let
 * go once; one that does too much is held with all that a person needs to decide, in the statement that holds it.
 */
import { failure } from "../domain/failures.ts";
import { type GateCheck, type GatePolicy, gatePolicy, laterFiles } from "../domain/gate-policy.ts";
import { type FileToApply, isOurs, type Plan, planNumbers } from "../domain/plan.ts";
import { type Allowance, type Forecast, retirements } from "../domain/retirement.ts";
import type { GateDeps, GatedFile, JudgeDeps, Lease, SampledRow } from "./deps.ts";
import type { Answered, Judgement, PlanFacts, Sample } from "./facts.ts";
import { fieldsOfFiles, fieldsOfSamples } from "./fields.ts";
import { judge } from "./judge.ts";
import { blastRadiusNotice, heldReport } from "./notices.ts";
import { type FileFacts, factsOf } from "./of-plan.ts";
import { sampleLines, samplesOf } from "./sample.ts";
import { widened, wideningOf } from "./widen.ts";

const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 24 * MS_PER_HOUR;

/** `held`: the checks that hold it. */
export type Gated = { readonly go: Allowance } | { readonly held: readonly GateCheck[] };

/**
 * Judges the recorded plan of a file, and writes down what comes of it. What we have made ourselves is not judged here: drift
 * is by the limits of its reconciliation, a restore by who orders it.
 *
 * Throws `lease-lost`, `file-missing`, `chunk-missing`, `storage-unavailable` and the database's failures.
 */
export async function gateFile(
  deps: GateDeps,
  file: FileToApply,
  plan: Plan,
  lease: Lease,
  nowMs: number,
): Promise<Gated> {
  await lease.beat();
  const { tables } = deps;
  if (isOurs(file)) return letGo(deps, file, plan, lease, { allowed: await tables.listed(file.id) }, undefined);
  // Nothing of it is written, so nothing is asked.
  if (plan.mode === "late") return letGo(deps, file, plan, lease, { allowed: 0 }, undefined);
  const full = file.feedMode === "full";
  const enough = Math.max(COUNT_MIN_RECORDS, file.accepted * COUNT_PER_ROW);
  let forecast = full ? await deps.forecast(file.id) : nothingMissing(await tables.records(file, enough));
  let judged = await judgeFile(deps, file, plan, forecast, lease.beat);
  let counted = full || forecast.active < enough;
  if (!counted && judged.verdict === "hold") {
    forecast = nothingMissing(await tables.records(file));
    judged = await judgeFile(deps, file, plan, forecast, lease.beat);
    counted = true;
  }
  if (judged.unjudged.length > 0) {
    deps.log.info("gate-unjudged", { fileId: file.id, checks: judged.unjudged.join(" ") });
  }
  await lease.beat();
  if (judged.verdict === "hold") return hold(deps, file, plan, judged, lease, nowMs);
  const kept = forecast.bar === "rejects-unread" ? forecast.missing : 0;
  const allowance = { allowed: retirements(forecast), ...(kept === 0 ? {} : { kept }) };
  return letGo(deps, file, plan, lease, allowance, counted ? forecast.active : undefined);
}

/**
 * Of a large feed the records are counted as far as it matters for a small delta, since all of five million take a second. A file
 * that goes with fewer records would go with more: all shares are of them. One that does not go is judged by all.
 */
const COUNT_PER_ROW = 100;
const COUNT_MIN_RECORDS = 10_000;

export interface JudgedFile extends Judgement {
  readonly row: GatedFile;
  readonly facts: PlanFacts;
  /** The adapter's, with what was laid over it. */
  readonly policy: GatePolicy;
}

/** What the gate says of a plan; writes nothing. `beat` is awaited before anything that takes long. Throws as `gateFile` does. */
export async function judgeFile(
  deps: JudgeDeps,
  file: FileToApply,
  plan: Plan,
  forecast: Forecast,
  beat: () => Promise<void> = async () => undefined,
): Promise<JudgedFile> {
  const row = await deps.tables.file(file.id);
  if (row === undefined) throw failure("file-missing", { file: file.id });
  const policy = gatePolicy({ ...deps.policy(row.customer, row.feed), ...row.widening });
  const facts = factsOf(plan, fileFacts(file, row, forecast));
  if (row.passed) return { row, facts, policy, verdict: "go", tripped: [], telling: [], unjudged: [] };
  const missing: Sample[] =
    forecast.bar === undefined ? forecast.sample.map((one) => ({ kind: "retired", ...one })) : [];
  const judgement = judge(facts, row.history, missing, policy);
  // Most files do little, and nobody needs to see their rows.
  if (judgement.verdict === "go" && !judgement.unjudged.some((check) => ASKS_ROWS.has(check))) {
    return { row, facts, policy, ...judgement };
  }
  await beat();
  const samples = [...(await rowsThatShow(deps, file, plan)), ...missing];
  const seen = facts.fields.length > 0 ? facts : { ...facts, fields: fieldsOfSamples(samples, facts.numeric) };
  return { row, facts: seen, policy, ...judge(seen, row.history, samples, policy) };
}

/** Checks that look at rows where a file does much. */
const ASKS_ROWS: ReadonlySet<GateCheck> = new Set(["setToZero", "setToBlank", "total", "median"]);

/** What was applied once has passed these, and what they ask does not change by reading it again. */
const PASSED_ONCE: readonly Answered[] = [
  { check: "asOfOld" },
  { check: "rowCount" },
  { check: "sheetLimit" },
  { check: "emptyFile" },
];

/** A delta is silent about what it does not name. */
const nothingMissing = (active: number): Forecast => ({ active, missing: 0, retired: 0, bar: "not-full", sample: [] });

function fileFacts(file: FileToApply, row: GatedFile, forecast: Forecast): FileFacts {
  const { accepted, rejected, otherLines, asOfMs, receivedMs, statedMs, history } = row;
  const mode = file.feedMode === "full" ? "full" : "delta";
  const numbers = row.fieldNumbers ?? {};
  return {
    mode,
    records: forecast.active,
    rows: accepted + rejected,
    rejected,
    otherLines,
    retired: retirements(forecast),
    numeric: Object.keys(numbers),
    fields: fieldsOfFiles(mode, numbers, history),
    asOfMs,
    receivedMs,
    ...(statedMs === null ? {} : { statedMs }),
    answered: file.cause === "replay" ? [...row.answered, ...PASSED_ONCE] : row.answered,
  };
}

/** Some of the rows that would be written, as they are and as they would be. */
async function rowsThatShow(deps: JudgeDeps, file: FileToApply, plan: Plan): Promise<Sample[]> {
  if (plan.mode !== "diff") return [];
  const rows: SampledRow[] = [];
  for await (const some of deps.rows(file, plan, sampleLines(plan.need))) rows.push(...some);
  if (rows.length === 0) return [];
  const known = await deps.tables.known(
    file,
    rows.map(({ key }) => key),
  );
  return samplesOf(rows, known, file.merges);
}

async function letGo(
  deps: GateDeps,
  file: FileToApply,
  plan: Plan,
  lease: Lease,
  allowance: Allowance,
  records: number | undefined,
): Promise<Gated> {
  const same = plan.mode === "diff" && plan.same > 0 ? { same: plan.same } : {};
  const go = await deps.tables.pass(file.id, lease.token, { ...allowance, ...same }, records);
  if (go === undefined) throw failure("lease-lost", { file: file.id });
  return { go };
}

async function hold(
  deps: GateDeps,
  file: FileToApply,
  plan: Plan,
  judged: JudgedFile,
  lease: Lease,
  nowMs: number,
): Promise<Gated> {
  const { row, facts, policy, tripped, telling } = judged;
  const { customer, customerTitle, feed, feedTitle, path, deliveryId, sender, receivedAt } = row;
  const nonce = deps.nonce();
  const expiresMs = nowMs + policy.expireAfterDays * MS_PER_DAY;
  const later = laterFiles(policy, facts.mode);
  const widening = wideningOf(policy, widened(policy, tripped, facts));
  const ofFile = { customer, customerTitle, feed, feedTitle, fileId: file.id, path, deliveryId, sender, receivedAt };
  const ofHold = { later, expiresAt: iso(expiresMs), reminder: false };
  // What an operator reads again is his business alone: to the customer it was loaded long ago.
  const recipients = file.cause === "delivery" ? deps.recipients(customer, feed) : (["operator"] as const);
  const mails = recipients.map((recipient) => {
    const links = deps.links({ fileId: file.id, nonce, expiresMs, widening }, recipient);
    return {
      ...deps.compose(blastRadiusNotice({ ...ofFile, ...ofHold, recipient, links }, facts, judged)),
      key: `blast-radius of file ${file.id}, hold ${row.holds + 1}, to the ${recipient}`,
    };
  });
  const remindAt = iso(nowMs + policy.remindAfterHours * MS_PER_HOUR);
  const held = await deps.tables.hold(
    file.id,
    lease.token,
    heldReport(judged),
    planNumbers(plan, facts.mode === "full" ? { allowed: facts.retired } : {}),
    { nonce, facts, tripped, telling, widening, later, remindAt, expiresAt: iso(expiresMs) },
    mails,
  );
  if (!held) throw failure("lease-lost", { file: file.id });
  return { held: [...new Set(tripped.map(({ check }) => check))] };
}

const iso = (ms: number): string => new Date(ms).toISOString();
