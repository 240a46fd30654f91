// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";

type Schema = { [key: string]: unknown };

const folder = join(import.meta.dirname, "..", "schemas");

/** Names of the published schemas: `copy`, `migrate-plan`, ... */
export const schemaNames: readonly string[] = readdirSync(folder)
  .filter((file) => file.endsWith(".schema.json"))
  .map((file) => file.replace(".schema.json", ""));

export function readSchema(name: string): Schema {
  return JSON.parse(readFileSync(join(folder, `${name}.schema.json`), "utf8")) as Schema;
}

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictRequired: false });
for (const name of schemaNames) ajv.addSchema(closed(readSchema(name)) as Schema);

/**
 * Holds real output against its published schema.
 * @param schemaName `copy` for schemas/copy.schema.json
 * @throws Error that names every place where they differ, keys that the schema does not know included
 */
export function validateAgainst(schemaName: string, value: unknown): void {
  const validate = ajv.getSchema(`${schemaName}.schema.json`);
  if (!validate) throw new Error(`no schema "${schemaName}": ${schemaNames.join(", ")}`);
  if (validate(value)) return;
  const lines = (validate.errors ?? []).slice(0, 10).map(describe);
  throw new Error(`not as schemas/${schemaName}.schema.json says:\n  ${lines.join("\n  ")}`);
}

/** The same for the lines of `--progress=json` among what a command wrote to stderr; answers their number. */
export function validateProgress(stderr: string): number {
  const events = stderr.split("\n").filter((line) => line.startsWith("{"));
  for (const line of events) validateAgainst("progress", JSON.parse(line));
  return events.length;
}

function describe({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath || "/"} ${message} ${JSON.stringify(params)}`;
}

/**
 * Published schemas are open, since keys may be added. Here they are closed, so that a key nobody has documented
 * is found.
 */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, closed(part)]));
  const isOpen =
    "properties" in parts &&
    typeof parts.properties === "object" &&
    !("additionalProperties" in parts) &&
    !("unevaluatedProperties" in parts) &&
    !("title" in parts && parts.title === "options of p2pdma copy");
  return isOpen ? { ...parts, additionalProperties: false } : parts;
}
