/**
 * The links of hold mails. GET /hold/:token only shows: mail programs and scanners open every link they see. POST decides, once.
 * The token is the proof: no session, nothing that another site could make a browser send along; and the way from it to a file
 * is a signature, so that nobody can try names.
 */

import type { HoldLink } from "../../gate/link.ts";
import { decideHold } from "../../holds/decide.ts";
import type { OpenCall } from "../deps.ts";
import { askPage, brokenPage, nowPage, type Page, troublePage } from "../holds/page.ts";
import { problemOf, traceOf } from "../problem/from-error.ts";

/** Styles stand in the elements; there is nothing else to load, run, frame or send a form to. */
const HEADERS: Readonly<Record<string, string>> = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "X-Frame-Options": "DENY",
  "X-Robots-Tag": "noindex, nofollow, noarchive",
};

export const showHold = (call: OpenCall): Promise<Response> =>
  answer(call, async (link, isTimely) => {
    const { tables, now } = call.deps.holds;
    const hold = await tables.of(link.fileId, link.nonce);
    if (hold === undefined) return brokenPage;
    const isOpen = hold.decision === null && hold.state === "held";
    return isOpen && isTimely ? askPage(hold, link) : nowPage(hold, link.recipient, now());
  });

export const decideByLink = (call: OpenCall): Promise<Response> =>
  answer(call, async ({ fileId, nonce, action, recipient }, isTimely) => {
    const { holds } = call.deps;
    if (!isTimely) {
      const hold = await holds.tables.of(fileId, nonce);
      return hold === undefined ? brokenPage : nowPage(hold, recipient, holds.now());
    }
    const decided = await decideHold(holds, fileId, action, { is: "link", recipient, nonce });
    if (decided.is === "unknown") return brokenPage;
    const pressed = { action, decided: decided.is === "decided" };
    return nowPage(decided.hold, recipient, holds.now(), pressed);
  });

/** `isTimely`: the link still holds. Whatever goes wrong, a person gets a page. */
async function answer(
  { c, deps }: OpenCall,
  of: (link: HoldLink, isTimely: boolean) => Promise<Page>,
): Promise<Response> {
  const read = deps.readHoldLink(c.req.param("token") ?? "");
  const page = "link" in read ? await orTrouble(c, deps, () => of(read.link, read.is === "good")) : brokenPage;
  return c.body(page.html, page.status, HEADERS);
}

async function orTrouble(c: OpenCall["c"], deps: OpenCall["deps"], of: () => Promise<Page>): Promise<Page> {
  try {
    return await of();
  } catch (thrown) {
    const requestId = c.get("requestId");
    const status = problemOf(thrown, requestId).status === 503 ? 503 : 500;
    deps.log.error("api.trouble", { request_id: requestId, status, ...traceOf(thrown) });
    return troublePage(status, requestId);
  }
}
