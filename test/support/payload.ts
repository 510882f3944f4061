/** Payloads as the parse stage opens them. */
import { openDelivery, type Payload } from "../../src/parse/open/open.ts";
import { bytesSource } from "../../src/parse/open/source.ts";

/** The one file of an upload. */
export async function payloadOf(content: string | Uint8Array, name = "table.csv"): Promise<Payload> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  for await (const one of openDelivery(bytesSource(bytes), { door: "upload", name })) {
    if (one.kind === "file") return one.file;
  }
  throw new Error("it opens to nothing");
}
