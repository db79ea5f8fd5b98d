import { z } from "zod";

/** One environment variable: how its text becomes a value, what it is when absent, and what it is for. */
export interface Setting<T> {
  schema: z.ZodType<T, string>;
  /** The text that stands in for an absent variable; undefined where absence means something of its own. */
  fallback: string | undefined;
  description: string;
  /** Also read from the file that NAME_FILE names, and never printed. */
  secret: boolean;
}

interface SettingDetails {
  description: string;
  fallback?: string;
  secret?: boolean;
}

type Optional<T, D extends SettingDetails> = D extends { fallback: string } ? T : T | undefined;

export function setting<T, const D extends SettingDetails>(
  schema: z.ZodType<T, string>,
  details: D,
): Setting<Optional<T, D>> {
  return {
    schema: schema as z.ZodType<Optional<T, D>, string>,
    fallback: details.fallback,
    description: details.description,
    secret: details.secret ?? false,
  };
}

export type Settings = Record<string, Setting<unknown>>;
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** The forms that variables take. Each turns text into a value and says in its error what the text should have been. */
export const text = z.string().min(1, "must not be empty");

export const port = whole(0, 65_535);

export function whole(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d+$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
}

export function decimal(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d+(\.\d+)?$/, "must be a number")
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
}

export const flag = z
  .string()
  .regex(/^(true|false|1|0|on|off)$/i, "must be true or false")
  .transform((value) => /^(true|1|on)$/i.test(value));

/** Items between commas; blanks around them do not count, and an empty text is an empty list. */
export const list = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

export function listOf<const T extends readonly [string, ...string[]]>(names: T) {
  return list.pipe(z.array(z.enum(names)));
}

export function oneOf<const T extends readonly [string, ...string[]]>(names: T) {
  return z.string().pipe(z.enum(names));
}

export function url(...protocols: string[]) {
  return z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), {
    message: `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  });
}
