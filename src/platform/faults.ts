/** Telling a fault of ours from trouble on the way. */

/** How networks put it in a TypeError: Node's fetch (“fetch failed”, “terminated”) and workerd's. */
const NETWORK = /fetch|network|terminated|connection|socket|disconnected|abort/i;
/** What cannot be written as JSON. Drivers call that while they connect, and then name it trouble with the connection. */
const NOT_JSON = /serialize|circular|cyclic|Invalid string length/i;

/**
 * Whether the thrown value is a fault of the program. Where there is doubt it is not: what is taken for trouble on the way
 * waits and is said in the log, what is taken for a fault ends as a dead letter.
 */
export function isFault(thrown: unknown): boolean {
  if (thrown instanceof RangeError || thrown instanceof ReferenceError) return true;
  return thrown instanceof TypeError && !NETWORK.test(thrown.message);
}

/** The same for a value that was thrown while a request was made and sent. */
export const isUnsendable = (thrown: unknown): boolean => thrown instanceof Error && NOT_JSON.test(thrown.message);
