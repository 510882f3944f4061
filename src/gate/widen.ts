/** Release once and widen: what an operator lays over the feed's policy so that such a file goes the next time. Pure. */
import type { GateCheck, GatePolicy, GatePolicyInput } from "../domain/gate-policy.ts";
import { percent } from "../domain/words.ts";
import type { Tripped } from "./facts.ts";

/** A little more than was found: the next file of the kind is not the same to the row. */
const ROOM = 1.25;

/** Two places: a limit that people read. Up, so that what was found stays within it. */
const up = (value: number): number => Math.ceil(value * 100) / 100;

/**
 * The policy with what tripped widened to let it go. `records` and `rows`: those of the facts that were judged. A check that
 * can only be on or off is not widened: a file of exactly 65,536 rows is as odd the next time, and so is one without rows.
 */
export function widened(
  policy: GatePolicy,
  tripped: readonly Tripped[],
  { records, rows }: { readonly records: number; readonly rows: number },
): GatePolicy {
  let wide = policy;
  for (const one of tripped) wide = { ...wide, ...widenedBy(wide, one, records, rows) };
  return wide;
}

function widenedBy(
  policy: GatePolicy,
  { check, field, evidence: { found, expected } }: Tripped,
  records: number,
  rows: number,
): Partial<GatePolicy> {
  const shareOf = (whole: number) => Math.min(1, up((found * ROOM) / Math.max(whole, 1)));
  switch (check) {
    case "emptyFile":
    case "sheetLimit":
      return {};
    case "rejected":
      return policy.rejected === "off" ? {} : { rejected: { ...policy.rejected, share: shareOf(rows) } };
    case "changed":
    case "retired":
      return policy[check] === "off" ? {} : { [check]: { ...policy[check], share: shareOf(records) } };
    case "setToZero":
    case "setToBlank":
      return policy[check] === "off" ? {} : { [check]: { ...policy[check], share: shareOf(records) } };
    case "total":
    case "median": {
      const limits = policy[check];
      // Of one field only: what one column does is no reason to look away from the others.
      if (limits === "off" || field === undefined) return {};
      return { [check]: { ...limits, except: [...new Set([...limits.except, field])] } };
    }
    case "overlap":
      return policy.overlap === "off"
        ? {}
        : { overlap: { ...policy.overlap, share: Math.floor((found / ROOM) * 100) / 100 } };
    case "asOfFuture":
    case "asOfOld":
      return policy[check] === "off" ? {} : { [check]: { ...policy[check], hours: Math.ceil(found * ROOM) } };
    case "rowCount": {
      const limits = policy.rowCount;
      if (limits === "off" || expected === null) return {};
      const factor = Math.max(found + 1, expected + 1) / Math.min(found + 1, expected + 1);
      return { rowCount: { ...limits, factor: Math.max(limits.factor, up(factor * ROOM)) } };
    }
  }
}

/** What of a widened policy is stored: the checks that differ from the adapter's. */
export function wideningOf(policy: GatePolicy, wide: GatePolicy): GatePolicyInput {
  return Object.fromEntries(
    Object.entries(wide).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(policy[name as keyof GatePolicy]),
    ),
  );
}

/** What may be, where a check is widened to a share. */
const MAY: Readonly<Partial<Record<GateCheck, (share: string) => string>>> = {
  rejected: (share) => `Up to ${share} of the rows may be unreadable.`,
  changed: (share) => `Up to ${share} of the records may change.`,
  retired: (share) => `Up to ${share} of the records may be taken off.`,
  setToZero: (share) => `A number may become 0 in up to ${share} of the records.`,
  setToBlank: (share) => `A field may become empty in up to ${share} of the records.`,
  overlap: (share) => `Only ${share} of the records need to be known already.`,
};

/** A widening as people read it: what files may do from then on. Pure. */
export function wideningSentences(widening: GatePolicyInput): readonly string[] {
  const { rowCount, asOfFuture, asOfOld } = widening;
  const limits = (check: GateCheck) => {
    const said = widening[check];
    return typeof said === "object" ? (said as { readonly share?: number; readonly except?: readonly string[] }) : {};
  };
  const shares = Object.entries(MAY).flatMap(([check, may]) => {
    const { share } = limits(check as GateCheck);
    return share === undefined ? [] : [may(percent(share))];
  });
  const fields = (["total", "median"] as const).flatMap((check) => {
    const { except = [] } = limits(check);
    return except.length === 0 ? [] : [`The ${check} of these fields is not judged: ${except.join(", ")}.`];
  });
  return [
    ...(typeof rowCount === "object"
      ? [`There may be ${rowCount.factor} times as many rows as usual, or as few.`]
      : []),
    ...shares,
    ...fields,
    ...(typeof asOfFuture === "object" ? [`Its time may be up to ${asOfFuture.hours} hours after its arrival.`] : []),
    ...(typeof asOfOld === "object"
      ? [`Its time may be up to ${asOfOld.hours} hours before that of the last file.`]
      : []),
  ];
}
