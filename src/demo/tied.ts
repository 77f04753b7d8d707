/**
 * Preloaded into the demo's node (`node --import`): ends it when standard input ends, which is when the demo is gone,
 * however it went. The node itself does not do so: it is a service.
 */
import { Socket } from "node:net";

process.stdin.resume().once("end", () => process.exit(1));
if (process.stdin instanceof Socket) process.stdin.unref();
