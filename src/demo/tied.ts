/**
 * Preloaded into the demo's node (`node --import`): ends it when standard input ends, which is when the demo is gone,
 * however it went. The node itself does not do so: it is a service.
 *
 * Its threads preload this too, and have no standard input of their own.
 */
import { Socket } from "node:net";
import { isMainThread } from "node:worker_threads";

if (isMainThread) {
  process.stdin.resume().once("end", () => process.exit(1));
  if (process.stdin instanceof Socket) process.stdin.unref();
}
