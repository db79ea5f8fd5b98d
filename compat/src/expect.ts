import { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";

/** Fails the row with what was seen. */
export function expect(holds: boolean, what: string, seen?: unknown): asserts holds {
  if (!holds) throw new AssertionError({ message: seen === undefined ? what : `${what}; seen: ${show(seen)}` });
}

export function expectEqual(seen: unknown, wanted: unknown, what: string): void {
  expect(isDeepStrictEqual(seen, wanted), `${what}: ${show(wanted)} was wanted`, seen);
}

/** What a call that must fail throws. */
export async function failure(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  const error = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error instanceof Error, "the call should have failed");
  return error as Error & Record<string, unknown>;
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 500) ?? String(value);
}
