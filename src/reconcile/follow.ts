/**
 * What follows from a report: drift within the limits is healed by a file of ours, drift above them is told and waits. Each
 * step may die and be done again: the report says how far it came, and the cron goes on with those that rest.
 */
import { feedName } from "../domain/adapter.ts";
import { failure } from "../domain/failures.ts";
import { applyFileMessage } from "../domain/messages.ts";
import type { Recipient, SnapshotDriftNotice } from "../domain/notice.ts";
import { type ComparedFile, comparedFile } from "./compared.ts";
import type { DriftDeps } from "./deps.ts";
import { healingFile } from "./healing.ts";
import { beginHealing, breakSeals, endHealing, listRetirements } from "./healing-file.ts";
import { pairOf, sameFields } from "./pairing.ts";
import {
  decideDrift,
  driftWaits,
  giveUpHealing,
  type StoredReport,
  storedReport,
  tellingRows,
  writeMails,
} from "./reports.ts";
import type { ReportState } from "./tables.ts";
import { tellingRow } from "./telling.ts";

/** The alert of drift that waits for a person; its subject is the feed. */
export const DRIFT_ALERT = "drift-waits";
/** A report that nobody has decided about is over after this: by then a week of newer snapshots has come. */
export const WAITING_DAYS = 7;
/** Rows shown in a mail. */
const TELLING_ROWS = 10;
/** Who acts where nobody does. */
export const OURSELVES = "mailfeed";
/** Numbers of an attempt's chunks: no file of five million rows has so many. */
const CHUNKS_PER_ATTEMPT = 100_000;
const MS_PER_DAY = 86_400_000;

/** Does what the state of a report asks for, and answers the state it is in then. */
export async function follow(deps: DriftDeps, id: string): Promise<ReportState | undefined> {
  const report = await storedReport(deps, id);
  if (report === undefined) return undefined;
  switch (report.state) {
    case "healing":
    case "released":
      await endAlert(deps, report);
      await heal(deps, report);
      break;
    case "waiting":
      await tellWaiting(deps, report);
      break;
    case "clean":
    case "rejected":
      await endAlert(deps, report);
      break;
  }
  return (await storedReport(deps, id))?.state;
}

/** Makes the file that heals a report and sends it on its way: from there on it is a file like any other. */
async function heal(deps: DriftDeps, report: StoredReport): Promise<void> {
  const { healingState } = report;
  if (healingState === "rejected") return giveUp(deps, report, "the file that was to heal it is refused");
  if (healingState !== null && healingState !== "parsing") return send(deps, report);
  if (report.overtaken) return giveUp(deps, report, "a newer list was compared before it was healed");
  const compared = await comparedOf(deps, report);
  const pair = await pairOf(deps, compared, report.run);
  if ("faults" in pair) return giveUp(deps, report, pair.faults.join("; "));
  const { file, how } = pair;
  if (!sameFields(report.fields, how.comparison)) return giveUp(deps, report, "the feeds are described otherwise now");

  const begun = await beginHealing(deps, report.id);
  if (begun === undefined) return;
  let listed = 0;
  const made = await healingFile(
    deps,
    report,
    file,
    how,
    {
      chunk: (entry, bytes) => deps.putChunk(begun.file, file.adapterVersion, entry, bytes),
      async retire(records) {
        await listRetirements(deps, begun, report.id, listed, records);
        listed += records.length;
      },
      broken: (seals) => breakSeals(deps, file.customerId, file.feedId, seals),
    },
    begun.attempt * CHUNKS_PER_ATTEMPT,
  );
  if ("outgrown" in made) return giveUp(deps, report, made.outgrown);
  if (!(await endHealing(deps, report.id, begun.attempt, made))) return;
  deps.log.info("drift-heals", { report: report.id, fileId: begun.file, rows: made.accepted, retire: made.retired });
  const ready = await storedReport(deps, report.id);
  if (ready !== undefined) await send(deps, ready);
}

/** Wakes apply. Where the queue does not take it the sweep does, as with any file. */
async function send(deps: DriftDeps, { customer, feed, ...report }: StoredReport): Promise<void> {
  const { healingFileId: fileId, healingState, healingDelivery: correlationId, healingRows: rows } = report;
  if (fileId === null || correlationId === null || healingState !== "parsed") return;
  await deps.enqueueApply(
    applyFileMessage({ customer, feed, correlationId, fileId, ...(rows === null ? {} : { rows }) }),
  );
}

async function giveUp(deps: DriftDeps, report: StoredReport, why: string): Promise<void> {
  await giveUpHealing(deps, report.id, OURSELVES, why);
  deps.log.warn("drift-not-healed", { report: report.id, why });
}

async function comparedOf(deps: DriftDeps, { fileId }: StoredReport): Promise<ComparedFile> {
  const file = await comparedFile(deps, fileId);
  if (file === undefined) throw failure("file-missing", { file: fileId });
  return file;
}

async function tellWaiting(deps: DriftDeps, report: StoredReport): Promise<void> {
  await deps.alarm.raise({
    kind: DRIFT_ALERT,
    subject: feedName(report),
    severity: "critical",
    detail: `Report ${report.id}: ${report.drift} of ${report.records} records differ from the ERP's list, more than heals by itself.`,
  });
  if (!report.told) await tell(deps, report, false);
}

/** The alert is of the feed: another report of it may wait. */
export async function endAlert(deps: DriftDeps, report: StoredReport): Promise<void> {
  if (!(await driftWaits(deps, report))) await deps.alarm.clear(DRIFT_ALERT, feedName(report));
}

/** Nobody has decided: the records stay as they are, and both are told. */
export async function expire(deps: DriftDeps, report: StoredReport): Promise<void> {
  const state = await decideDrift(deps, report.id, "rejected", OURSELVES, `nobody decided in ${WAITING_DAYS} days`);
  await endAlert(deps, report);
  if (state === "rejected") await tell(deps, report, true);
}

/** Writes the mails: to our operator, and to the customer's contact where the adapter names one. */
async function tell(deps: DriftDeps, report: StoredReport, expired: boolean): Promise<void> {
  const compared = await comparedOf(deps, report);
  const adapter = deps.feeds.find(({ customer, feed }) => customer === report.customer && feed === report.feed);
  const telling = (await tellingRows(deps, report.id, TELLING_ROWS)).map(tellingRow);
  const noticeTo = (recipient: Recipient): SnapshotDriftNotice => ({
    kind: "snapshot-drift",
    recipient,
    customer: report.customer,
    customerTitle: adapter?.customerTitle ?? report.customer,
    feed: report.feed,
    feedTitle: adapter?.title ?? report.feed,
    fileId: report.fileId,
    path: compared.path,
    deliveryId: compared.deliveryId,
    sender: compared.sender,
    receivedAt: compared.receivedAt,
    reportId: report.id,
    ownFile: compared.feed === report.feed,
    asOf: compared.asOf,
    reasons: report.reasons,
    numbers: {
      records: report.records ?? 0,
      listed: report.snapshotRows ?? 0,
      missingHere: report.missingHere ?? 0,
      missingThere: report.missingThere ?? 0,
      differs: report.differs ?? 0,
      drift: report.drift ?? 0,
      explained: report.explained,
    },
    telling,
    expiresAt: new Date(Date.parse(report.comparedAt ?? compared.receivedAt) + WAITING_DAYS * MS_PER_DAY).toISOString(),
    expired,
  });
  const recipients: Recipient[] = adapter?.contact === undefined ? ["operator"] : ["operator", "contact"];
  const mails = recipients.map((recipient) => deps.compose(noticeTo(recipient)));
  await writeMails(deps, report.id, mails, expired);
}
