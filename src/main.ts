#!/usr/bin/env node
/** The process: command line and exit code. Each command is a module of its own, loaded when it is called. */
import { Command, InvalidArgumentError } from "commander";

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);
const exitWith = (code: number): void => {
  process.exitCode = code;
};

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It has to be a number above 0.");
  return value;
};

/** Whoever reads our output may stop reading: `isocenter check … | head`. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

const program = new Command("isocenter")
  .description("The DICOM node where a PACS and its AI models meet.")
  .version("0.1.0")
  .showHelpAfterError();

program
  .command("start")
  .description("run the node; the first SIGTERM drains it, a second one ends it at once")
  .option("-c, --config <file>", "config file (default: config/node.yaml, else the example on loopback)")
  .action(async (options: { config?: string }) => {
    const { start } = await import("./commands/start.ts");
    exitWith(await start(options.config, print));
  });

program
  .command("check")
  .description("validate a config: all problems at once, as file:line:column")
  .requiredOption("-c, --config <file>", "config file")
  .option("--live", "also ask every model for its health and every destination by C-ECHO", false)
  .action(async (options: { config: string; live: boolean }) => {
    const { check } = await import("./commands/check.ts");
    exitWith(await check(options.config, print, options));
  });

program
  .command("try")
  .description(
    "one model on one series of a folder; writes the SEG beside the folder, with the time of every step",
  )
  .argument("<model>", "name of the model in the config")
  .argument("<folder>", "DICOM folder")
  .requiredOption("-c, --config <file>", "config file")
  .option("--series <uid>", "Series Instance UID, where the folder holds several")
  .action(async (model: string, folder: string, options: { config: string; series?: string }) => {
    const { tryModel } = await import("./commands/try.ts");
    exitWith(await tryModel({ model, folder, ...options }, { print, complain }));
  });

const CONFIG = ["-c, --config <file>", "config file of the node", "config/node.yaml"] as const;
const JSON_OUTPUT = ["--json", "print JSON", false] as const;

interface Looking {
  readonly config: string;
  readonly json: boolean;
}

program
  .command("studies")
  .description("list the studies of a node, running or not, the newest first")
  .option(...CONFIG)
  .option("-n, --most <number>", "how many at most", positive, 50)
  .option(...JSON_OUTPUT)
  .action(async ({ most, ...options }: Looking & { readonly most: number }) => {
    const { studies } = await import("./commands/studies.ts");
    exitWith(await studies(most, { ...options, print, complain }));
  });

for (const [name, description] of [
  ["show", "what became of a study: by its UID, or that of a series, an image or a result"],
  ["receipt", "the same with every image received and its digest"],
] as const) {
  program
    .command(name)
    .description(description)
    .argument("<uid>")
    .option(...CONFIG)
    .option(...JSON_OUTPUT)
    .action(async (uid: string, options: Looking) => {
      const { show } = await import("./commands/studies.ts");
      exitWith(await show(uid, name, { ...options, print, complain }));
    });
}

for (const [name, description] of [
  ["retry", "try again what failed, is quarantined or held of a study"],
  ["discard", "do and send nothing more of a study; what is there is kept until its time is over"],
] as const) {
  program
    .command(name)
    .description(description)
    .argument("<uid>")
    .option(...CONFIG)
    .option(...JSON_OUTPUT)
    .action(async (uid: string, options: Looking) => {
      const { order } = await import("./commands/studies.ts");
      exitWith(await order(name, uid, { ...options, print, complain }));
    });
}

program
  .command("conformance")
  .description("the DICOM conformance statement: what this node speaks, as Markdown")
  .option(
    "-c, --config <file>",
    "config file whose AE title, limits and peers to state; by default the defaults",
  )
  .action(async (options: { config?: string }) => {
    const { conformance } = await import("./commands/conformance.ts");
    exitWith(await conformance(options.config, print));
  });

program
  .command("plan")
  .description(
    "which rule, models and destinations each series of a folder would get, and why; sends nothing",
  )
  .argument("<folder>", "DICOM folder")
  .requiredOption("-c, --config <file>", "config file")
  .option("--against <file>", "another config: show what would be decided otherwise")
  .option("--calling <ae>", "the calling AE title that rules see", "ANY")
  .option("--json", "as JSON", false)
  .action(
    async (folder: string, options: { config: string; against?: string; calling: string; json: boolean }) => {
      const { plan } = await import("./commands/plan.ts");
      exitWith(await plan({ folder, ...options }, { print, complain }));
    },
  );

program
  .command("send")
  .description("send every DICOM file of a folder by C-STORE")
  .argument("<folder>", "DICOM folder")
  .requiredOption("--to <peer>", "AE@HOST:PORT")
  .option("--calling <ae>", "our AE title", "ISOCENTER")
  .action(async (folder: string, options: { to: string; calling: string }) => {
    const { send } = await import("./commands/send.ts");
    exitWith(await send({ folder, ...options }, process.stdout));
  });

program
  .command("demo")
  .description("the whole way of one study on this machine: sequentially, then all models at once")
  .argument("[folder]", "DICOM folder to use instead of the synthetic dental CBCT")
  .option("--keep", "leave node, models and PACS running at the end", false)
  .option("--think <seconds>", "how long the slowest model takes to answer", positive, 12)
  .action(async (folder: string | undefined, options: { keep: boolean; think: number }) => {
    const { demo } = await import("./demo/run.ts");
    exitWith(await demo({ ...(folder !== undefined && { folder }), ...options, output: process.stdout }));
  });

program
  .command("audit")
  .description("the audit trail")
  .command("verify")
  .description("whether the audit trail in the data folder is what the node wrote")
  .requiredOption("-c, --config <file>", "config file")
  .action(async (options: { config: string }) => {
    const { verifyAudit } = await import("./commands/audit.ts");
    exitWith(await verifyAudit(options.config, print));
  });

program
  .command("bench")
  .description("how much longer than the models themselves it takes until all have answered")
  .option("--factor <n>", "how many times slower than 3, 2.5, 2 and 1.5 s the models are", positive, 1)
  .option("--only-ours", "without the scripts that it is compared with", false)
  .option("--chart <file>", "where the chart goes", "bench.svg")
  .action(async (options: { factor: number; onlyOurs: boolean; chart: string }) => {
    const { bench } = await import("./bench/run.ts");
    exitWith(await bench({ ...options, print }));
  });

program
  .command("password")
  .description("hash a password for http.users: echo PASSWORD | isocenter password")
  .action(async () => {
    const { password } = await import("./commands/secret.ts");
    exitWith(await password(print, complain));
  });

program
  .command("token")
  .description("make a token for http.tokens: the token itself, and its hash for the config")
  .action(async () => {
    const { token } = await import("./commands/secret.ts");
    exitWith(token(print));
  });

await program.parseAsync();
