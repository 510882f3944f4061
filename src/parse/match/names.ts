/** Names of fields made from what a file calls its columns. */

const NAME_MAX_CHARS = 60;
/** Letters that decompose into no base letter and a mark. */
const SPELLED: Readonly<Record<string, string>> = {
  ä: "ae",
  ö: "oe",
  ü: "ue",
  ß: "ss",
  æ: "ae",
  ø: "oe",
  å: "aa",
  œ: "oe",
  đ: "d",
  ł: "l",
  ı: "i",
  þ: "th",
  ð: "d",
  "%": " percent ",
  "€": " eur ",
  $: " usd ",
  "#": " no ",
};

/**
 * Unique lower_snake_case names, in the order given. A name without a letter or digit of the Latin alphabet becomes
 * `column_3`, its place; the second of two alike gets a `_2`.
 * @example fieldNames(["Artikel-Nr.", "EK-Preis €", "3rd"]) // ["artikel_nr", "ek_preis_eur", "c_3rd"]
 */
export function fieldNames(headers: readonly (string | null)[]): string[] {
  const taken = new Set<string>();
  return headers.map((header, i) => {
    const base = snakeCase(header ?? "") || `column_${i + 1}`;
    let name = base;
    for (let n = 2; taken.has(name); n++) name = `${base}_${n}`;
    taken.add(name);
    return name;
  });
}

function snakeCase(header: string): string {
  const plain = header
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, "$1 $2")
    .toLowerCase()
    .replace(/[äöüßæøåœđłıþð%€$#]/g, (char) => SPELLED[char] ?? "")
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/['’]/g, "")
    .replace(/[^a-z0-9]+/g, "_")
    .slice(0, NAME_MAX_CHARS)
    .replace(/^_+|_+$/g, "");
  return /^\d/.test(plain) ? `c_${plain}` : plain;
}
