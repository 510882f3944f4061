import { describe, expect, it } from "vitest";
import { failure } from "../../src/domain/failures.ts";
import { sendTo } from "../../src/platform/queues.ts";
import { classifyStorage, getBytes } from "../../src/platform/r2.ts";

describe("trouble with the object storage", () => {
  it.each([
    "get: We encountered an internal error. Please try again. (10001)",
    "put: Reduce your concurrent request rate for the same object. (10058)",
    "get: Service is temporarily unavailable. (10043)",
    "put: The client disconnected before the request completed. (10054)",
    "put: You did not provide the number of bytes specified by the Content-Length HTTP header. (10013)",
    "put: The SHA-256 checksum you specified did not match what we received. (10037)",
    "get: The specified bucket does not exist. (10006)",
    "get: Access Denied (10003)",
    "get: Unspecified error (0)",
    "Network connection lost.",
    "D1_ERROR",
  ])("waits: %s", (message) => {
    const failed = classifyStorage("get", new Error(message));
    expect(failed).toMatchObject({ code: "storage-unavailable", disposition: "retry" });
    expect(failed.message).toContain(message);
  });

  it("waits: a network that is down", () => {
    expect(classifyStorage("get", new TypeError("fetch failed")).code).toBe("storage-unavailable");
  });

  it.each([
    "put: Your metadata headers exceed the maximum allowed metadata size. (10012)",
    "put: The specified object name is not valid. (10020)",
    "put: Your proposed upload exceeds the maximum allowed object size. (100100)",
    "put: The object is locked by the bucket policy. (10069)",
    "get: The requested range is not satisfiable (10039)",
  ])("is parked: %s", (message) => {
    expect(classifyStorage("put", new Error(message))).toMatchObject({ code: "storage-refused", disposition: "park" });
  });

  it("is a fault of ours: a call that the binding does not know", () => {
    const thrown = new TypeError("Failed to execute 'put' on 'R2Bucket': parameter 1 is not of type 'string'.");
    expect(classifyStorage("put", thrown)).toMatchObject({ code: "internal-error", cause: thrown });
  });

  it("leaves a failure of ours as it is, and names what was tried", async () => {
    const made = failure("raw-missing", { key: "raw/x" });
    expect(classifyStorage("get", made)).toBe(made);
    const bucket = { get: () => Promise.reject(new Error("down (10001)")) } as unknown as R2Bucket;
    await expect(getBytes(bucket, "k")).rejects.toThrow("The object storage cannot be reached: get: down (10001).");
  });
});

describe("trouble with a queue", () => {
  const queueThat = (thrown: unknown) => ({ send: () => Promise.reject(thrown) }) as unknown as Queue;

  it.each([
    "Queue send failed: Internal Server Error",
    "Queue send failed: Too Many Requests",
    "Queue send failed: Queue is overloaded. Please back off.",
    "Queue send failed: Bad Gateway",
    "Network connection lost.",
  ])("waits: %s", async (message) => {
    await expect(sendTo(queueThat(new Error(message)), {})).rejects.toMatchObject({
      code: "queue-unavailable",
      disposition: "retry",
    });
  });

  it.each([
    "Queue send failed: message length of 130000 bytes exceeds limit of 128000",
    "Queue send failed: Payload Too Large",
    "Converting circular structure to JSON",
  ])("is a fault of ours: %s", async (message) => {
    await expect(sendTo(queueThat(new Error(message)), {})).rejects.toMatchObject({ code: "internal-error" });
  });

  it("waits where what was thrown says nothing", async () => {
    await expect(sendTo(queueThat(Object.create(null)), {})).rejects.toMatchObject({ code: "queue-unavailable" });
  });

  it("sends with the delay in seconds, or with none", async () => {
    const sent: unknown[][] = [];
    const queue = { send: async (...args: unknown[]) => void sent.push(args) } as unknown as Queue;
    await sendTo(queue, { v: 2 }, 7);
    await sendTo(queue, { v: 2 });
    expect(sent).toEqual([
      [{ v: 2 }, { delaySeconds: 7 }],
      [{ v: 2 }, {}],
    ]);
  });
});
