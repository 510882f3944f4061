/** How long a database takes, seen from where its answers arrive. */

interface Asked {
  query<Row>(text: string, params: readonly unknown[]): Promise<Row[]>;
}

/** The same database, and the longest statement sent through it so far, also one that failed or was given up. */
export function watched(database: Asked, nowMs: () => number): { readonly database: Asked; slowestMs(): number } {
  let slowest = 0;
  return {
    database: {
      async query<Row>(text: string, params: readonly unknown[]) {
        const from = nowMs();
        try {
          return await database.query<Row>(text, params);
        } finally {
          slowest = Math.max(slowest, nowMs() - from);
        }
      },
    },
    slowestMs: () => slowest,
  };
}
