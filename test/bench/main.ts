/** `npm run bench -- NAME`: prints what it measured; asserts nothing. */
const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  receive: async () => (await import("./receive.ts")).receive(),
  seg: async () => (await import("./seg.ts")).seg(),
  send: async () => (await import("./send.ts")).send(),
  answer: async () => (await import("./answer.ts")).answer(),
};

const name = process.argv[2] ?? "";
const bench = BENCHES[name];
if (bench) await bench();
else {
  process.stderr.write(`npm run bench -- ${Object.keys(BENCHES).join(" | ")}\n`);
  process.exitCode = 2;
}
