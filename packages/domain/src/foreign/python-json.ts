/**
 * A value as Python's `json.dumps(value, sort_keys=True)` writes it: separators `", "` and `": "`, keys by code point, all
 * that is not ASCII as `\uXXXX`, floats as `repr` has them. Receivers that sign what they parsed and wrote again get the
 * bytes that were sent. `undefined` fields are left out; numbers are finite.
 */
export function pythonJson(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number") return pythonNumber(value);
  if (typeof value === "string") return pythonString(value);
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => byCodePoint(a, b))
    .map(([name, field]) => `${pythonString(name)}: ${pythonJson(field)}`);
  return `{${fields.join(", ")}}`;
}

const SHORT_ESCAPES: Record<string, string> = {
  ...{ '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f" },
};

function pythonString(text: string): string {
  const escaped = text.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
    /["\\\u0000-\u001f]|[^\u0000-\u007f]/g,
    (unit) => SHORT_ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}

/** `repr(float)`: the shortest digits, fixed where the exponent is from -4 to 15. A whole number is an `int`. */
function pythonNumber(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  const [digits = "", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4) return `${digits}e-${String(-exponent).padStart(2, "0")}`;
  return exponent < 0 ? value.toFixed(digits.replace(/[-.]/g, "").length - 1 - exponent) : String(value);
}

/** JavaScript sorts by UTF-16 unit, which puts what is beyond the basic plane before U+E000. */
function byCodePoint(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
