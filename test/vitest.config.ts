/** `npm test`: everything but the heavy suites, which have commands of their own (package.json). */
import { defineConfig } from "vitest/config";

const heavy = ["test/**/*.heavy.test.ts"];

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: process.env["HEAVY"] ? heavy : ["test/**/*.test.ts"],
    exclude: process.env["HEAVY"] ? [] : heavy,
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A test that leaves a socket or a thread behind is told so by name.
    teardownTimeout: 10_000,
  },
});
