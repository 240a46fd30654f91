// SPDX-License-Identifier: MIT
import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import schema from "../../schemas/migrate-plan.schema.json" with { type: "json" };
import { ExitCode } from "../exit-codes.ts";
import type { PlanDocument } from "./document.ts";
import type { PlanPath, Problem } from "./problems.ts";
import { suggest } from "./suggest.ts";

const OPTION_KEYS = Object.keys(schema.$defs.options.properties);

const matchesSchema = new Ajv2020({ allErrors: true, verbose: true, allowUnionTypes: true }).compile(schema);

/** What the published schema says of a plan, in words and with positions. */
export function validatePlan(document: PlanDocument): Problem[] {
  if (matchesSchema(document.value)) return [];
  const problems = (matchesSchema.errors ?? []).flatMap((error) => problemOf(document, error) ?? []);
  const distinct = new Map(problems.map((problem) => [`${problem.path}: ${problem.message}`, problem]));
  return [...distinct.values()].sort(
    (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
  );
}

function problemOf(document: PlanDocument, error: ErrorObject): Problem | undefined {
  const path = pathOf(error.instancePath);
  const make = (message: string, at: PlanPath = path, part: "key" | "value" = "value"): Problem => ({
    ...{ path: at, place: document.placeOf(at, part), message, exitCode: ExitCode.usage },
  });
  const { keyword, params, parentSchema, data } = error;
  const unknown = params.additionalProperty ?? params.unevaluatedProperty;
  if (unknown !== undefined) return make(unknownKey(unknown, parentSchema), [...path, unknown], "key");
  if (keyword === "required") return make(`"${params.missingProperty}" is missing`);
  // An object that is none has been told so by its own schema, not by the parts it is made of.
  if (keyword === "type" && parentSchema?.title === schema.$defs.options.title && path.length > 1)
    return undefined;
  return make(`${spell(data)} is not ${expected(keyword, params, parentSchema)}`);
}

function unknownKey(key: string, parentSchema: ErrorObject["parentSchema"]): string {
  const own = Object.keys(parentSchema?.properties ?? {});
  const known = parentSchema?.unevaluatedProperties === false ? [...own, ...OPTION_KEYS] : own;
  const near = suggest(key, known);
  const others = known.length > 8 ? "" : `; known are ${known.join(", ")}`;
  return near ? `unknown key; did you mean "${near}"?` : `unknown key${others}`;
}

function expected(
  keyword: string,
  params: Record<string, unknown>,
  parentSchema: ErrorObject["parentSchema"],
): string {
  if (parentSchema?.title) return parentSchema.title as string;
  if (keyword === "enum") return `one of ${(params.allowedValues as unknown[]).join(", ")}`;
  if (keyword === "const") return String(params.allowedValue);
  if (keyword === "type") return `a ${[params.type].flat().join(" or ")}`;
  return `allowed (${keyword} ${JSON.stringify(params)})`;
}

/** The value as the plan has it, shortened. */
function spell(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function pathOf(pointer: string): PlanPath {
  const parts = pointer.split("/").slice(1);
  return parts
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}
