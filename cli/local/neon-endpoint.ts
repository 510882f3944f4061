/**
 * Neon's SQL-over-HTTP endpoint on this machine: the Worker's own driver talks to a local database through it, so that
 * development and tests use the very code path of production.
 *
 * Only an answer of 400 carries an SQLSTATE; every other trouble is a 5xx, which callers must treat as "may have
 * committed". One deliberate difference from Neon's proxy: a backend that was ended (severity FATAL) is 503 here, while
 * Neon passes it on as 400 with code 57P01. Callers must survive both.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  DatabaseRefusal,
  MalformedRequest,
  parseRequest,
  type Query,
  type QueryOutput,
  renderError,
  renderResults,
  type TransactionModes,
} from "./neon-protocol.ts";

/** Neon's documented limit of a request and of a response. */
export const MAX_REQUEST_BYTES = 64 * 1_048_576;
export const MAX_RESPONSE_BYTES = 64 * 1_048_576;

/** What stands behind the endpoint. */
export interface Backend {
  /**
   * Runs the statements in order and answers one output for each. With `transaction` they are one transaction: all or
   * nothing. Throws {@link DatabaseRefusal} for what the database said; anything else means it could not be asked.
   */
  run(queries: readonly Query[], options: RunOptions): Promise<readonly QueryOutput[]>;
  close(): Promise<void>;
}

export interface RunOptions {
  readonly database: string;
  readonly transaction: TransactionModes | undefined;
  /** Aborted when the client has gone (or the endpoint closes, which ends its connection): cancel what can be. */
  readonly signal: AbortSignal;
}

export interface NeonEndpointOptions {
  readonly backend: Backend;
  /** 0 or absent: any free port. */
  readonly port?: number | undefined;
  readonly maxRequestBytes?: number | undefined;
  readonly maxResponseBytes?: number | undefined;
  /** Further doors, `"POST /path"` → JSON in, JSON out; what one throws is answered 500 with its message. */
  readonly routes?: Readonly<Record<string, (body: unknown) => Promise<unknown>>> | undefined;
}

export interface NeonEndpoint {
  /** For `neonConfig.fetchEndpoint`. */
  readonly url: string;
  readonly port: number;
  /** Ends every request in flight, then the backend. */
  close(): Promise<void>;
}

/** A port of this machine is in use by another program. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Starts the endpoint on 127.0.0.1. Throws {@link PortTaken}. */
export async function startNeonEndpoint(options: NeonEndpointOptions): Promise<NeonEndpoint> {
  const server = createServer((request, response) => {
    answer(request, response, options).then(
      ({ status, body }) => response.writeHead(status, { "content-type": "application/json" }).end(body),
      (error: unknown) => response.writeHead(500).end(renderError(`The endpoint failed: ${String(error)}`)),
    );
  });
  // A kept-alive connection that the server closes just as the client reuses it is a spurious error: never close it.
  server.keepAliveTimeout = 0;
  const port = await listen(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}/sql`,
    port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      // To the requests in flight this is a client that has gone: they are cancelled.
      server.closeAllConnections();
      await closed;
      await options.backend.close();
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: NeonEndpointOptions,
): Promise<Answer> {
  const maxBytes = options.maxRequestBytes ?? MAX_REQUEST_BYTES;
  const body = await readBody(request, maxBytes);
  if (body === undefined) return { status: 413, body: renderError(`request is too large (max is ${maxBytes} bytes)`) };

  const door = `${request.method} ${new URL(request.url ?? "/", "http://localhost").pathname}`;
  const route = options.routes?.[door];
  if (route !== undefined) {
    return { status: 200, body: JSON.stringify(await route(body === "" ? null : JSON.parse(body))) ?? "null" };
  }
  if (door !== "POST /sql") return { status: 404, body: renderError(`There is nothing at ${door}`) };

  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("The client has gone")));
  return runSql(request, body, options, gone.signal);
}

async function runSql(
  request: IncomingMessage,
  body: string,
  { backend, maxResponseBytes = MAX_RESPONSE_BYTES }: NeonEndpointOptions,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const asked = parseRequest(request.headers, body);
    const { database, transaction, queries } = asked;
    const answered = renderResults(asked, await backend.run(queries, { database, transaction, signal }));
    if (Buffer.byteLength(answered) > maxResponseBytes) {
      return { status: 507, body: renderError(`response is too large (max is ${maxResponseBytes} bytes)`) };
    }
    return { status: 200, body: answered };
  } catch (error) {
    if (error instanceof MalformedRequest) return { status: 400, body: renderError(error.message) };
    if (error instanceof DatabaseRefusal) return { status: 400, body: renderError(error.message, error.fields) };
    return { status: 503, body: renderError(error instanceof Error ? error.message : String(error)) };
  }
}

/** The whole body, or nothing if it is larger than the limit: the rest is read and dropped so that the client hears why. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes <= maxBytes) pieces.push(piece);
    else pieces.length = 0;
  }
  return bytes > maxBytes ? undefined : Buffer.concat(pieces).toString("utf8");
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(portError(error, port)));
    server.listen(port, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}

function portError(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code !== "EADDRINUSE" && error.code !== "EACCES") return error;
  const why = error.code === "EADDRINUSE" ? "is taken by another program" : "may not be opened by this user";
  return new PortTaken(
    `Port ${port} on 127.0.0.1 ${why}, so the local database cannot listen there. Stop that program or choose another port.`,
    { cause: error },
  );
}
