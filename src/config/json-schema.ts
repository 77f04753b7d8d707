/**
 * config/node.schema.json, for editors: what `# yaml-language-server: $schema=./node.schema.json` points to. Pure.
 *
 * It knows every key, kind and default; what takes more than one value to check (names, codes, CEL) is left to
 * `isocenter check`.
 */
import * as z from "zod";
import { settingsSchema } from "./schema.ts";

export type JsonSchema = z.core.JSONSchema.JSONSchema;

export function jsonSchema(): JsonSchema {
  return { ...z.toJSONSchema(settingsSchema, { io: "input" }), title: "Isocenter node" };
}

/** The text of the file. */
export function jsonSchemaFile(): string {
  return `${JSON.stringify(jsonSchema(), undefined, 2)}\n`;
}
