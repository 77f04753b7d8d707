/** The settings as the README shows them: one row each, from the schema. Pure. */
import { type JsonSchema, jsonSchema } from "./json-schema.ts";

interface Row {
  readonly setting: string;
  readonly values: readonly string[];
  /** undefined: has to be written. */
  readonly preset: string | undefined;
  readonly meaning: string;
}

/** Markdown. */
export function settingsTable(): string {
  const rows = new Map<string, Row>();
  for (const row of rowsOf(jsonSchema(), "", true)) {
    const same = rows.get(row.setting);
    rows.set(row.setting, same ? { ...same, values: union(same.values, row.values) } : row);
  }
  return [
    "| Setting | Value | Default | Meaning |",
    "| --- | --- | --- | --- |",
    ...Array.from(rows.values(), ({ setting, values, preset, meaning }) => {
      const cells = [`\`${setting}\``, values.join(" or "), preset ?? "**required**", meaning];
      return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    }),
  ].join("\n");
}

function union(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])];
}

function rowsOf(schema: JsonSchema, setting: string, isRequired: boolean): readonly Row[] {
  if (schema.title === undefined || setting === "") {
    const groups = groupsOf(schema, setting);
    if (groups.length > 0) return groups;
  }
  const preset = schema.default === undefined ? "" : `\`${presetOf(schema)}\``;
  const { description: meaning = "" } = schema;
  return [{ setting, values: [valueOf(schema)], preset: isRequired ? undefined : preset, meaning }];
}

/** The rows of what has settings within; none for a setting that has a value. */
function groupsOf(schema: JsonSchema, setting: string): readonly Row[] {
  const forms = schema.anyOf ?? schema.oneOf;
  if (forms) {
    const { default: preset } = schema;
    return forms.flatMap((form) => {
      const whole =
        typeof form === "object" ? { ...form, ...(preset !== undefined && { default: preset }) } : {};
      return rowsOf(whole, setting, false);
    });
  }
  const { additionalProperties: entry, propertyNames: name, items } = schema;
  const named = Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
    typeof inner === "object"
      ? rowsOf(inner, setting ? `${setting}.${key}` : key, schema.required?.includes(key) ?? false)
      : [],
  );
  const free =
    typeof entry === "object" && typeof name === "object"
      ? rowsOf(entry, `${setting}.<${name.title ?? "name"}>`, false)
      : [];
  if (named.length + free.length > 0) return [...named, ...free];
  return typeof items === "object" && !Array.isArray(items) ? rowsOf(items, `${setting}[]`, false) : [];
}

function presetOf({ default: preset }: JsonSchema): string {
  return typeof preset === "string" ? preset : JSON.stringify(preset);
}

function valueOf({ title, const: only, enum: values, type, minimum, maximum }: JsonSchema): string {
  if (title !== undefined) return title;
  if (only !== undefined) return String(only);
  if (values) return values.map(String).join(" or ");
  if (type === "integer") return `${minimum} to ${maximum}`;
  return type === "boolean" ? "true or false" : String(type);
}
