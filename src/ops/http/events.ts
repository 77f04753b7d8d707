/**
 * Open pages, told what changes: server-sent events fed by the log.
 *
 * In:   events of the log, pages that ask.
 * Out:  to each page a stream of what changed, as names and UIDs: it asks for the rest itself.
 *
 * Bounded: CLIENTS streams at most; one whose reader is slower than BUFFER_BYTES allows is ended, and the browser
 * comes back by itself; nobody listens longer than LONGEST_MS without showing again who he is. No event of single
 * images is passed on: they come by the hundred.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import type { LogEvent } from "../observed-log.ts";

const CLIENTS = 64;
const BUFFER_BYTES = 64 * 1024;
const BEAT_MS = 20_000;
const LONGEST_MS = 15 * 60_000;
/** The first part of an event's name. */
const TOLD: ReadonlySet<string> = new Set([
  "series",
  "volume",
  "inference",
  "segmentation",
  "run",
  "delivery",
  "commitment",
  "destination",
  "node",
]);

export class LiveEvents implements Disposable {
  readonly #clock: Clock;
  readonly #clients = new Map<ServerResponse, Disposable>();
  #beat: Disposable | undefined;
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#schedule();
  }

  get clients(): number {
    return this.#clients.size;
  }

  observe({ event, fields }: LogEvent): void {
    const isOfSeries = event === "intake.opened";
    if (this.#clients.size === 0 || !(isOfSeries || TOLD.has(event.split(".", 1)[0]!))) return;
    const { studyUid, seriesUid, model, destination } = fields;
    const told = { event, studyUid, seriesUid, model, destination };
    this.#write(`event: change\ndata: ${JSON.stringify(told)}\n\n`);
  }

  /** @returns false if there are enough already, or the node is stopping */
  add(
    response: ServerResponse,
    headers: Readonly<Record<string, number | string | string[] | undefined>>,
  ): boolean {
    if (this.#ended || this.#clients.size >= CLIENTS) return false;
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined) response.setHeader(name, value);
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write("retry: 3000\n\n");
    const last = this.#clock.after(LONGEST_MS, () => this.#drop(response));
    this.#clients.set(response, last);
    response.on("close", () => this.#drop(response));
    response.on("error", () => this.#drop(response));
    return true;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#beat?.[Symbol.dispose]();
    for (const client of this.#clients.keys()) this.#drop(client);
  }

  #write(text: string): void {
    for (const client of this.#clients.keys()) {
      client.write(text);
      if (client.writableLength > BUFFER_BYTES) this.#drop(client, { now: true });
    }
  }

  #drop(client: ServerResponse, { now } = { now: false }): void {
    this.#clients.get(client)?.[Symbol.dispose]();
    if (!this.#clients.delete(client)) return;
    if (now) client.destroy();
    else client.end();
  }

  #schedule(): void {
    this.#beat = this.#clock.after(BEAT_MS, () => {
      this.#write(": still here\n\n");
      if (!this.#ended) this.#schedule();
    });
  }
}
