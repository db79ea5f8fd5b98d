import { z } from "zod";

/** A model's context has to hold the schema beside the transcript. */
const MAX_SCHEMA_BYTES = 8 * 1024;
const MAX_DEPTH = 12;

const count = z.int().min(0).max(1_000_000);
const kinds = z.enum(["object", "array", "string", "number", "integer", "boolean", "null"]);
const plain = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/**
 * The part of JSON Schema (2020-12) that callers may describe an output with. No references, which may lead in a circle,
 * and no expressions, which may take a lifetime to match.
 */
const node: z.ZodType = z.lazy(() =>
  z.strictObject({
    type: z.union([kinds, z.array(kinds).min(1).max(7)]).optional(),
    title: z.string().optional(),
    description: z.string().optional(),
    properties: z.record(z.string().max(128), node).optional(),
    required: z.array(z.string().max(128)).max(256).optional(),
    additionalProperties: z.union([z.boolean(), node]).optional(),
    items: node.optional(),
    minItems: count.optional(),
    maxItems: count.optional(),
    minLength: count.optional(),
    maxLength: count.optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    exclusiveMinimum: z.number().optional(),
    exclusiveMaximum: z.number().optional(),
    multipleOf: z.number().positive().optional(),
    enum: z.array(plain).min(1).max(256).optional(),
    const: plain.optional(),
    anyOf: z.array(node).min(1).max(16).optional(),
    oneOf: z.array(node).min(1).max(16).optional(),
    allOf: z.array(node).min(1).max(16).optional(),
  }),
);

/** A caller's JSON Schema: small, of an object, and of what can be checked here. */
export const outputSchema = z.record(z.string().max(128), z.unknown()).superRefine((schema, context) => {
  const refuse = (message: string, path: PropertyKey[] = []) =>
    context.addIssue({ code: "custom", message, path: [...path] });
  if (Buffer.byteLength(JSON.stringify(schema)) > MAX_SCHEMA_BYTES) {
    return refuse(`must be at most ${MAX_SCHEMA_BYTES} bytes of JSON`);
  }
  if (depthOf(schema) > MAX_DEPTH) return refuse(`must not be nested deeper than ${MAX_DEPTH} levels`);
  if (schema.type !== "object") return refuse("must describe an object", ["type"]);
  const [issue] = node.safeParse(schema).error?.issues ?? [];
  if (issue?.code === "unrecognized_keys")
    return refuse("is no keyword that is known here", [...issue.path, ...issue.keys.slice(0, 1)]);
  if (issue) refuse(issue.message, issue.path);
});

function depthOf(value: unknown): number {
  if (value === null || typeof value !== "object") return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
