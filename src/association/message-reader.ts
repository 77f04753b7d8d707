/**
 * Presentation data values → DIMSE messages, PS3.7 6.3 and PS3.8 annex E.
 *
 * A message is a command set and, if its command says so, a data set, all on one presentation context. Command
 * sets are gathered up to a bound; data set fragments pass through.
 *
 *   command ──last, no data set──▶ command
 *   command ──last, data set to come──▶ data ──last──▶ command
 */
import { type Command, decodeCommand } from "./command.ts";
import { AbortReason } from "./dimse.ts";
import { Gather } from "./gather.ts";
import type { Pdv } from "./pdu.ts";
import type { Wait } from "./pdu-reader.ts";
import { PeerFault } from "./peer-fault.ts";

export interface MessageConsumer {
  /** A command set is whole; if it has a data set, that follows. */
  command(contextId: number, command: Command): Wait;
  dataSetFragment(bytes: Uint8Array): Wait;
  dataSetEnd(): Wait;
}

export class MessageReader {
  readonly #consumer: MessageConsumer;
  readonly #commandBytes: number;
  readonly #command = new Gather();
  /** The context of the message that is being read; undefined between messages. */
  #contextId: number | undefined;
  #stage: "command" | "data" = "command";

  /** @param commandBytes  the longest command set taken */
  constructor(consumer: MessageConsumer, commandBytes: number) {
    this.#consumer = consumer;
    this.#commandBytes = commandBytes;
  }

  get isBetweenMessages(): boolean {
    return this.#contextId === undefined;
  }

  /** @throws PeerFault if the value does not belong here, or the command set is too long or malformed */
  fragment(pdv: Pdv, bytes: Uint8Array, isEnd: boolean): Wait {
    if (
      pdv.isCommand !== (this.#stage === "command") ||
      pdv.contextId !== (this.#contextId ?? pdv.contextId)
    ) {
      throw new PeerFault("data value out of place", AbortReason.UnexpectedPduParameter);
    }
    this.#contextId = pdv.contextId;
    const isLast = isEnd && pdv.isLast;
    return pdv.isCommand ? this.#takeCommand(bytes, isLast) : this.#takeData(bytes, isLast);
  }

  #takeCommand(bytes: Uint8Array, isLast: boolean): Wait {
    if (this.#command.length + bytes.length > this.#commandBytes) {
      throw new PeerFault(`command set of more than ${this.#commandBytes} bytes`);
    }
    this.#command.add(bytes);
    if (!isLast) return undefined;
    const command = decodeCommand(this.#command.take());
    const contextId = this.#contextId;
    if (contextId === undefined) throw new Error("bug: command set without a context");
    if (command.hasDataSet) this.#stage = "data";
    else this.#contextId = undefined;
    return this.#consumer.command(contextId, command);
  }

  #takeData(bytes: Uint8Array, isLast: boolean): Wait {
    const wait = bytes.length > 0 ? this.#consumer.dataSetFragment(bytes) : undefined;
    if (!isLast) return wait;
    this.#stage = "command";
    this.#contextId = undefined;
    return wait ? wait.then(() => this.#consumer.dataSetEnd()) : this.#consumer.dataSetEnd();
  }
}
