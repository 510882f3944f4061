/**
 * Is the sender proven? The allow-list is matched on the From header, and what Cloudflare found out about DKIM and SPF
 * must cover the domain of that very address.
 *
 * Only the topmost Authentication-Results counts, and only if it is Cloudflare's (RFC 8601 section 5: lower ones may be
 * forged by the sender). If it is absent, nothing is proven: fail closed. The address token is the second factor.
 */
import type { SENDER_POLICIES } from "../domain/adapter.ts";
import { addressIn, type MailHeader, valuesOf } from "./headers.ts";

export const AUTHSERV_ID = "mx.cloudflare.net";

export type SenderPolicy = (typeof SENDER_POLICIES)[number];

export type SenderVerdict =
  | { readonly proven: true; readonly proof: string; readonly from: string }
  | { readonly proven: false; readonly reason: string; readonly from: string };

interface AuthResult {
  readonly method: string;
  readonly result: string;
  /** Properties like `header.d` and `smtp.mailfrom`, in lower case. */
  readonly properties: Readonly<Record<string, string>>;
}

/** The results in one Authentication-Results value of our own server, or undefined if it is another's. */
export function readAuthResults(value: string): AuthResult[] | undefined {
  const plain = value.replace(/\((?:[^()\\]|\\.)*\)/g, " ");
  const [id = "", ...parts] = plain.split(";");
  if (id.trim().split(/\s+/)[0]?.toLowerCase() !== AUTHSERV_ID) return undefined;
  return parts.flatMap((part) => {
    const words = part.trim().split(/\s+/);
    const [method, result] = (words[0] ?? "").toLowerCase().split("=");
    if (!method || !result) return [];
    const properties: Record<string, string> = {};
    for (const word of words.slice(1)) {
      const equals = word.indexOf("=");
      if (equals > 0)
        properties[word.slice(0, equals).toLowerCase()] = word
          .slice(equals + 1)
          .replaceAll('"', "")
          .toLowerCase();
    }
    return [{ method, result, properties }];
  });
}

const domainOf = (address: string): string => address.slice(address.lastIndexOf("@") + 1);

/** Relaxed alignment (RFC 7489 section 3.1): the signing domain is the From domain or a parent of it with a dot inside. */
const covers = (proven: string, from: string): boolean =>
  proven === from || (proven.includes(".") && from.endsWith(`.${proven}`));

const allowed = (from: string, senders: readonly string[]): boolean =>
  senders.some((entry) => {
    const wanted = entry.toLowerCase();
    return wanted.startsWith("@") ? domainOf(from) === wanted.slice(1) : from === wanted;
  });

/** Judges the sender of a mail under the feed's policy. Pure. */
export function judgeSender(
  headers: readonly MailHeader[],
  intake: { readonly policy: SenderPolicy; readonly senders: readonly string[] },
): SenderVerdict {
  const froms = valuesOf(headers, "from");
  const from = froms.length === 1 ? addressIn(froms[0]!) : undefined;
  if (!from) return { proven: false, from: froms[0] ?? "", reason: "it has not exactly one From address" };
  if (!allowed(from, intake.senders))
    return { proven: false, from, reason: "the address is not on the list of senders" };
  if (intake.policy === "trust-address") return { proven: true, from, proof: "address" };

  const results = readAuthResults(valuesOf(headers, "authentication-results")[0] ?? "");
  if (!results) return { proven: false, from, reason: "the mail server left no result of its checks" };
  const dkim = results.find(
    (r) => r.method === "dkim" && r.result === "pass" && covers(r.properties["header.d"] ?? "", domainOf(from)),
  );
  if (dkim) return { proven: true, from, proof: `dkim=pass d=${dkim.properties["header.d"]}` };
  if (intake.policy === "require-dkim") return { proven: false, from, reason: "no valid DKIM signature of its domain" };
  const spf = results.find(
    (r) =>
      r.method === "spf" &&
      r.result === "pass" &&
      covers(domainOf(r.properties["smtp.mailfrom"] ?? ""), domainOf(from)),
  );
  if (spf) return { proven: true, from, proof: `spf=pass mailfrom=${spf.properties["smtp.mailfrom"]}` };
  return { proven: false, from, reason: "neither a valid DKIM signature nor SPF for its domain" };
}
