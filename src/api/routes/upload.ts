/** POST /v1/feeds/:customer/:feed/files: the upload door, for applications that can speak HTTP. */
import type { Call } from "../deps.ts";
import { notFound } from "../problem/problem.ts";
import { customerInPath, feedInPath, readQuery, textParameter } from "../query/query.ts";
import { boundedBody, fileOfBody } from "../upload/body.ts";

export async function uploadFile({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, { name: textParameter.optional() });
  const customer = customerInPath(c, "customer");
  const feed = feedInPath(c, "feed");
  if (caller.role === "customer" && caller.customer !== customer) throw notFound();
  if (!deps.knowsFeed(customer, feed)) throw notFound();
  const request = c.req.raw;
  const file = await fileOfBody(request.headers, await boundedBody(request), query.name);
  const { deliveryId, duplicate } = await deps.intakeUpload({ customer, feed, ...file, tokenName: caller.name });
  return c.json({ delivery: { id: deliveryId }, duplicate, status_url: `/v1/deliveries/${deliveryId}` }, 202);
}
