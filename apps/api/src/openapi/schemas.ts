import type { z } from "zod";

export interface SchemaName {
  id: string;
  direction: "request" | "answer";
}

/** Schemas that the document names under `components`; each is registered once, where it is defined. */
export const namedSchemas = new Map<z.ZodType, SchemaName>();

/** Names what a caller sends. */
export function requestSchema<T extends z.ZodType>(id: string, schema: T): T {
  namedSchemas.set(schema, { id, direction: "request" });
  return schema;
}

/** Names what we answer. */
export function answerSchema<T extends z.ZodType>(id: string, schema: T): T {
  namedSchemas.set(schema, { id, direction: "answer" });
  return schema;
}
