/** What an isolate really holds: asked of V8 through workerd's inspector, after a collection. */

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
  /**
   * Heap and the buffers outside it, in bytes; undefined once the inspector is closed. Answered between two events of a
   * request: an idle isolate collects nothing and lets the question wait.
   */
  liveBytes(): Promise<number | undefined>;
  close(): void;
}

export async function openInspector(url: string): Promise<Inspector> {
  // wrangler's inspector proxy refuses clients that do not say where they come from.
  const socket = new NodeWebSocket(url, { headers: { Origin: "http://localhost" } });
  await new Promise<void>((opened, failed) => {
    socket.onopen = opened;
    socket.onerror = () => failed(new Error(`no inspector at ${url}`));
  });
  const waiting = new Map<number, (answer: Answer | undefined) => void>();
  let closed = false;
  const end = () => {
    closed = true;
    for (const answered of waiting.values()) answered(undefined);
  };
  socket.onclose = end;
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
  };

  let sent = 0;
  const ask = async (method: string): Promise<Readonly<Record<string, number>> | undefined> => {
    if (closed) return undefined;
    sent += 1;
    const id = sent;
    const answer = await new Promise<Answer | undefined>((answered) => {
      waiting.set(id, answered);
      socket.send(JSON.stringify({ id, method, params: {} }));
    });
    waiting.delete(id);
    if (answer?.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer && (answer.result ?? {});
  };

  return {
    async liveBytes() {
      await ask("HeapProfiler.collectGarbage");
      const usage = await ask("Runtime.getHeapUsage");
      return usage && usage.usedSize! + usage.backingStorageSize!;
    },
    close() {
      end();
      socket.close();
    },
  };
}
