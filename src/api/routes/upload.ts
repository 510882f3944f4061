/** POST /v1/feeds/:customer/:feed/files: the upload door, for applications that can speak HTTP. */
import type { Call } from "../deps.ts";
import { notFound, problem } from "../problem/problem.ts";
import { customerInPath, feedInPath, oneOf, readQuery, textParameter } from "../query/query.ts";
import { boundedBody, fileOfBody } from "../upload/body.ts";

export async function uploadFile({ c, deps, caller }: Call): Promise<Response> {
  const query = readQuery(c, { name: textParameter.optional(), dry_run: oneOf(["true", "false"]).optional() });
  const customer = customerInPath(c, "customer");
  const feed = feedInPath(c, "feed");
  if (caller.role === "customer" && caller.customer !== customer) throw notFound();
  if (deps.adapterOf(customer, feed) === undefined) throw notFound();
  const request = c.req.raw;
  const dryRun = query.dry_run === "true";
  const idempotencyKey = keyOf(request.headers);
  const file = await fileOfBody(request.headers, await boundedBody(request), query.name);
  const { deliveryId, duplicate } = await deps.intakeUpload({
    customer,
    feed,
    ...file,
    tokenName: caller.name,
    idempotencyKey,
    dryRun,
  });
  return c.json(
    { delivery: { id: deliveryId }, duplicate, dry_run: dryRun, status_url: `/v1/deliveries/${deliveryId}` },
    202,
  );
}

/** Enough for a UUID or a digest in any writing. */
const KEY_MAX_CHARS = 200;

function keyOf(headers: Headers): string | undefined {
  const key = headers.get("Idempotency-Key") ?? undefined;
  if (key === undefined || (/^[\x21-\x7e]+$/.test(key) && key.length <= KEY_MAX_CHARS)) return key;
  throw problem(
    "invalid-parameter",
    `The header Idempotency-Key takes 1 to ${KEY_MAX_CHARS} visible ASCII characters.`,
    {
      members: { parameter: "Idempotency-Key" },
    },
  );
}
