/** What an isolate really holds: asked of V8 through workerd's inspector, after a collection. */

const TIMEOUT_MS = 60_000;

interface Answer {
  readonly id?: number;
  readonly result?: Readonly<Record<string, number>>;
  readonly error?: { readonly message: string };
}

/** Node's own WebSocket, whose types the ones of Workers hide. */
interface Socket {
  onopen: () => void;
  onerror: () => void;
  onclose: () => void;
  onmessage: (event: { data: unknown }) => void;
  send(text: string): void;
  close(): void;
}
const NodeWebSocket = WebSocket as unknown as new (url: string, init: { headers: Record<string, string> }) => Socket;

export interface Inspector {
  /** Heap and the buffers outside it, in bytes. Waits for the isolate to be between two events. */
  liveBytes(): Promise<number>;
  close(): void;
}

export async function openInspector(url: string): Promise<Inspector> {
  // wrangler's inspector proxy refuses clients that do not say where they come from.
  const socket = new NodeWebSocket(url, { headers: { Origin: "http://localhost" } });
  const waiting = new Map<number, { done: (answer: Answer) => void; failed: (error: Error) => void }>();
  const loseAll = (reason: string) => {
    for (const { failed } of waiting.values()) failed(new Error(reason));
    waiting.clear();
  };
  await new Promise<void>((opened, failed) => {
    socket.onopen = () => opened();
    socket.onerror = () => failed(new Error(`no inspector at ${url}`));
  });
  socket.onclose = () => loseAll("the inspector has hung up");
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    if (answer.id === undefined) return;
    waiting.get(answer.id)?.done(answer);
    waiting.delete(answer.id);
  };

  let sent = 0;
  const ask = async (method: string): Promise<Readonly<Record<string, number>>> => {
    sent += 1;
    const id = sent;
    const answer = await new Promise<Answer>((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`${method}: no answer`)), TIMEOUT_MS);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          settle(value);
        };
      waiting.set(id, { done: settled(done), failed: settled(failed) });
      socket.send(JSON.stringify({ id, method, params: {} }));
    });
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result ?? {};
  };

  return {
    async liveBytes() {
      await ask("HeapProfiler.collectGarbage");
      const usage = await ask("Runtime.getHeapUsage");
      return usage.usedSize! + usage.backingStorageSize!;
    },
    close: () => socket.close(),
  };
}
