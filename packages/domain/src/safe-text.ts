// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is exactly what is looked for
const UNSAFE = /\u0000|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Postgres stores no NUL, and a lone surrogate is no text: whether a string has either. */
export function isUnsafeText(text: string): boolean {
  return UNSAFE.test(text);
}

/** The first place in a parsed JSON value that holds unsafe text, as a path, or null. Keys count too. */
export function findUnsafeText(value: unknown, path = ""): string | null {
  if (typeof value === "string") return isUnsafeText(value) ? path : null;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = findUnsafeText(item, path === "" ? String(index) : `${path}.${index}`);
      if (found !== null) return found;
    }
    return null;
  }
  if (value !== null && typeof value === "object") {
    for (const [key, item] of Object.entries(value)) {
      const here = path === "" ? key : `${path}.${key}`;
      if (isUnsafeText(key)) return path;
      const found = findUnsafeText(item, here);
      if (found !== null) return found;
    }
  }
  return null;
}
