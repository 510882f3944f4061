/**
 * One payload of a feed, from its bytes to an end of the parse stage. The feed is known: it is read by the pinned format,
 * held against it, and goes on or is held as drift. The feed is not known: it is detected once, proposed, and waits.
 */
import type { Feed } from "../domain/adapter.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import { asFailure, type FailureReport, failure, report } from "../domain/failures.ts";
import { type FormatProfile, formatDigest, mappingDigest, profileSchema } from "../domain/feed-version.ts";
import { type FileOrder, orderKeyOf } from "../domain/ids.ts";
import type { FileState } from "../domain/states.ts";
import { asOfStated, tellDisbelieved } from "./as-of.ts";
import type { JudgedBy, NewVersion, ParseDeps, Refusal } from "./deps.ts";
import { type DriftReport, driftOfFound, driftOfRead, heldAgainst } from "./drift-report.ts";
import { foundInPayload } from "./found-payload.ts";
import { type KnownFeed, mappingOf, mappingToPin, profileRow } from "./known-feed.ts";
import { compareWithPinned, driftOfFailure, learnt, mayBeDrift } from "./match/drift.ts";
import type { FoundTable } from "./match/found.ts";
import type { Proposal } from "./match/propose.ts";
import { proposeVersions } from "./match/propose.ts";
import { type Observed, ShapeCollector } from "./match/shape.ts";
import { driftNotice, unconfirmedNotice } from "./notices.ts";
import type { Opened, Payload } from "./open/open.ts";
import { parsePayload } from "./read-payload.ts";
import { asks, passes, type Reading } from "./reading.ts";
import { judgeSequence, sequenceFault } from "./table/controls.ts";

export interface FileToRead {
  readonly id: string;
  readonly path: string;
  readonly facts: DeliveryFacts;
  /** Its place, but for the number that only the file itself can state. */
  readonly order: Omit<FileOrder, "sequence">;
  readonly judgedBy: JudgedBy;
  readonly reading: Reading;
  /** State of the file that came, of one that is read again. */
  readonly original: FileState | undefined;
}

export interface ReadFile {
  readonly state: FileState;
  /** Accepted rows; known of a file that was read to its end. */
  readonly rows?: number;
  /** The versions of the feed have changed. */
  readonly pinned: boolean;
}

/** A file that cannot be read is refused whole, with its reason; our own trouble is thrown. */
export async function readFile(known: KnownFeed, file: FileToRead, one: Opened, deps: ParseDeps): Promise<ReadFile> {
  if (one.kind === "problem") return refuse(file, { failure: one.report }, deps);
  if (known.effective.kind === "feed") return readKnown(known, known.effective.feed, file, one.file, deps);
  return readUnknown(known, file, one.file, deps);
}

/** What is stored of a refusal: nobody is asked about a file that is read for another reason than that it came. */
function refusalOf({ reading }: FileToRead, refusal: Refusal): Refusal {
  if (asks(reading)) return refusal;
  const { proposals: _, message: __, ...rest } = refusal;
  return { ...rest, final: true };
}

async function refuse(file: FileToRead, refused: Refusal, deps: ParseDeps): Promise<ReadFile> {
  const refusal = refusalOf(file, refused);
  const state = await deps.tables.refuseFile(file.id, refusal, file.judgedBy);
  return { state, pinned: refusal.proposals !== undefined };
}

/** The report of a thrown failure that is about the file; all else goes on up. */
function aboutFile(thrown: unknown): FailureReport {
  const failed = asFailure(thrown);
  if (failed.disposition === "reject" || failed.disposition === "hold") return failed.report;
  throw failed;
}

// ── a feed whose format is not accepted yet ──────────────────────────────────────────────────────────────────────────

async function readUnknown(known: KnownFeed, file: FileToRead, payload: Payload, deps: ParseDeps): Promise<ReadFile> {
  const { adapter, pinned, versions } = known;
  if (versions.asked || !asks(file.reading))
    return refuse(file, { failure: report("format-unconfirmed", { questions: 0 }) }, deps);
  let found: FoundTable;
  try {
    found = await foundInPayload(payload, pinned.answers, adapter.file?.at);
  } catch (thrown) {
    return refuse(file, { failure: aboutFile(thrown) }, deps);
  }
  const described = pinned.mapping === undefined ? adapter : { ...adapter, ...pinned.mapping };
  const proposal = proposeVersions(described, found, pinned.answers);
  return refuse(
    file,
    {
      failure: report("format-unconfirmed", { questions: proposal.questions.length }),
      proposals: proposedVersions(known, found, proposal),
      message: deps.compose(unconfirmedNotice(adapter, file.facts, file, found, proposal)),
    },
    deps,
  );
}

function proposedVersions({ adapter }: KnownFeed, found: FoundTable, proposal: Proposal): NewVersion[] {
  const { questions, faults, profile, mapping } = proposal;
  const evidence = { evidence: found.evidence, questions, faults, lines: found.lines };
  return [
    { kind: "profile", base: formatDigest(adapter), data: profile, evidence },
    ...(mapping === undefined
      ? []
      : [{ kind: "mapping" as const, base: mappingDigest(adapter), data: mapping, evidence: {} }]),
  ];
}

// ── a feed whose format is pinned, or said by its adapter ────────────────────────────────────────────────────────────

async function readKnown(
  known: KnownFeed,
  feed: Feed,
  file: FileToRead,
  payload: Payload,
  deps: ParseDeps,
): Promise<ReadFile> {
  const observer = new ShapeCollector(feed.file.delimiter);
  try {
    const parsed = await parsePayload(
      feed,
      payload,
      {
        chunk: (entry, bytes) => deps.putChunk(file.id, feed.version, entry, bytes),
        rejects: (batch) => deps.tables.addRejects(file.id, batch, feed.version),
      },
      { observer, fileName: payload.name, expect: known.versions.expect },
    );
    const observed = observer.observed();
    const failed = parsed.failure ?? (await sequenceFailure(known, file, parsed.sequence, deps));
    const refusal = await refusalOfRead(known, feed, file, payload, observed, failed, deps);
    const pinned = refusal === undefined && asks(file.reading) && (await pin(known, feed, file, observed, deps));
    const asOf = asOfStated(feed, file.facts, parsed.generatedAt);
    if (asOf !== undefined) tellDisbelieved(asOf, file.facts, deps.log);
    const order = asOf === undefined ? file.order : { ...file.order, asOfMs: asOf.at.getTime() };
    const orderKey = orderKeyOf({ ...order, sequence: parsed.sequence ?? 0 });
    const end = { ...parsed, orderKey, asOf };
    const state = await deps.tables.finishFile(file.id, feed, end, refusal, file.judgedBy);
    return { state, rows: parsed.books.accepted, pinned };
  } catch (thrown) {
    const failed = aboutFile(thrown);
    return refuse(file, (await driftBehind(known, feed, file, payload, failed, deps)) ?? { failure: failed }, deps);
  }
}

/** What the file's number says against that of the last one. Throws `feed-busy` while an earlier file may fill the gap. */
async function sequenceFailure(
  { adapter }: KnownFeed,
  file: FileToRead,
  sequence: number | null,
  deps: ParseDeps,
): Promise<FailureReport | null> {
  const policy = adapter.controls?.sequence;
  // The number of what is read again is old beside that of the last file, as it must be.
  if (policy === undefined || sequence === null || file.reading.cause === "replay") return null;
  const { previous, beingRead } = await deps.tables.sequenceBefore(file.id);
  const failed = judgeSequence(previous, sequence, policy);
  const passed = failed === null ? sequenceFault(previous, sequence, policy) : null;
  if (passed !== null) {
    const { id: correlationId, customer, feed } = file.facts;
    deps.log.warn("sequence-passed", { correlationId, customer, feed, file: file.id, code: passed.code, sequence });
  }
  if (failed?.code === "sequence-gap" && beingRead !== null) {
    throw failure("feed-busy", { file: file.id, activeFile: beingRead });
  }
  return failed;
}

/** Why a file that was read to its end does not go on. */
async function refusalOfRead(
  known: KnownFeed,
  feed: Feed,
  file: FileToRead,
  payload: Payload,
  observed: Observed,
  failed: FailureReport | null,
  deps: ParseDeps,
): Promise<Refusal | undefined> {
  const against = heldAgainst(feed, known.pinned);
  const drift = compareWithPinned(against, observed, known.adapter);
  if (drift !== null) {
    const made = driftOfRead(drift, against, observed, mappingOf(known));
    return refusalOf(file, held(known, file, made, failed ?? undefined, deps));
  }
  if (failed === null) return undefined;
  const behind = await driftBehind(known, feed, file, payload, failed, deps);
  if (behind === undefined && passes(failed, file.reading, file.original)) return undefined;
  return refusalOf(file, behind ?? { failure: failed });
}

/** The drift that explains a failure; undefined where the failure stands for itself. */
async function driftBehind(
  known: KnownFeed,
  feed: Feed,
  file: FileToRead,
  payload: Payload,
  failed: FailureReport,
  deps: ParseDeps,
): Promise<Refusal | undefined> {
  if (!mayBeDrift(failed)) return undefined;
  const against = heldAgainst(feed, known.pinned);
  const found = await foundIfAny(payload, feed.file.at);
  const drift = driftOfFailure(against, failed, found, known.adapter);
  if (drift === null) return undefined;
  const made = driftOfFound(drift, against, found, known.adapter, mappingOf(known), []);
  return held(known, file, made, failed, deps);
}

/** Undefined where detection refuses the file: the failure of the parse says more. */
async function foundIfAny(payload: Payload, at: readonly string[] | undefined): Promise<FoundTable | undefined> {
  try {
    return await foundInPayload(payload, [], at);
  } catch (thrown) {
    aboutFile(thrown);
    return undefined;
  }
}

function held(
  { adapter }: KnownFeed,
  file: FileToRead,
  made: DriftReport,
  original: FailureReport | undefined,
  deps: ParseDeps,
): Refusal {
  const { cause, sentence } = made.drift;
  const kept = original && { code: original.code, sentence: original.sentence, hint: original.hint };
  return {
    failure: report("format-drift", { cause, sentence, ...(kept === undefined ? {} : { original: kept }) }),
    driftReport: made,
    message: deps.compose(driftNotice(adapter, file.facts, file, made, original)),
  };
}

/**
 * The first good file shows what the columns look like: with it the adapter's own words become versions, or an accepted
 * profile without columns gets them. True where a version was written.
 */
async function pin(
  known: KnownFeed,
  feed: Feed,
  file: FileToRead,
  observed: Observed,
  deps: ParseDeps,
): Promise<boolean> {
  const { adapter, pinned } = known;
  const row = profileRow(known);
  const versions = mappingToPin(known);
  if (pinned.profile === undefined) {
    const data = withColumns(heldAgainst(feed, pinned), observed);
    versions.unshift({ kind: "profile", base: formatDigest(adapter), data });
  } else if (row !== undefined && pinned.profile.columns.length === 0 && observed.columns.length > 0) {
    await deps.tables.complete(file.id, row, withColumns(pinned.profile, observed));
    if (versions.length === 0) return true;
  }
  if (versions.length === 0) return false;
  await deps.tables.pin(file.id, versions);
  return true;
}

/** A version that could not be read again would stop the feed: what cannot be kept of a file is left out. */
function withColumns(profile: FormatProfile, observed: Observed): FormatProfile {
  const read = profileSchema.safeParse(learnt(profile, observed));
  return read.success ? read.data : profile;
}
