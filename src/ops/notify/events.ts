/** What people can be told of, by the events of the log that it is told by. Pure. */
import type { LogFields } from "../../base/log.ts";
import type { LogEvent } from "../observed-log.ts";

/** Kind of notification: the log events that are one. */
const KINDS = {
  "study-done": ["study.done"],
  "result-delivered": ["delivery.done"],
  "result-quarantined": ["run.quarantined"],
  "run-failed": ["run.ended"],
  "delivery-held": ["delivery.held"],
  "disk-full": ["intake.full"],
  "disk-open": ["intake.open-again"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type NotificationKind = keyof typeof KINDS;

export const NOTIFICATION_KINDS = Object.keys(KINDS) as readonly NotificationKind[];

const KIND_OF = new Map<string, NotificationKind>(
  NOTIFICATION_KINDS.flatMap((kind) => KINDS[kind].map((event) => [event, kind] as const)),
);

/** One thing that happened, as it is told: names of the config, UIDs and codes, no patient. */
export interface Notification {
  readonly kind: NotificationKind;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly studyUid?: string;
  readonly model?: string;
  readonly destination?: string;
  readonly code?: string;
  readonly reason?: string;
}

/** @returns undefined for what nobody can be told of */
export function notificationOf({ event, fields }: LogEvent, now: number): Notification | undefined {
  const kind = KIND_OF.get(event);
  return kind && { kind, at: new Date(now).toISOString(), ...told(fields) };
}

function told({ studyUid, model, destination, code, reason }: LogFields): Omit<Notification, "kind" | "at"> {
  return {
    ...(studyUid !== undefined && { studyUid }),
    ...(model !== undefined && { model }),
    ...(destination !== undefined && { destination }),
    ...(code !== undefined && { code }),
    ...(reason !== undefined && { reason }),
  };
}

/** A batch for people: one line each. */
export function textOf(batch: readonly Notification[]): string {
  const lines = batch.map(({ kind, at, ...fields }) =>
    [at, kind, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`)].join("  "),
  );
  return `${lines.join("\n")}\n`;
}
