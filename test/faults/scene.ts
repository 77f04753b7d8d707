/** A whole node with results to deliver, a PACS that follows a script, and a proxy between the two. */
import { type Outgoing, type OutgoingOptions, startOutgoing } from "../support/outgoing.ts";
import { type Script, type ScriptedPacs, startScriptedPacs } from "../support/scripted-pacs.ts";
import { startTcpProxy, type TcpProxy, type Treatment } from "../support/tcp-proxy.ts";
import { tempFolder } from "../support/temp.ts";

export interface Scene extends AsyncDisposable {
  readonly pacs: ScriptedPacs;
  readonly out: Outgoing;
  readonly proxy: TcpProxy;
}

interface Scenery extends Omit<OutgoingOptions, "destinations"> {
  readonly script?: Script;
  readonly rest?: string;
  readonly treatment?: (at: number) => Treatment | undefined;
  /** Other destinations, as in the config. */
  readonly others?: Readonly<Record<string, string>>;
}

export async function scene(options: Scenery = {}): Promise<Scene> {
  const { script, rest = "", treatment = () => undefined, others = {}, ...outgoing } = options;
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const pacs = stack.use(await startScriptedPacs(script));
  const proxy = stack.use(await startTcpProxy(pacs.port, treatment));
  const destinations = { pacs: `port: ${proxy.port}${rest && `, ${rest}`}`, ...others };
  const out = stack.use(await startOutgoing(folder.path, { ...outgoing, destinations }));
  return { pacs, out, proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Delivery {
  readonly state: unknown;
  readonly status: string | undefined;
}

/** By SOP Instance UID. */
export function deliveriesOf(out: Outgoing, destination = "pacs"): ReadonlyMap<string, Delivery> {
  const rows = out.rows(
    `SELECT r.sop, d.state, d.status FROM delivery d JOIN result r ON r.run = d.run
     WHERE d.destination = '${destination}'`,
  );
  return new Map(
    rows.map(({ sop, state, status }) => [
      String(sop),
      { state, status: typeof status === "number" ? status.toString(16).padStart(4, "0") : undefined },
    ]),
  );
}

export const statesOf = (out: Outgoing, destination?: string): readonly unknown[] =>
  [...deliveriesOf(out, destination).values()].map(({ state }) => state);
