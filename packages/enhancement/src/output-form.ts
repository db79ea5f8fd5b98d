import { type Schema, Validator } from "@cfworker/json-schema";
import { z } from "zod";

/** What an answer must look like: as JSON Schema for the model, and as a check here. */
export interface OutputForm<T> {
  json: Record<string, unknown>;
  check(value: unknown): { value: T } | { problems: readonly string[] };
}

/**
 * A form of ours.
 *
 * @param also what a schema cannot say; gives the problems of a value that holds to the schema
 */
export function formOf<T>(schema: z.ZodType<T>, also: (value: T) => readonly string[] = () => []): OutputForm<T> {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema) as Record<string, unknown>;
  return {
    json,
    check(given) {
      const parsed = schema.safeParse(given);
      if (!parsed.success) {
        return {
          problems: parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the answer"}: ${message}`),
        };
      }
      const problems = also(parsed.data);
      return problems.length > 0 ? { problems } : { value: parsed.data };
    },
  };
}

/** A form that a caller gave as JSON Schema; interpreted, never compiled to code. */
export function formOfCaller(json: Record<string, unknown>): OutputForm<Record<string, unknown>> {
  const validator = new Validator(json as Schema, "2020-12", false);
  return {
    json,
    check(given) {
      const { valid, errors } = validator.validate(given);
      if (valid) return { value: given as Record<string, unknown> };
      return { problems: errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`) };
    },
  };
}
