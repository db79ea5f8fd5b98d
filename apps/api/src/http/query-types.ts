import { z } from "zod";

/** Query parameters are text; each of these says what the text must be. */
export const queryFlag = z.enum(["true", "false", "1", "0"]).transform((text) => text === "true" || text === "1");

export function queryInt(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`);
}

export const queryTime = z.iso.datetime({ offset: true }).transform((text) => new Date(text));
