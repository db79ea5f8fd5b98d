import { expect, test } from "@jest/globals";
import { withTimeLimit } from "../src/with-time-limit.ts";

test("work that ends in time gives its value, or its error", async () => {
  expect(await withTimeLimit(Promise.resolve(7), 1_000, "adding")).toBe(7);
  await expect(withTimeLimit(Promise.reject(new Error("no")), 1_000, "adding")).rejects.toThrow("no");
});

test("work that takes longer is given up, by name, and what becomes of it later harms nobody", async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  await expect(withTimeLimit(promise, 20, "sending")).rejects.toThrow("sending took longer than 20 ms");
  // Nobody listens any more; an unhandled rejection would fail this test.
  reject(new Error("too late"));
  await new Promise((resolve) => setTimeout(resolve, 10));
});
