/** How a dead letter goes back to work, or why it cannot. Pure. */
import { asFailure } from "../domain/failures.ts";
import { isRestoreKey } from "../domain/keys.ts";
import { applyFileMessage, parseDeliveryMessage, readMessage, type StageMessage } from "../domain/messages.ts";
import type { Letter, RedriveDeps } from "./deps.ts";

/**
 * - `goes`: its message is sent to its stage again. `rereads`: to parse instead of apply, since the chunks of its file are
 *   gone; the archive has the bytes.
 * - `stays`: nothing would be different, and this is why.
 */
export type Way =
  | { readonly kind: "goes"; readonly message: StageMessage; readonly rereads: boolean }
  | { readonly kind: "stays"; readonly reason: string };

const stays = (reason: string): Way => ({ kind: "stays", reason });

/** The way of a letter. The message is made anew: what the first one had waited or tried is not held against it. */
export function wayOf(letter: Letter, knows: RedriveDeps["knows"]): Way {
  let message: StageMessage;
  try {
    message = readMessage(letter.message, new Date(letter.diedAt));
  } catch (thrown) {
    const { sentence, hint } = asFailure(thrown).report;
    return stays(`${sentence} ${hint}`);
  }
  const { customer, feed, correlationId } = message;
  const replay = message.replay === undefined ? {} : { replay: message.replay };
  const redriveOf = letter.redriveOf ?? letter.id;
  if ((message.type === "parse-delivery") !== (letter.stage === "parse")) {
    return stays(
      `Its message is not one of the ${letter.stage} stage. Discard it; nothing of ours writes such messages.`,
    );
  }
  if (message.type === "apply-file") {
    if (!knows(customer, undefined)) return stays(noSuch(`customer ${customer}`));
    if (letter.code !== "chunk-missing" || letter.archived === null) {
      const { fileId, rows } = message;
      const counted = rows === undefined ? {} : { rows };
      return {
        kind: "goes",
        message: applyFileMessage({ customer, feed, correlationId, fileId, redriveOf, ...counted, ...replay }),
        rereads: false,
      };
    }
    const { deliveryId, feed: addressed, rawKey, ...again } = letter.archived;
    if (isRestoreKey(rawKey)) {
      return stays("It is a part of a restore whose chunks are gone. Discard the letter, and order the restore again.");
    }
    return {
      kind: "goes",
      message: parseDeliveryMessage({
        customer,
        feed: addressed,
        correlationId: deliveryId,
        rawKey,
        redriveOf,
        ...again,
      }),
      rereads: true,
    };
  }
  if (!knows(customer, feed)) return stays(noSuch(`feed ${customer}/${feed}`));
  const { rawKey } = message;
  return {
    kind: "goes",
    message: parseDeliveryMessage({ customer, feed, correlationId, rawKey, redriveOf, ...replay }),
    rereads: false,
  };
}

const noSuch = (what: string) =>
  `The ${what} is not part of this deployment. Deploy its adapter again, then redrive, or discard the letter.`;
