/**
 * What a trace of system calls says: how many points there are to kill the node at, and whether the node ever spoke
 * of something before it was durable (oracle "no lie").
 */
export interface Call {
  readonly thread: string;
  readonly name: string;
  /** What the first descriptor or name stands for. */
  readonly path: string;
  /** Places in the order of the trace. */
  readonly begun: number;
  readonly ended: number;
}

/** Of files only those that make one are looked at. In: the output of `strace -f -yy`. A call that did not end has its end at Infinity. */
export function callsOf(trace: string): readonly Call[] {
  const calls: { thread: string; name: string; path: string; begun: number; ended: number }[] = [];
  const open = new Map<string, (typeof calls)[number]>();
  for (const [at, line] of trace.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.startsWith("<... ")) {
      const call = open.get(thread);
      if (call) call.ended = at;
      open.delete(thread);
      continue;
    }
    const [, name, argument = ""] = /^(\w+)\(([^,)]*)/.exec(rest) ?? [];
    if (name === undefined) continue;
    const isOpening = name === "openat";
    if (isOpening && !rest.includes("O_CREAT")) continue;
    const path = isOpening
      ? (/"([^"]*)"/.exec(rest)?.[1] ?? "")
      : (/<(.*)/.exec(argument)?.[1]?.replace(/>$/, "") ?? argument.replaceAll('"', ""));
    const unfinished = rest.includes("<unfinished ...>");
    const call = {
      thread,
      name,
      path: path.replace(/>? <unfinished.*/, ""),
      begun: at,
      ended: unfinished ? Infinity : at,
    };
    calls.push(call);
    if (unfinished) open.set(thread, call);
  }
  return calls;
}

export interface Ways {
  readonly dataFolder: string;
  /** That the images came in at, one after the other over one association. */
  readonly nodePort: number;
  readonly archivePorts: readonly number[];
}

/**
 * The order that makes an answer true: file and folder on the disk, then the row, then Success; and for a result:
 * its file on the disk, its name, the folder, the row, then the first byte to an archive.
 *
 * @returns  what was said too early
 */
export function lies(
  calls: readonly Call[],
  { dataFolder, nodePort, archivePorts }: Ways,
): readonly string[] {
  const instances = `${dataFolder}/instances`;
  const results = `${dataFolder}/results`;
  const isFlush = ({ name }: Call): boolean => name === "fsync" || name === "fdatasync";
  const isArchive = (path: string): boolean =>
    archivePorts.some((port) => path.endsWith(`->127.0.0.1:${port}]`));
  const isRow = (call: Call): boolean => isFlush(call) && call.path === `${dataFolder}/ledger.sqlite-wal`;
  const files = calls.filter((call) => isFlush(call) && call.path.startsWith(`${instances}/`));
  const folders = calls.filter((call) => isFlush(call) && call.path === instances);
  const rows = calls.filter(isRow);
  const answers = calls.filter(
    ({ name, path }) => name.startsWith("write") && path.startsWith(`TCP:[127.0.0.1:${nodePort}->`),
  );
  const found: string[] = [];
  // The first answer accepts the association, the last one its release; between them one for each image.
  const stores = answers.slice(1, -1);
  let after = answers[0]?.ended ?? 0;
  for (const [at, answer] of stores.entries()) {
    const within = (call: Call): boolean => call.begun > after && call.ended < answer.begun;
    const file = files.find(within);
    // The file may have been made long ago, and its name be on the disk since.
    const made = file && calls.find(({ name, path }) => name === "openat" && path === file.path);
    const folder = folders.find(
      ({ begun, ended }) => begun > (made?.ended ?? Infinity) && ended < answer.begun,
    );
    const row = rows.find(
      (call) => within(call) && file && folder && call.begun > Math.max(file.ended, folder.ended),
    );
    if (!file) found.push(`no lie: answer ${at + 1} before its file was flushed`);
    if (!folder) found.push(`no lie: answer ${at + 1} before the folder was flushed`);
    if (file && folder && !row) found.push(`no lie: answer ${at + 1} before its row was flushed`);
    after = answer.ended;
  }
  const renames = calls.filter(({ name, path }) => name.startsWith("rename") && path.startsWith(results));
  const named = calls.filter((call) => isFlush(call) && call.path === results);
  for (const [at, rename] of renames.entries()) {
    const whole = calls.some(
      (call) => isFlush(call) && call.path === rename.path && call.ended < rename.begun,
    );
    if (!whole) found.push(`no lie: result ${at + 1} got its name before its bytes were flushed`);
    const flushes = named.filter(({ begun }) => begun > rename.ended).length;
    if (flushes < renames.length - at) found.push(`no lie: the name of result ${at + 1} was not flushed`);
  }
  const first = calls.find(({ name, path }) => name.startsWith("write") && isArchive(path));
  const durable = renames.some((rename) =>
    named.some(
      (name) =>
        name.begun > rename.ended &&
        rows.some((row) => row.begun > name.ended && row.ended < (first?.begun ?? 0)),
    ),
  );
  if (!durable) found.push("no lie: a result was sent before its name and its row were flushed");
  if (stores.length === 0) found.push("no lie: the trace shows no answer");
  return found;
}
