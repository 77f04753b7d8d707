/** The HTTP door over a ledger of its own, without a node behind it. */
import { Desk } from "../../src/ops/desk.ts";
import { LiveEvents } from "../../src/ops/http/events.ts";
import { type HttpSettings, startHttp } from "../../src/ops/http/server.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { observedLog } from "../../src/ops/observed-log.ts";
import { type TestLedger, testLedger } from "../ledger/support.ts";
import { Journal } from "../support/rig.ts";

/** No images here: pictures are tested with a whole node. */
const nothing = async (): Promise<undefined> => undefined;

export interface TestDoor extends AsyncDisposable {
  readonly here: TestLedger;
  readonly live: LiveEvents;
  readonly journal: Journal;
  readonly origin: string;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, headers?: Record<string, string>, body?: string): Promise<Response>;
}

export async function testDoor(access: Partial<HttpSettings> = {}): Promise<TestDoor> {
  await using parts = new AsyncDisposableStack();
  const here = parts.use(await testLedger());
  const { clock, ledger } = here;
  const live = parts.use(new LiveEvents(clock));
  const journal = new Journal();
  const log = observedLog(journal, new Set([(event) => live.observe(event)]));
  const models = ["mandible", "canal"].map((name) => ({
    name,
    version: "2.0",
    host: "models:8001",
    slots: { gpu0: 1 },
  }));
  const destinations = ["pacs", "archive"].map((name) => ({
    name,
    aeTitle: name.toUpperCase(),
    host: "pacs",
    port: 104,
  }));
  const http = parts.use(
    await startHttp(
      { host: "127.0.0.1", port: 0, users: [], tokens: [], ...access },
      {
        log,
        clock,
        live,
        version: "1.0",
        pictures: { describe: nothing, values: nothing, masks: nothing },
        checks: async () => [],
        metrics: new Metrics(
          { backlog: () => Promise.reject(new Error("not asked")), freeBytes: async () => 0 },
          "1.0",
        ),
        desk: new Desk({
          ledger: { store: ledger.store, queue: ledger.queue },
          models,
          destinations,
          log,
          clock,
        }),
      },
    ),
  );
  const origin = `http://127.0.0.1:${http.port}`;
  const release = parts.move();
  return {
    here,
    live,
    journal,
    origin,
    get: (path, headers = {}) => fetch(origin + path, { headers, redirect: "manual" }),
    post: (path, headers = {}, body) =>
      fetch(origin + path, {
        method: "POST",
        headers,
        redirect: "manual",
        ...(body !== undefined && { body }),
      }),
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}
