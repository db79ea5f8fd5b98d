import type { z } from "zod";
import { SpeechError } from "../speech-error.ts";

/** JSON of a model's file by its schema; `invalid_model`, naming file and place, where it does not fit. */
export function parseJsonAs<Schema extends z.ZodType>(name: string, text: string, schema: Schema): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SpeechError("invalid_model", `${name} is not JSON`, error);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SpeechError("invalid_model", `${name}: ${issue?.path.join(".") || "content"}: ${issue?.message}`);
}
