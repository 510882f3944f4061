/**
 * The status API: what arrived, what became of it, and an operator's few actions, over HTTP under bearer tokens. This
 * file only puts the parts together; who may call what stands in `routes/table.ts`.
 */
import { Hono } from "hono";
import type { LogFields } from "../observe/log.ts";
import { callerOf } from "./auth/caller.ts";
import type { ApiDeps, ApiEnv } from "./deps.ts";
import { problemOf, traceOf } from "./problem/from-error.ts";
import { notFound, Problem, problem, problemResponse } from "./problem/problem.ts";
import { ROUTES, type Route } from "./routes/table.ts";

/** Nothing here is for a browser to guess at, keep or run. */
const HEADERS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
};

/** Of all but pages, which say their own. */
const POLICY = "default-src 'none'; frame-ancestors 'none'";

/**
 * The API as a Hono app.
 * @example const api = createApi({ db: drizzle(neonSql(url)), now: () => new Date(), log, … }); api.fetch(request)
 */
export function createApi(deps: ApiDeps): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>({ strict: true });

  app.use(async (c, next) => {
    const requestId = crypto.randomUUID();
    c.set("requestId", requestId);
    const startedMs = deps.now().getTime();
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
    if (!c.res.headers.has("Content-Security-Policy")) c.res.headers.set("Content-Security-Policy", POLICY);
    c.res.headers.set("X-Request-Id", requestId);
    const caller = c.get("caller");
    const fields: LogFields = {
      request_id: requestId,
      method: c.req.method,
      // The route, not the path: what callers write into paths does not belong in logs.
      route: c.get("route") ?? "none",
      status: c.res.status,
      caller: caller?.name,
      role: caller?.role,
      took_ms: deps.now().getTime() - startedMs,
    };
    deps.log.info("api.request", fields);
  });

  for (const route of ROUTES) {
    app.on(route.method, route.path, async (c) => {
      c.set("route", route.path);
      if (route.access === "anyone") return route.handler({ c, deps });
      const caller = await callerOf(deps.db, c.req.header("Authorization"));
      c.set("caller", caller);
      if (route.access === "operator" && caller.role !== "operator") {
        throw problem("operator-only", "Ask an operator to do this; a customer's token cannot.");
      }
      return route.handler({ c, deps, caller });
    });
  }

  for (const [path, methods] of allowedMethods(ROUTES)) {
    app.all(path, () => {
      const allow = methods.join(", ");
      throw problem("method-not-allowed", `This address answers ${allow}.`, { headers: { Allow: allow } });
    });
  }

  app.notFound((c) => problemResponse(notFound(), c.req.path));

  app.onError((thrown, c) => {
    const requestId = c.get("requestId");
    const refusal = problemOf(thrown, requestId);
    if (!(thrown instanceof Problem) || thrown.cause !== undefined) {
      const level = refusal.status >= 500 ? "error" : "warn";
      deps.log[level]("api.trouble", { request_id: requestId, status: refusal.status, ...traceOf(thrown) });
    }
    return problemResponse(refusal, c.req.path);
  });

  return app;
}

/** Every path with the methods it answers. HEAD comes with GET. */
function allowedMethods(routes: readonly Route[]): ReadonlyMap<string, readonly string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes) {
    methods.set(path, [...(methods.get(path) ?? []), ...(method === "GET" ? ["GET", "HEAD"] : [method])]);
  }
  return methods;
}
