/** `isocenter send`: every DICOM file of a folder by C-STORE to another node, with progress on a terminal. */
import type { Peer } from "../association/scu.ts";
import { NodeError } from "../base/errors.ts";
import { type Output, screenOn } from "../demo/screen.ts";
import { readFolder, send as sendFiles } from "../demo/send.ts";
import { parseAeTitle } from "../dicom/ae-title.ts";

export interface SendOptions {
  readonly folder: string;
  /** AE@HOST:PORT */
  readonly to: string;
  readonly calling: string;
}

/** @returns the exit code: 0 all stored, 1 something was not */
export async function send({ folder, to, calling }: SendOptions, output: Output): Promise<number> {
  const screen = screenOn(output);
  const peer = peerOf(to);
  const callingAeTitle = parseAeTitle(calling);
  if (!peer || !callingAeTitle) {
    screen.say(
      peer ? `"${calling}" is no AE title` : `"${to}" is not AE@HOST:PORT, for example PACS@10.20.1.5:104`,
    );
    return 1;
  }
  try {
    const { files, skipped } = await readFolder(folder);
    for (const { path, reason } of skipped) screen.say(`passed over  ${path}: ${reason}`);
    if (files.length === 0) {
      screen.say(`${folder}: no DICOM files`);
      return 1;
    }
    const onProgress = (done: number, total: number): void =>
      screen.progress(`${bar(done / total)} ${done} of ${total}`);
    const { stored, refused } = await sendFiles(files, peer, { callingAeTitle, onProgress });
    screen.say(`${stored} of ${files.length} stored by ${to}`);
    for (const [status, count] of refused)
      screen.say(`${count} refused with status ${status.toString(16).padStart(4, "0").toUpperCase()}H`);
    return stored === files.length ? 0 : 1;
  } catch (error) {
    if (!(error instanceof NodeError) && !("syscall" in (error as object))) throw error;
    screen.say((error as Error).message);
    return 1;
  }
}

const BAR = 30;

function bar(share: number): string {
  const full = Math.round(share * BAR);
  return `[${"#".repeat(full)}${".".repeat(BAR - full)}]`;
}

function peerOf(text: string): Peer | undefined {
  const [, ae = "", name = "", number = ""] = /^([^@]+)@(.+):(\d{1,5})$/.exec(text) ?? [];
  const aeTitle = parseAeTitle(ae);
  const host = name.replace(/^\[(.*)\]$/, "$1");
  const port = Number(number);
  return aeTitle && host !== "" && port >= 1 && port <= 65535 ? { aeTitle, host, port } : undefined;
}
