/** Settings of the node itself: what it is called, where it keeps things, when a series is complete, its log. */
import * as z from "zod";
import { aeTitle, bytes, choice, duration, line, named, path, section, whole } from "../kinds.ts";

export const node = section({
  aeTitle: aeTitle().describe("Our AE title, as SCP and as SCU."),
  dataDir: line(1024).describe(
    "Folder for spool, ledger and results; a relative one is seen from the config file.",
  ),
  reserve: bytes("0B", "1TiB")
    .prefault("1GiB")
    .describe("Disk space kept free; with less, C-STORE is answered A700H."),
  sync: choice("on", "off")
    .prefault("on")
    .describe(
      "Whether Success waits until instance and ledger are flushed to the disk. With off, a power cut or a crash of the system loses instances that were answered Success, and the sender will not repeat them: only for tests, or where the sender keeps all and compares.",
    ),
  workers: z
    .exactOptional(whole(1, 64))
    .describe("Threads for decoding and encoding; by default as many as there are cores, at most 4."),
  stopWithin: duration("1s", "10m")
    .prefault("30s")
    .describe("How long a stop may take before the process ends anyway."),
}).transform(({ reserve, stopWithin, ...rest }) => ({
  ...rest,
  reserveBytes: reserve,
  stopWithinMs: stopWithin,
}));

export const assembly = section({
  settle: duration("0s", "10m")
    .prefault("5s")
    .describe("A stack without gaps is complete so long after the association was released."),
  quietPeriod: duration("1s", "1h")
    .prefault("30s")
    .describe("Any series is complete when nothing came for so long."),
  maximumWait: duration("1s", "24h")
    .prefault("30m")
    .describe("A series is complete so long after its first image at the latest."),
  late: choice("supersede", "note")
    .prefault("supersede")
    .describe("An image after completion makes a new revision that supersedes, or is only kept and noted."),
}).transform(({ settle, quietPeriod, maximumWait, late }) => ({
  late,
  settleMs: settle,
  quietPeriodMs: quietPeriod,
  maximumWaitMs: maximumWait,
}));

export const volume = section({
  missingSlices: choice("refuse", "repeat")
    .prefault("refuse")
    .describe(
      "A series with missing slices: no volume, or one that shows the slice before; results show real slices alone.",
    ),
  unevenSpacing: choice("refuse", "mean")
    .prefault("refuse")
    .describe("Slices that are not evenly spaced: no volume, or one that says the mean step is that of all."),
});

export const retention = section({
  done: duration("1h", "3650d")
    .prefault("7d")
    .describe("How long a study is kept after the last of its results was delivered."),
  failed: duration("1h", "3650d")
    .prefault("30d")
    .describe("The same for a study of which something failed, was quarantined or discarded."),
}).transform(({ done, failed }) => ({ doneMs: done, failedMs: failed }));

const level = () => choice("error", "warn", "info", "debug");

const file = section({
  path: path().describe("File that the log is written to as well."),
  size: bytes("64KiB", "10GiB").prefault("20MiB").describe("When it has grown so large, it is put aside."),
  files: whole(1, 1000).prefault(5).describe("How many are kept in all."),
}).transform(({ size, ...rest }) => ({ ...rest, sizeBytes: size }));

export const log = section({
  level: level().prefault("info").describe("The least important lines that are written."),
  levels: named(
    "levels",
    level().describe("The same for the events of one stage, such as association or inference."),
  ).prefault({}),
  file: z.exactOptional(file),
  format: choice("json", "pretty")
    .prefault("json")
    .describe("One JSON object per line, or lines for people."),
});
