/** What of a title line is the same tomorrow. */

/** Months and days of the week as they stand in titles, in the languages that ERPs speak most. */
const DATE_WORDS =
  /\b(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|février|mar(?:ch|s)?|märz|apr(?:il)?|avril|ma[iy]|jun[ei]?|juin|jul[iy]?|juillet|aug(?:ust)?|août|sep(?:t|tember|tembre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|de[cz](?:ember)?|décembre|(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch)\b/iu;
/** Longer beginnings say no more. */
const START_MAX_CHARS = 40;
/** Lines drawn of one mark are as long as the program likes. */
const RULE = /^([-=_*~#.+])\1{2}\1*$/;

/**
 * The beginning of a title line, up to the first digit or name of a month or day: what stands behind (dates, counts, page
 * numbers) differs from file to file. Empty where nothing is stable, and for remarks.
 */
export function stableStart(line: string, comment: string | null): string {
  if (comment !== null && line.trimStart().startsWith(comment)) return "";
  const rule = RULE.exec(line.trim());
  if (rule !== null) return line.slice(0, line.length - line.trimStart().length + 3);
  const ends = [line.search(/\d/), line.search(DATE_WORDS), START_MAX_CHARS].filter((at) => at !== -1);
  const start = line.slice(0, Math.min(...ends));
  // Not half a character.
  return start.isWellFormed() ? start : start.slice(0, -1);
}
