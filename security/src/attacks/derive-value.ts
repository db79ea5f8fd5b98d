import type { Random } from "../random.ts";
import type { OpenApi, Schema } from "./derive-request.ts";

const ODD_TEXTS = [
  "",
  " ",
  "\u0000",
  "\ud800",
  "\udfff\ud800",
  "\ufeff",
  "\u202e\u2066",
  "ﷺ".repeat(50),
  "👩‍👩‍👧‍👦".repeat(20),
  "e\u0301\u0301\u0301".repeat(50),
  "x".repeat(70_000),
  "'; DROP TABLE jobs; --",
  "%s%n%x",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a string that others would expand
  "${jndi:ldap://127.0.0.1/a}",
  "{{7*7}}",
  "../../../../etc/passwd",
  "<script>alert(1)</script>",
  "\r\nX-Injected: 1",
  "NaN",
  "null",
  "true",
  "0x10",
  "1e309",
  "-0",
  "9".repeat(400),
  "2026-13-45T99:99:99Z",
  "-271821-04-20T00:00:00.000Z",
  "+275760-09-13T00:00:00.001Z",
  "01900000-0000-7000-8000-000000000000",
  "00000000-0000-0000-0000-00000000000g",
  "http://127.0.0.2:9/a.wav",
  "http://[::1]/",
  "http://user:pass@example.com/",
  "javascript:alert(1)",
  "file:///etc/passwd",
  "__proto__",
  "constructor",
  "toString",
];

const ODD_NUMBERS = [
  0,
  -0,
  -1,
  1,
  0.1,
  1.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  1e21,
  1e308,
  5e-324,
  Number.MAX_SAFE_INTEGER + 2,
];

export function oddText(random: Random): string {
  return random.pick(ODD_TEXTS);
}

/** Mostly what the schema asks for; each part of it may be something else. */
export function valueFor(schema: Schema | undefined, document: OpenApi, random: Random, depth = 0): unknown {
  if (schema === undefined || depth > 8) return oddValue(random);
  if (random.chance(0.06)) return oddValue(random);
  const ref = schema.$ref as string | undefined;
  if (ref !== undefined) {
    return valueFor(document.components.schemas[ref.split("/").at(-1) ?? ""], document, random, depth + 1);
  }
  const options = (schema.anyOf ?? schema.oneOf) as Schema[] | undefined;
  if (options) return valueFor(random.pick(options), document, random, depth + 1);
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.enum)) return random.pick(schema.enum);
  switch (schema.type) {
    case "object":
      return objectFor(schema, document, random, depth);
    case "array": {
      const most = Math.min(Number(schema.maxItems ?? 4), 6);
      const count = random.chance(0.03) ? 2_000 : random.int(most + 1);
      return Array.from({ length: count }, () => valueFor(schema.items as Schema, document, random, depth + 1));
    }
    case "integer":
    case "number":
      return numberFor(schema, random);
    case "boolean":
      return random.chance(0.5);
    case "null":
      return null;
    default:
      return textFor(schema, random);
  }
}

function objectFor(schema: Schema, document: OpenApi, random: Random, depth: number): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  const required = new Set((schema.required as string[] | undefined) ?? []);
  const properties = Object.entries((schema.properties as Record<string, Schema> | undefined) ?? {});
  // Few at a time: with all of them something would always be wrong, and nothing behind it be reached.
  const share = random.pick([0, 0, 0.05, 0.15, 0.5]);
  for (const [name, property] of properties) {
    const common = name === "url" || name === "file" || name === "name" || name === "scopes";
    if (required.has(name) || random.chance(common ? 0.9 : share)) {
      made[name] = valueFor(property, document, random, depth + 1);
    }
  }
  // One of two is meant.
  if (made.url !== undefined && random.chance(0.9)) delete made.upload_id;
  if (random.chance(0.05)) made[oddText(random).slice(0, 100)] = oddValue(random);
  if (schema.additionalProperties && random.chance(0.7)) {
    made[random.pick(["a", "synthetic", "x y"])] = random.pick(["b", 1, true, null, '{"windows":1,"audio":false}']);
  }
  return made;
}

function numberFor(schema: Schema, random: Random): number {
  const [least, most] = [Number(schema.minimum ?? 0), Number(schema.maximum ?? 1000)];
  const whole = schema.type === "integer";
  const inside = least + random.next() * (most - least);
  return random.pick([
    least,
    most,
    least - 1,
    most + 1,
    whole ? Math.round(inside) : inside,
    whole ? Math.round(inside) : inside,
    random.pick(ODD_NUMBERS),
  ]);
}

function textFor(schema: Schema, random: Random): string {
  if (random.chance(0.15)) return oddText(random);
  const most = Number(schema.maxLength ?? 20);
  if (random.chance(0.08)) return "y".repeat(Math.min(most, 20_000) + random.int(2));
  switch (schema.format) {
    case "uuid":
      return "01900000-0000-7000-8000-000000000000";
    case "date-time":
      return random.pick([
        "2030-01-01T00:00:00Z",
        "2030-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
      ]);
    case "date":
      return random.pick(["2026-01-01", "2026-02-30", "9999-12-31"]);
  }
  return random.pick(["http://127.0.0.2:9/a.wav", "https://example.com/a.wav", "en", "text", "1", "42", "true", "a b"]);
}

function oddValue(random: Random): unknown {
  return random.pick<() => unknown>([
    () => null,
    () => oddText(random),
    () => random.pick(ODD_NUMBERS),
    () => [],
    () => ({}),
    () => [[[[[[[[]]]]]]]],
    () => ({ a: { a: { a: { a: { a: { a: 1 } } } } } }),
    () => true,
    () => nested(random.pick([20, 33, 200])),
  ])();
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let at = 0; at < depth; at++) value = at % 2 === 0 ? [value] : { a: value };
  return value;
}
