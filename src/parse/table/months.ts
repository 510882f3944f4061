/** Names of months as business programs write them: whole, or their first letters. */

/** Whole names without accents; beside them the abbreviations that are not their beginning. */
const NAMES: readonly string[] = [
  "january januar janner janvier gennaio enero januari janeiro",
  "february februar feber fevrier febbraio febrero februari fevereiro",
  "march marz mrz mars marzo maart mrt marco",
  "april avril aprile abril",
  "may mai maggio mayo mei maio maj",
  "june juni juin giugno junio junho",
  "july juli juillet luglio julio julho",
  "august aout agosto augustus",
  "september septembre settembre septiembre setembro",
  "october oktober octobre ottobre octubre outubro",
  "november novembre noviembre novembro",
  "december dezember decembre dicembre diciembre dezembro",
];
/** Shorter beginnings are no abbreviations. */
const MIN_CHARS = 3;

const WORDS = NAMES.map((names) => names.split(" "));

/**
 * The month (1 to 12) that a name or its beginning stands for, in English, German, French, Italian, Spanish, Dutch and
 * Portuguese; undefined where it is none, or of two.
 * @example monthOf("Mär") // 3
 */
export function monthOf(name: string): number | undefined {
  const word = name.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  if (word.length < MIN_CHARS) return undefined;
  const found = WORDS.flatMap((names, i) => (names.some((one) => one.startsWith(word)) ? [i + 1] : []));
  return found.length === 1 ? found[0] : undefined;
}
