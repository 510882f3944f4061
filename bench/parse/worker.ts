/** The measured Worker: both chains over a mail in R2. What it makes is counted and dropped. */
import { headOf, objectSource } from "../../src/platform/r2.ts";
import { type ChunkTaker, parseMail } from "./chain.ts";
import { parseNaively } from "./naive.ts";

interface BenchEnv {
  readonly STORE: R2Bucket;
}

/** A sink that holds each chunk for a while, as a store that answers slowly does. */
const stalling = (ms: number): ChunkTaker =>
  ms === 0 ? async () => undefined : () => new Promise((done) => setTimeout(done, ms));

export default {
  async fetch(request: Request, env: BenchEnv): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const key = searchParams.get("key") ?? "";
    const take = stalling(Number(searchParams.get("stall") ?? 0));
    if (pathname === "/idle") return new Response("idle");
    if (pathname === "/put") {
      await env.STORE.put(key, await request.arrayBuffer());
      return new Response("stored");
    }
    const head = await headOf(env.STORE, key);
    if (head === undefined) return new Response(`no object ${key}`, { status: 404 });
    if (pathname === "/ours") return Response.json(await parseMail(objectSource(env.STORE, key, head.bytes), take));
    const object = await env.STORE.get(key);
    if (object === null) return new Response(`no object ${key}`, { status: 404 });
    return Response.json(await parseNaively(await object.arrayBuffer(), take, pathname === "/naive"));
  },
};
