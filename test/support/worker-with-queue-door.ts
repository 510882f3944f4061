/** The Worker as it is, and before it a door through which a test puts any message on any queue. */
import worker from "../../src/worker.ts";

export { Admission } from "../../src/worker.ts";

const DOOR = "/test/queues/";

export default {
  ...worker,
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith(DOOR)) return worker.fetch(request, env, context);
    const queue = Reflect.get(Object(env), pathname.slice(DOOR.length)) as Queue | undefined;
    if (typeof queue?.send !== "function") return new Response("there is no such queue", { status: 404 });
    await queue.send(await request.json());
    return new Response(null, { status: 204 });
  },
} satisfies ExportedHandler;
