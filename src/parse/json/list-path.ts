/** Where the list of records is in a JSON file that is one record around it, as answers of web services are. */
import { JsonSyntax, scanKey, scanString, scanValue, skipSpace, stringText } from "./scan.ts";

/** Keys that lead to a list: services wrap once or twice. */
const PATH_MAX_KEYS = 4;

/**
 * The keys that lead to the only list of records in the beginning of a file; undefined where it is a list itself, records on
 * lines, or holds several such lists. `head` may end anywhere. Pure.
 * @example listPath('{"meta":{"n":2},"data":{"items":[{"id":1},…') // ["data", "items"]
 */
export function listPath(head: string): readonly string[] | undefined {
  const start = skipSpace(head, head.startsWith("\ufeff") ? 1 : 0);
  if (head[start] !== "{") return undefined;
  const found: string[][] = [];
  const end = walk(head, start, [], found);
  const isFollowed = end !== undefined && skipSpace(head, end) < head.length;
  return isFollowed || found.length !== 1 ? undefined : found[0];
}

/** Gathers the lists in the record at `at`; answers where it ends, undefined where it is cut or broken. */
function walk(text: string, at: number, path: readonly string[], found: string[][]): number | undefined {
  try {
    let i = skipSpace(text, at + 1);
    while (text[i] !== "}") {
      const key = stringText(text.slice(i, scanString(text, i)));
      const value = skipSpace(text, scanKey(text, i));
      const inside = [...path, key];
      if (isListOfRecords(text, value)) found.push(inside);
      const end =
        text[value] === "{" && inside.length < PATH_MAX_KEYS
          ? walk(text, value, inside, found)
          : scanValue(text, value);
      if (end === undefined) return undefined;
      i = skipSpace(text, end);
      if (text[i] === ",") i = skipSpace(text, i + 1);
      else if (text[i] !== "}") return undefined;
    }
    return i + 1;
  } catch (thrown) {
    if (thrown instanceof JsonSyntax) return undefined;
    throw thrown;
  }
}

const isListOfRecords = (text: string, at: number): boolean =>
  text[at] === "[" && text[skipSpace(text, at + 1)] === "{";
