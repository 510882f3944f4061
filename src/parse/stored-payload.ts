/** A payload of a delivery in the archive, once more. */
import { failure } from "../domain/failures.ts";
import type { ParseDeps } from "./deps.ts";
import { doorOf } from "./handler.ts";
import { openDelivery, type Payload } from "./open/open.ts";

export interface StoredPayload {
  readonly rawKey: string;
  /** Place of the payload in its delivery, as in `files.position`. */
  readonly position: number;
}

/** Throws `raw-missing`, also where the delivery does not hold so many. */
export async function payloadAt(
  { rawKey, position }: StoredPayload,
  deps: Pick<ParseDeps, "openRaw" | "archivePassword">,
): Promise<Payload> {
  const { facts, source } = await deps.openRaw(rawKey);
  let at = 0;
  for await (const one of openDelivery(source, doorOf(facts, deps))) {
    if (at++ === position && one.kind === "file") return one.file;
  }
  throw failure("raw-missing", { key: rawKey });
}
