/**
 * A folder that the node and a model's container both see, under two names.
 *
 * In:   a file, and where the folder is.
 * Out:  its path as the model sees it; what the model put beside it.
 * May:  write and read in that folder. Each job has a folder of its own with a random name, gone with the job; what a
 *       crash left is removed when the next job begins.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { join, posix, sep } from "node:path";
import { NodeError } from "../base/errors.ts";
import type { Model } from "./model.ts";
import type { EncodedFile } from "./request.ts";

type Folder = NonNullable<Model["sharedFolder"]>;

export interface JobFolder extends AsyncDisposable {
  /** As the model sees it. */
  readonly path: string;
  /** Where the model may write, as it sees it. */
  readonly dir: string;
  /**
   * Reads what the model wrote.
   *
   * @param path  as the model says it, or relative to its `dir`
   * @throws MODEL_ANSWER_INVALID outside of the job's folder, by links too; MODEL_ANSWER_TOO_LARGE
   */
  read(path: string, maxBytes: number): Promise<Uint8Array>;
}

const PREFIX = "isocenter-";
/** No job lasts longer; see the bounds of `deadline`. */
const LEFT_AFTER_MS = 48 * 3_600_000;

/** @throws STORAGE_FULL, STORAGE_FAILED */
export async function openJobFolder(
  folder: Folder,
  {
    file,
    name,
    now,
  }: { readonly file: EncodedFile | undefined; readonly name: string; readonly now: number },
): Promise<JobFolder> {
  const job = `${PREFIX}${randomBytes(16).toString("hex")}`;
  const ours = join(folder.node, job);
  const theirs = posix.join(folder.model, job);
  const remove = (): Promise<void> => rm(ours, { recursive: true, force: true });
  try {
    await removeLeft(folder.node, now);
    await mkdir(join(ours, "out"), { recursive: true });
    // The model's user is another one, and nobody knows the name of the folder.
    await chmod(ours, 0o711);
    await chmod(join(ours, "out"), 0o777);
    if (file) await write(join(ours, name), file);
  } catch (cause) {
    await remove().catch(() => undefined);
    const { code } = cause as NodeJS.ErrnoException;
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    throw new NodeError(isFull ? "STORAGE_FULL" : "STORAGE_FAILED", `Shared folder: ${code ?? "failed"}`, {
      cause,
    });
  }
  const dir = posix.join(theirs, "out");
  return {
    path: posix.join(theirs, name),
    dir,
    async read(path, maxBytes) {
      const within = posix.resolve(dir, path);
      if (!within.startsWith(`${theirs}/`)) throw outside();
      return readWithin(
        await realpath(ours),
        join(ours, ...within.slice(theirs.length + 1).split("/")),
        maxBytes,
      );
    },
    [Symbol.asyncDispose]: remove,
  };
}

async function write(path: string, file: EncodedFile): Promise<void> {
  const unfinished = `${path}.part`;
  {
    await using handle = await open(unfinished, "wx", 0o644);
    for (const chunk of file.chunks()) await handle.writeFile(chunk);
    await handle.datasync();
  }
  await rename(unfinished, path);
}

async function readWithin(folder: string, path: string, maxBytes: number): Promise<Uint8Array> {
  const real = await realpath(path).catch((cause: unknown) => {
    throw new NodeError("MODEL_ANSWER_INVALID", "Answer names a file that is not there", { cause });
  });
  if (!real.startsWith(folder + sep)) throw outside();
  await using handle = await open(real);
  const { size } = await handle.stat();
  if (size > maxBytes)
    throw new NodeError(
      "MODEL_ANSWER_TOO_LARGE",
      `Answer is a file of ${size} bytes where ${maxBytes} are allowed`,
    );
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(bytes, at, size - at, at);
    if (bytesRead === 0) return bytes.subarray(0, at);
    at += bytesRead;
  }
  return bytes;
}

async function removeLeft(folder: string, now: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^isocenter-[0-9a-f]{32}$/.test(name)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (mtimeMs < now - LEFT_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}

function outside(): NodeError {
  return new NodeError("MODEL_ANSWER_INVALID", "Answer names a file outside of its folder");
}
