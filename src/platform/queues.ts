/** Queues: a thin driver. It maps its own trouble and decides nothing. */
import { failure, wordsOf } from "../domain/failures.ts";

/**
 * What no later try does better: the message itself is too large (128,000 bytes) or cannot be written down. Errors of a
 * queue have no code (workerd issue 6834), so their words are all there is; any other one may pass: “Internal Server
 * Error”, “Too Many Requests”, “Queue is overloaded. Please back off.”, a lost connection.
 */
const PERMANENT = /exceeds (the )?(size )?limit|too large|payload|could not be (cloned|serialized)|cyclic|circular/i;

/**
 * Sends a message; it is in the queue when this returns, and may be when it throws.
 * Throws `queue-unavailable` (whoever sends tries again: the sending server of a mail, the queue's consumer, the next
 * sweep) or `internal-error`.
 */
export async function sendTo(queue: Queue, message: unknown, delaySeconds?: number): Promise<void> {
  try {
    await queue.send(message, delaySeconds === undefined ? {} : { delaySeconds });
  } catch (thrown) {
    const reason = (thrown instanceof Error ? thrown.message : wordsOf(thrown)).slice(0, 200);
    if (PERMANENT.test(reason))
      throw failure("internal-error", { message: `a queue refused a message: ${reason}` }, thrown);
    throw failure("queue-unavailable", { reason }, thrown);
  }
}
