/** Every route and who may call it: the one place where that is said. A test walks this table with every kind of token. */
import type { Call, OpenCall } from "../deps.ts";
import { getCustomers } from "./customers.ts";
import { listDeadLetters } from "./dead-letters.ts";
import { getDelivery, listDeliveries } from "./deliveries.ts";
import { getFeed } from "./feeds.ts";
import { getFile, listFiles } from "./files.ts";
import { health } from "./health.ts";
import { getHistory, getRecord, listRecords } from "./records.ts";
import { listRejects } from "./rejects.ts";
import { releaseDelivery, releaseFile } from "./releases.ts";
import { uploadFile } from "./upload.ts";

/** `anyone`: no token. `token`: a customer for itself, an operator for all. `operator`: operators only. */
export type Route = { readonly method: "GET" | "POST"; readonly path: string } & (
  | { readonly access: "anyone"; readonly handler: (call: OpenCall) => Promise<Response> }
  | { readonly access: "token" | "operator"; readonly handler: (call: Call) => Promise<Response> }
);

export const ROUTES: readonly Route[] = [
  { method: "GET", path: "/v1/health", access: "anyone", handler: health },
  { method: "GET", path: "/v1/customers", access: "token", handler: getCustomers },
  { method: "GET", path: "/v1/feeds/:customer/:feed", access: "token", handler: getFeed },
  { method: "POST", path: "/v1/feeds/:customer/:feed/files", access: "token", handler: uploadFile },
  { method: "GET", path: "/v1/deliveries", access: "token", handler: listDeliveries },
  { method: "GET", path: "/v1/deliveries/:id", access: "token", handler: getDelivery },
  { method: "POST", path: "/v1/deliveries/:id/release", access: "operator", handler: releaseDelivery },
  { method: "GET", path: "/v1/files", access: "token", handler: listFiles },
  { method: "GET", path: "/v1/files/:id", access: "token", handler: getFile },
  { method: "GET", path: "/v1/files/:id/rejects", access: "token", handler: listRejects },
  { method: "POST", path: "/v1/files/:id/release", access: "operator", handler: releaseFile },
  { method: "GET", path: "/v1/records", access: "token", handler: listRecords },
  { method: "GET", path: "/v1/records/:id", access: "token", handler: getRecord },
  { method: "GET", path: "/v1/records/:id/history", access: "token", handler: getHistory },
  { method: "GET", path: "/v1/dead-letters", access: "operator", handler: listDeadLetters },
];
