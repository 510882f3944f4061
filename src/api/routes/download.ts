/** Streams a download, block by block as the client takes them. */
import type { Call } from "../deps.ts";
import { traceOf } from "../problem/from-error.ts";

export interface Download {
  readonly contentType: string;
  /** ASCII letters, digits, dots and hyphens only: it stands in a header. */
  readonly name: string;
  /** Where it is known. */
  readonly bytes?: number;
}

/**
 * The first block is made before the answer begins, so that trouble is still a problem document; later trouble breaks the
 * download off, which the client sees as an incomplete transfer.
 * @param blocks each is copied before the next is asked for
 */
export async function download(
  call: Call,
  blocks: AsyncGenerator<Uint8Array, void>,
  { contentType, name, bytes }: Download,
): Promise<Response> {
  let next = await blocks.next();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (next.done === true) return controller.close();
      controller.enqueue(next.value.slice());
      try {
        next = await blocks.next();
      } catch (thrown) {
        call.deps.log.error("api.download-broken-off", { request_id: call.c.get("requestId"), ...traceOf(thrown) });
        throw thrown;
      }
    },
    async cancel() {
      await blocks.return();
    },
  });
  return new Response(body, {
    headers: {
      "Content-Type": contentType,
      "Content-Disposition": `attachment; filename="${name}"`,
      ...(bytes === undefined ? {} : { "Content-Length": String(bytes) }),
    },
  });
}
