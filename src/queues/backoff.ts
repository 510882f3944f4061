/** When to try again. Pure: chance comes in as an argument. */

/** The first wait, at most. */
export const BACKOFF_BASE_SECONDS = 2;
/** No wait is longer: after a long outage work goes on within five minutes. */
export const BACKOFF_CAP_SECONDS = 300;
/**
 * The cap while a queue takes no message: each try spends one of the attempts that the platform counts (`max_retries`, 40),
 * and those are to last as long as the queue keeps the message, four days. On average they do.
 */
export const QUEUE_TROUBLE_CAP_SECONDS = 25_200;
/** The longest delay of a queue. */
export const MAX_DELAY_SECONDS = 86_400;

/**
 * Exponential backoff with full jitter: anywhere between 1 second and min(cap, base × 2^n). Jitter spreads consumers that
 * failed together.
 * @param tries how often it was tried or put off before, from 0
 * @param random in [0, 1)
 */
export function backoffSeconds(tries: number, random: number, capSeconds = BACKOFF_CAP_SECONDS): number {
  const ceiling = Math.min(capSeconds, BACKOFF_BASE_SECONDS * 2 ** Math.min(tries, 20));
  return Math.max(1, Math.ceil(random * ceiling));
}
