/** The Neon endpoint as a process of its own, so that its work does not count as the client's. */
import { runAsChild } from "../../cli/local/child-process.ts";
import { startDatabase } from "../../cli/local/database.ts";

export interface EndpointConfig {
  readonly url: string;
}

export interface EndpointReady {
  readonly endpointUrl: string;
  readonly connectionString: string;
}

await runAsChild<EndpointConfig, EndpointReady>(async ({ url }) => {
  const { endpointUrl, connectionString, stop } = await startDatabase({ url });
  return { ready: { endpointUrl, connectionString }, stop };
});
