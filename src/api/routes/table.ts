/** Every route and who may call it: the one place where that is said. A test walks this table with every kind of token. */
import type { Call, OpenCall } from "../deps.ts";
import { listAlerts } from "./alerts.ts";
import { backfillFile } from "./backfill.ts";
import { getComparison } from "./comparison.ts";
import { getCustomers } from "./customers.ts";
import { discardDeadLetter, markCauseFixed, redriveDeadLetter, redriveDeadLetters } from "./dead-letter-decisions.ts";
import { getDeadLetter, listDeadLetters } from "./dead-letters.ts";
import { getDelivery, listDeliveries } from "./deliveries.ts";
import { getDrift, listDrift } from "./drift.ts";
import { reconcileFeed, rejectDrift, releaseDrift } from "./drift-decisions.ts";
import { getFeed } from "./feeds.ts";
import { getFile, listFiles } from "./files.ts";
import { acceptDrift, acceptProfile, rejectFile, rejectProfile } from "./formats.ts";
import { health } from "./health.ts";
import { decideByLink, showHold } from "./hold-links.ts";
import { listHolds, narrowGate } from "./holds.ts";
import { listJobs } from "./jobs.ts";
import { getLimits, setLimits } from "./limits.ts";
import { activateMapping, draftMapping, getMapping, rollBackMapping, tryOnFile } from "./mappings.ts";
import { listNotifications } from "./notifications.ts";
import { rawDelivery } from "./raw.ts";
import { getHistory, getRecord, listRecords } from "./records.ts";
import { annotatedFile, listRejects } from "./rejects.ts";
import { releaseDelivery, releaseFile } from "./releases.ts";
import { decideReplay, getReplay, listReplays, startReplay } from "./replays.ts";
import { listRestores, restoreCustomer } from "./restores.ts";
import { uploadFile } from "./upload.ts";
import { getVersion, listVersions } from "./versions.ts";

/** `anyone`: no token. `token`: a customer for itself, an operator for all. `operator`: operators only. */
export type Route = { readonly method: "GET" | "POST" | "PUT"; readonly path: string } & (
  | { readonly access: "anyone"; readonly handler: (call: OpenCall) => Promise<Response> }
  | { readonly access: "token" | "operator"; readonly handler: (call: Call) => Promise<Response> }
);

export const ROUTES: readonly Route[] = [
  { method: "GET", path: "/v1/health", access: "anyone", handler: health },
  { method: "GET", path: "/v1/customers", access: "token", handler: getCustomers },
  { method: "GET", path: "/v1/customers/:customer/limits", access: "operator", handler: getLimits },
  { method: "PUT", path: "/v1/customers/:customer/limits", access: "operator", handler: setLimits },
  { method: "POST", path: "/v1/customers/:customer/restore", access: "operator", handler: restoreCustomer },
  { method: "GET", path: "/v1/customers/:customer/restores", access: "operator", handler: listRestores },
  { method: "GET", path: "/v1/feeds/:customer/:feed", access: "token", handler: getFeed },
  { method: "POST", path: "/v1/feeds/:customer/:feed/files", access: "token", handler: uploadFile },
  { method: "GET", path: "/v1/feeds/:customer/:feed/versions", access: "token", handler: listVersions },
  { method: "GET", path: "/v1/feeds/:customer/:feed/versions/:kind/:version", access: "token", handler: getVersion },
  { method: "POST", path: "/v1/feeds/:customer/:feed/profile/accept", access: "operator", handler: acceptProfile },
  { method: "POST", path: "/v1/feeds/:customer/:feed/profile/reject", access: "operator", handler: rejectProfile },
  { method: "GET", path: "/v1/feeds/:customer/:feed/mapping", access: "operator", handler: getMapping },
  { method: "POST", path: "/v1/feeds/:customer/:feed/mapping/drafts", access: "operator", handler: draftMapping },
  { method: "POST", path: "/v1/feeds/:customer/:feed/mapping/try", access: "operator", handler: tryOnFile },
  {
    method: "POST",
    path: "/v1/feeds/:customer/:feed/mapping/:version/activate",
    access: "operator",
    handler: activateMapping,
  },
  { method: "POST", path: "/v1/feeds/:customer/:feed/mapping/rollback", access: "operator", handler: rollBackMapping },
  { method: "GET", path: "/v1/deliveries", access: "token", handler: listDeliveries },
  { method: "GET", path: "/v1/deliveries/:id", access: "token", handler: getDelivery },
  { method: "GET", path: "/v1/deliveries/:id/raw", access: "operator", handler: rawDelivery },
  { method: "POST", path: "/v1/deliveries/:id/release", access: "operator", handler: releaseDelivery },
  { method: "GET", path: "/v1/files", access: "token", handler: listFiles },
  { method: "GET", path: "/v1/files/:id", access: "token", handler: getFile },
  { method: "GET", path: "/v1/files/:id/comparison", access: "token", handler: getComparison },
  { method: "GET", path: "/v1/files/:id/rejects", access: "token", handler: listRejects },
  { method: "GET", path: "/v1/files/:id/rejects.csv", access: "token", handler: annotatedFile },
  { method: "POST", path: "/v1/files/:id/release", access: "operator", handler: releaseFile },
  { method: "POST", path: "/v1/files/:id/accept-drift", access: "operator", handler: acceptDrift },
  { method: "POST", path: "/v1/files/:id/reject", access: "operator", handler: rejectFile },
  { method: "GET", path: "/v1/holds", access: "operator", handler: listHolds },
  { method: "POST", path: "/v1/feeds/:customer/:feed/gate/narrow", access: "operator", handler: narrowGate },
  { method: "GET", path: "/hold/:token", access: "anyone", handler: showHold },
  { method: "POST", path: "/hold/:token", access: "anyone", handler: decideByLink },
  { method: "GET", path: "/v1/records", access: "token", handler: listRecords },
  { method: "GET", path: "/v1/records/:id", access: "token", handler: getRecord },
  { method: "GET", path: "/v1/records/:id/history", access: "token", handler: getHistory },
  { method: "GET", path: "/v1/notifications", access: "operator", handler: listNotifications },
  { method: "GET", path: "/v1/dead-letters", access: "operator", handler: listDeadLetters },
  { method: "GET", path: "/v1/dead-letters/:id", access: "operator", handler: getDeadLetter },
  { method: "POST", path: "/v1/dead-letters/:id/redrive", access: "operator", handler: redriveDeadLetter },
  { method: "POST", path: "/v1/dead-letters/redrive", access: "operator", handler: redriveDeadLetters },
  { method: "POST", path: "/v1/dead-letters/:id/discard", access: "operator", handler: discardDeadLetter },
  { method: "POST", path: "/v1/dead-letters/causes/:cause/fixed", access: "operator", handler: markCauseFixed },
  { method: "GET", path: "/v1/drift", access: "token", handler: listDrift },
  { method: "GET", path: "/v1/drift/:id", access: "token", handler: getDrift },
  { method: "POST", path: "/v1/drift/:id/release", access: "operator", handler: releaseDrift },
  { method: "POST", path: "/v1/drift/:id/reject", access: "operator", handler: rejectDrift },
  { method: "POST", path: "/v1/feeds/:customer/:feed/reconcile", access: "operator", handler: reconcileFeed },
  { method: "POST", path: "/v1/feeds/:customer/:feed/backfill", access: "operator", handler: backfillFile },
  { method: "POST", path: "/v1/replays", access: "operator", handler: startReplay },
  { method: "GET", path: "/v1/replays", access: "operator", handler: listReplays },
  { method: "GET", path: "/v1/replays/:id", access: "operator", handler: getReplay },
  { method: "POST", path: "/v1/replays/:id/pause", access: "operator", handler: decideReplay("pause") },
  { method: "POST", path: "/v1/replays/:id/resume", access: "operator", handler: decideReplay("resume") },
  { method: "POST", path: "/v1/replays/:id/cancel", access: "operator", handler: decideReplay("cancel") },
  { method: "GET", path: "/v1/alerts", access: "operator", handler: listAlerts },
  { method: "GET", path: "/v1/jobs", access: "operator", handler: listJobs },
];
