/**
 * The table inside the text of a mail: which lines are rows, and which are greeting, signature, disclaimer or quoted reply.
 *
 * A line is left out only for a reason that can be named. Where the reasons do not settle it, the answer says so and the
 * whole text stands: a row that was taken for a signature would be lost in silence.
 */

/** Lines `from` (included) to `to` (excluded), from 1, and why they are no rows. */
export interface BodyRange {
  readonly from: number;
  readonly to: number;
  readonly kind: "greeting" | "closing" | "signature" | "disclaimer" | "quoted" | "forwarded";
  /** The line that shows it, cut to 80 characters. */
  readonly evidence: string;
}

export interface BodyTable {
  /** The lines of the table; blank lines at both ends left out. Undefined when there is none. */
  readonly rows: { readonly from: number; readonly to: number; readonly text: string } | undefined;
  readonly others: readonly BodyRange[];
  /** Questions that the text leaves open; the rows then hold everything that may be one. */
  readonly undecided: readonly string[];
}

/** Text of a mail that is looked at (UTF-16 units): a longer one is a file and is read as one. */
export const BODY_MAX_CHARS = 1_048_576;
const EVIDENCE_CHARS = 80;
/** Lines in a row that have the same delimiter equally often, header included: fewer may be chance. */
const LEAST_TABLE_LINES = 2;
/** A closing or a greeting is a short line. */
const MAX_PHRASE_CHARS = 60;

/** RFC 3676 section 4.3: dash, dash, space; some programs lose the space. */
const SIGNATURE_MARK = /^-- ?$/;
/** A rule of underscores, dashes, equals signs or stars on its own. */
const RULE = /^\s*(?:_{5,}|-{5,}|={5,}|\*{5,})\s*$/;
const FORWARDED =
  /^\s*(?:-{3,}\s*(?:Original Message|Forwarded message|Ursprüngliche Nachricht|Weitergeleitete Nachricht|Message d'origine|Mensaje original|Messaggio originale|Oorspronkelijk bericht)\s*-{3,}|Begin forwarded message:|Anfang der weitergeleiteten Nachricht:)/i;
const QUOTE_INTRO =
  /^\s*(?:On .{6,200} wrote:|Am .{6,200} schrieb .{0,120}:|Le .{6,200} a écrit\s*:|El .{6,200} escribió:|Il .{6,200} ha scritto:|Op .{6,200} schreef .{0,120}:)\s*$/i;
const QUOTED = /^\s*>/;
const GREETING =
  /^\s*(?:hello|hi|dear|good (?:morning|afternoon|day)|hallo|guten (?:tag|morgen)|sehr geehrte|liebe[rs]?|moin|bonjour|madame|monsieur|hola|buenos|buongiorno|gentile|beste|geachte|to whom)\b/i;
const CLOSING =
  /^\s*(?:(?:kind|best|warm|many)?\s*regards|best wishes|sincerely|yours (?:truly|sincerely|faithfully)|thanks|thank you|cheers|mit freundlichen grüßen|mit freundlichem gruß|freundliche grüße|viele grüße|beste grüße|mfg|cordialement|bien à vous|saludos|atentamente|cordiali saluti|met vriendelijke groet(?:en)?|sent from my|von meinem .{1,30} gesendet|get outlook for|diese (?:e-?mail|nachricht) wurde automatisch|this (?:is an automated|e-?mail was (?:sent|generated) automatically))(?![\w;|\t])/i;
const DISCLAIMER =
  /\b(?:confidential(?:ity)?|intended (?:only|solely) for|intended recipient|if you (?:have received|are not the)|privileged|unauthori[sz]ed (?:use|review|disclosure)|disclaimer|vertraulich|bestimmungsgemäße[rn]? empfänger|irrtümlich erhalten|unbefugte|haftungsausschluss|confidentiel|destinataire|confidencial|destinatario|riservat[oe]|vertrouwelijk|virus[- ]?free|scanned (?:by|for)|please consider the environment|registergericht|handelsregister|geschäftsführer|amtsgericht|ust-?id)\b/i;
const DELIMITERS = [";", "\t", "|", ","] as const;

/**
 * Divides the text of a mail. Pure. `delimiters`: what may stand between cells, the likeliest first.
 * @example bodyTable("Hello,\n\nsku;qty\nA;1\n\n-- \nERP").rows // lines 3 to 5
 */
export function bodyTable(text: string, delimiters: readonly string[] = DELIMITERS): BodyTable {
  const lines = text.slice(0, BODY_MAX_CHARS).split(/\r\n|\n|\r/);
  const others: BodyRange[] = [];
  const undecided: string[] = [];
  if (text.length > BODY_MAX_CHARS) undecided.push("the text is longer than a mail's text can be looked at");
  const add = (from: number, to: number, kind: BodyRange["kind"], line: number) => {
    if (to > from)
      others.push({ from: from + 1, to: to + 1, kind, evidence: lines[line]!.trim().slice(0, EVIDENCE_CHARS) });
  };

  const core = tableCore(lines, delimiters);
  if (!core) {
    if (lines.some((line) => line.trim() !== "")) undecided.push("no lines with the same separator follow each other");
    return { rows: undefined, others, undecided };
  }

  // From the end: marks that end the mail's own text, wherever the table is.
  let end = lines.length;
  const mark = lines.findIndex((line, i) => i >= core.from && SIGNATURE_MARK.test(line));
  const forwarded = lines.findIndex((line, i) => i >= core.from && (FORWARDED.test(line) || QUOTE_INTRO.test(line)));
  if (forwarded !== -1 && (mark === -1 || forwarded < mark)) {
    add(forwarded, end, FORWARDED.test(lines[forwarded]!) ? "forwarded" : "quoted", forwarded);
    end = forwarded;
  } else if (mark !== -1) {
    add(mark, end, "signature", mark);
    end = mark;
  }

  const to = endOfRows(lines, core, end, add, undecided);
  const from = startOfRows(lines, core, add, undecided);
  if (lines.slice(from, to).some((line) => QUOTED.test(line))) {
    undecided.push("lines that begin with “>” may be a quoted reply or rows");
  }
  const second = tableCore(lines, delimiters, core.to);
  if (second && second.from >= to && second.to <= end) undecided.push("there is more than one table");
  others.sort((a, b) => a.from - b.from);
  return { rows: { from: from + 1, to: to + 1, text: lines.slice(from, to).join("\n") }, others, undecided };
}

interface Core {
  readonly from: number;
  readonly to: number;
  readonly delimiter: string;
  readonly count: number;
}

const countOf = (line: string, delimiter: string): number => line.split(delimiter).length - 1;

/**
 * The first run of lines with the same delimiter equally often; blank lines may stand inside. A semicolon, tab or pipe counts
 * before a comma, which prose has as well.
 */
function tableCore(lines: readonly string[], delimiters: readonly string[], after = 0): Core | undefined {
  for (const delimiter of delimiters) {
    let best: Core | undefined;
    for (let i = after; i < lines.length; ) {
      const count = isProse(lines[i]!) ? 0 : countOf(lines[i]!, delimiter);
      if (count === 0) {
        i += 1;
        continue;
      }
      let to = i + 1;
      let rows = 1;
      for (let j = to; j < lines.length; j += 1) {
        if (lines[j]!.trim() === "") continue;
        if (countOf(lines[j]!, delimiter) !== count || isProse(lines[j]!)) break;
        to = j + 1;
        rows += 1;
      }
      if (rows >= LEAST_TABLE_LINES && (!best || to - i > best.to - best.from))
        best = { from: i, to, delimiter, count };
      i = to;
    }
    // Two lines of prose may have a comma each.
    if (best && (delimiter !== "," || best.count > 1 || best.to - best.from > 2)) return best;
  }
  return undefined;
}

/** A legal phrase in a sentence of some length is no row, whatever separators it has. */
const isLegalSentence = (line: string): boolean => DISCLAIMER.test(line) && line.trim().split(/\s+/).length >= 6;

const isProse = (line: string): boolean =>
  GREETING.test(line) || CLOSING.test(line) || QUOTE_INTRO.test(line) || FORWARDED.test(line);

const mayBeRow = (line: string, core: Core): boolean =>
  countOf(line, core.delimiter) === core.count && !isProse(line) && !isLegalSentence(line);

type Add = (from: number, to: number, kind: BodyRange["kind"], line: number) => void;

/** Behind the table: what is known to be no row is left out with all that follows; what is not known stays. */
function endOfRows(lines: readonly string[], core: Core, end: number, add: Add, undecided: string[]): number {
  const limit = Math.min(end, lines.length);
  if (core.to >= limit) return trimEnd(lines, core.from, limit);
  for (let i = core.to; i < limit; i += 1) {
    const line = lines[i]!;
    if (line.trim() === "") continue;
    const isClosing = CLOSING.test(line) && line.trim().length <= MAX_PHRASE_CHARS;
    const isDisclaimer = isLegalSentence(line) || (DISCLAIMER.test(line) && !mayBeRow(line, core));
    const isRule =
      RULE.test(line) && lines.slice(i + 1, limit).some((next) => DISCLAIMER.test(next) || CLOSING.test(next));
    if (isClosing || isDisclaimer || isRule) {
      // A row behind it would be lost: then nothing is left out.
      const later = lines.slice(i + 1, limit).some((next) => mayBeRow(next, core));
      if (later) undecided.push(`rows may follow behind line ${i + 1}`);
      else {
        add(i, limit, isClosing ? "closing" : "disclaimer", i);
        return trimEnd(lines, core.from, i);
      }
    } else if (QUOTED.test(line) && lines.slice(i, limit).every((next) => next.trim() === "" || QUOTED.test(next))) {
      add(i, limit, "quoted", i);
      return trimEnd(lines, core.from, i);
    } else undecided.push(`line ${i + 1} may be a row or not`);
    if (undecided.length > 0) return trimEnd(lines, core.from, limit);
  }
  return trimEnd(lines, core.from, limit);
}

/** Before the table: greetings are left out; anything else may be a title, a header or a row. */
function startOfRows(lines: readonly string[], core: Core, add: Add, undecided: string[]): number {
  let start = 0;
  while (start < core.from && lines[start]!.trim() === "") start += 1;
  if (start === core.from) return core.from;
  const text = lines.slice(start, core.from).filter((line) => line.trim() !== "");
  const isBlankBefore = lines[core.from - 1]!.trim() === "";
  if (GREETING.test(lines[start]!) && isBlankBefore && !text.some((line) => mayBeRow(line, core))) {
    add(start, core.from, "greeting", start);
    return core.from;
  }
  undecided.push(`lines ${start + 1} to ${core.from} may be a title or rows`);
  return start;
}

function trimEnd(lines: readonly string[], from: number, to: number): number {
  let end = to;
  while (end > from && lines[end - 1]!.trim() === "") end -= 1;
  return end;
}
