/** What the doors need from outside. */
import type { DeliveryFacts } from "../domain/delivery.ts";
import type { ParseDelivery } from "../domain/messages.ts";
import type { Log } from "../observe/log.ts";

export interface IntakeDeps {
  /** Write-once: answers "exists" and changes nothing if the key is taken. Throws when the storage cannot be reached. */
  archive(key: string, bytes: Uint8Array<ArrayBuffer>, facts: DeliveryFacts): Promise<"stored" | "exists">;
  enqueueParse(message: ParseDelivery): Promise<void>;
  now(): Date;
  readonly log: Log;
}
