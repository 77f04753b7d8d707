/**
 * Where the demo talks: whole lines, and on a terminal one line of progress that the next overwrites.
 *
 * Colour only on a terminal, and never if NO_COLOR is set (https://no-color.org).
 */

export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Screen {
  readonly colour: boolean;
  /** Characters in a line. */
  readonly width: number;
  say(line?: string): void;
  /** On a terminal only: what is under way. The next call takes its place. */
  progress(text: string): void;
}

const WIDTH = { usual: 80, most: 120 } as const;
const ERASE_LINE = "\r\u001b[2K";

export function screenOn(output: Output): Screen {
  const isTerminal = output.isTTY === true;
  const width = Math.min(output.columns ?? WIDTH.usual, WIDTH.most);
  let isPending = false;
  const erase = (): string => (isPending ? ERASE_LINE : "");
  return {
    colour: isTerminal && !process.env["NO_COLOR"],
    width,
    say(line = "") {
      output.write(`${erase()}${line}\n`);
      isPending = false;
    },
    progress(text) {
      if (!isTerminal) return;
      output.write(erase() + text.slice(0, width - 1));
      isPending = true;
    },
  };
}
